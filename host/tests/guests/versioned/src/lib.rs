//! A stage that says which version of it an item has passed, for tests of swaps. It reads JSON, so that it is as large as stages
//! are.

use gristmill_sdk::{Attribute, ConfigFault, Descriptor, Item, NoConfig, Outcome, Output, Stage, StageError};
use serde_json::Value;

/// The letter at the end is the version. Tests write another one into the built module, and have another version.
static VERSION: [u8; 19] = *b"GRISTMILL-VERSION:a";

/// Adds its version to the attribute `ran` of each item.
#[derive(Debug, Clone, Copy)]
pub struct Versioned;

impl Stage for Versioned {
    type Config = NoConfig;

    fn describe() -> Descriptor {
        Descriptor::new("versioned", env!("CARGO_PKG_VERSION"), "Says which version of it an item has passed")
            .accepts(&["application/json"])
    }

    fn new(_: NoConfig) -> Result<Self, Vec<ConfigFault>> {
        Ok(Self)
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        let text = item.text().unwrap_or_default();
        let read: Value =
            serde_json::from_str(text).map_err(|error| StageError::permanent("invalid-json", error.to_string()))?;
        let payload = if read.is_null() { read.to_string() } else { text.to_owned() };
        let before = item.attributes.iter().find(|attribute| attribute.name == "ran");
        let before = before.map_or("", |attribute| &attribute.value);
        let version = char::from(std::hint::black_box(&VERSION)[VERSION.len() - 1]);
        let ran = Attribute { name: "ran".into(), value: format!("{before}{version}") };
        let mut output = Output::from(&item).payload(payload);
        output.attributes.retain(|attribute| attribute.name != "ran");
        output.attributes.push(ran);
        Ok(Outcome::one(output))
    }
}

gristmill_sdk::stage!(Versioned);
