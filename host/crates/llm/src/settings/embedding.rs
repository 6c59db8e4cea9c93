//! What the operator decides about the vectors of a target.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much a target takes when it makes vectors. What is left out is as the provider has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EmbeddingSettings {
    /// The most texts in one request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_048))]
    pub inputs: Option<u32>,
    /// The most tokens in one request, where three bytes of text count as one. A text with more is sent alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub tokens: Option<u32>,
    /// The most tokens of one text, counted in the same way. A longer one is an error, `context-length-exceeded`, and not
    /// sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub input_tokens: Option<u32>,
}
