//! The configuration: which languages have a way of their own, how sure the stage must be, and the check that the
//! schema cannot express.

use gristmill_sdk::ConfigFault;
use serde::Deserialize;

use crate::Detect;
use crate::codes::{ALL, Language};

/// What the pipeline file gives under `config`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Languages, by their ISO 639-1 codes, whose items go down the branch of that name.
    pub route: Vec<String>,
    /// The least confidence, from 0 to 1.
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
    format!("`{code}` is no language that this stage can tell: name some of {}", known.join(", "))
}
