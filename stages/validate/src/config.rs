//! The configuration, and the checks that its schema cannot express.

use std::collections::BTreeMap;

use gristmill_sdk::ConfigFault;
use serde::Deserialize;
use serde_json::Value;

use crate::rules::{Bounds, Rules};
use crate::schema::{Formats, Schema};

/// The `config` table of a `validate` stage.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// JSON Schema that a JSON item must fit.
    pub schema: Option<Value>,
    /// Whether `format` in the schema is checked.
    pub formats: bool,
    /// Minimum characters of a text item.
    pub min_text_length: Option<usize>,
    /// Maximum characters of a text item.
    pub max_text_length: Option<usize>,
    /// Pointers to values that must exist and be neither null nor empty.
    pub require: Vec<String>,
    /// Allowed values, by pointer.
    pub allowed: BTreeMap<String, Vec<Value>>,
    /// Allowed range of numbers, by pointer.
    pub range: BTreeMap<String, Bounds<f64>>,
    /// Allowed length, by pointer: characters of a string, elements of a list.
    pub length: BTreeMap<String, Bounds<usize>>,
}

/// The checks, ready for use.
#[derive(Debug)]
pub(crate) struct Checks {
    /// The schema that a JSON item must fit.
    pub schema: Option<Schema>,
    /// The rules for values of a JSON item.
    pub rules: Rules,
    /// The allowed length of a text item, in characters.
    pub text: Bounds<usize>,
}

impl Checks {
    /// Whether any check needs a JSON item.
    pub(crate) fn need_json(&self) -> bool {
        self.schema.is_some() || !self.rules.is_empty()
    }
}

impl TryFrom<Config> for Checks {
    type Error = Vec<ConfigFault>;

    fn try_from(config: Config) -> Result<Self, Self::Error> {
        let formats = if config.formats { Formats::Assert } else { Formats::Annotate };
        let rules =
            Rules { require: config.require, allowed: config.allowed, range: config.range, length: config.length };
        let text = Bounds { min: config.min_text_length, max: config.max_text_length };
        let has_text_rule = text.min.is_some() || text.max.is_some();
        if config.schema.is_none() && rules.is_empty() && !has_text_rule {
            let message = "there is nothing to check: set `schema` or a rule, for example require = [\"/id\"]";
            return Err(vec![ConfigFault::new("", message)]);
        }
        let mut faults = rules.config_faults();
        if text.fault().is_some() && has_text_rule {
            let message = "`min_text_length` is greater than `max_text_length`: no item can pass";
            faults.push(ConfigFault::new("/min_text_length", message));
        }
        let schema = config.schema.map(|schema| Schema::compile(&schema, formats)).transpose();
        match schema {
            Ok(schema) if faults.is_empty() => Ok(Self { schema, rules, text }),
            Ok(_) => Err(faults),
            Err(fault) => {
                faults.push(fault);
                Err(faults)
            }
        }
    }
}
