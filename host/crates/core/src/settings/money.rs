//! Money as people write it: "0.05 USD".

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::Usd;

/// How an amount is written, for messages.
const FORM: &str = r#"amounts look like "0.05 USD" or "20 USD""#;

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Usd {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Usd".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Ten digits before the point: the largest amount is 18 billion.
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]{1,10}([.][0-9]{1,9})? USD$",
            "x-noun": "amount",
            "x-fault": "is not an amount",
            "x-form": FORM,
        })
    }
}
