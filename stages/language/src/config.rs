//! The configuration.

use serde::Deserialize;

/// The `config` table of a `language` stage.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Minimum confidence, from 0 to 1.
    pub min_confidence: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { min_confidence: 0.5 }
    }
}
