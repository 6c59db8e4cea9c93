//! The configuration.

use gristmill_sdk::embeddings;
use serde::Deserialize;

/// The `config` table of an `embed` stage.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Alias of the model; `None` asks the stage's default.
    pub model: Option<String>,
    /// Length of the vectors; `None` leaves it to the model.
    pub dimensions: Option<u32>,
    /// What the vectors are for.
    pub purpose: Purpose,
    /// JSON Pointers to the texts of a JSON item.
    pub fields: Vec<String>,
    /// Put before each text.
    pub prefix: String,
    /// Name of the vector in the result.
    pub key: String,
    /// What to do with an item without text to embed.
    pub on_missing: OnMissing,
    /// Whether the result of a text item has the text.
    pub include_text: bool,
    /// Whether the result of a text item has its `chunk.` and `extract.` attributes.
    pub include_attributes: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            model: None,
            dimensions: None,
            purpose: Purpose::Document,
            fields: Vec::new(),
            prefix: String::new(),
            key: "vector".into(),
            on_missing: OnMissing::Skip,
            include_text: true,
            include_attributes: true,
        }
    }
}

/// What vectors are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Nothing in particular.
    Unspecified,
    /// To be found.
    Document,
    /// To find others by.
    Query,
}

impl From<Purpose> for embeddings::Purpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Unspecified => Self::Unspecified,
            Purpose::Document => Self::Document,
            Purpose::Query => Self::Query,
        }
    }
}

/// What to do with an item without text to embed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// Pass it on as it came.
    Skip,
    /// Reject it.
    Reject,
}
