//! Headers that the operator adds to each request to a server.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::secret::SecretRef;

/// Headers by name.
pub type Headers = BTreeMap<String, HeaderText>;

/// The value of a header.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HeaderText {
    /// As it stands in the file.
    Plain(String),
    /// A secret that the value is read from.
    Secret(SecretRef),
}

impl fmt::Debug for HeaderText {
    /// Without plain values: some write their keys into the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(_) => f.write_str("Plain(..)"),
            Self::Secret(secret) => f.debug_tuple("Secret").field(secret).finish(),
        }
    }
}

impl JsonSchema for HeaderText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "HeaderText".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let secret = generator.subschema_for::<SecretRef>();
        json_schema!({
            "anyOf": [{ "type": "string", "pattern": r"^[!-~]([\t -~]*[!-~])?$" }, secret],
            "x-fault": "is not the value of a header",
            "x-form": r#"write one line of ASCII in quotes, or { env = "NAME" } or { file = "path" }"#,
        })
    }
}

/// The schema of a table of headers.
pub fn headers(generator: &mut SchemaGenerator) -> Schema {
    let values = generator.subschema_for::<HeaderText>();
    json_schema!({
        "type": "object",
        "propertyNames": {
            "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
            "x-form": "names of headers have letters, digits and \"-\"",
        },
        "additionalProperties": values,
    })
}
