//! The address of a model server, as a file writes it.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// Removes trailing slashes, because a path is appended.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(String::deserialize(deserializer)?.trim_end_matches('/').to_owned())
}

/// The schema of a base URL.
pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "allOf": [
            {
                "pattern": "^(?!https?://[^/]*@)",
                "x-fault": "has a user name or password in it",
                "x-form": "take it out: keys are given as key = { env = \"NAME\" }",
            },
            {
                "pattern": r"^https?://[^/?#\s][^?#\s]*$",
                "x-fault": "is not the address of an API",
                "x-form": "for example \"https://models.example.com/v1\", without a query",
            },
        ],
    })
}
