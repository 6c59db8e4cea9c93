//! The configuration: which languages have a branch of their own, the minimum confidence, and the check that the schema
//! cannot express.

use gristmill_sdk::ConfigFault;
use serde::Deserialize;

use crate::Detect;
use crate::codes::{ALL, Language};

/// The `config` table of a `language` stage.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Languages, by ISO 639-1 code, whose items go to the branch of that name.
    pub route: Vec<String>,
    /// Minimum confidence, from 0 to 1.
    pub min_confidence: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { route: Vec::new(), min_confidence: 0.5 }
    }
}

impl Config {
    pub(crate) fn resolve(self) -> Result<Detect, Vec<ConfigFault>> {
        let mut faults = Vec::new();
        let mut route = Vec::new();
        for (index, code) in self.route.iter().enumerate() {
            match Language::by_code(code) {
                Some(language) => route.push(language),
                None => faults.push(ConfigFault::new(&format!("/route/{index}"), unknown(code))),
            }
        }
        if faults.is_empty() { Ok(Detect { route, min_confidence: self.min_confidence }) } else { Err(faults) }
    }
}

fn unknown(code: &str) -> String {
    let known: Vec<&str> = ALL.iter().map(|language| language.code).collect();
    format!("`{code}` is not a language that can be detected: use one of {}", known.join(", "))
}
