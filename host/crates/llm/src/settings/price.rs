//! What the operator says a model costs.

use gristmill_core::model::Usd;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ANTHROPIC_MAX_OUTPUT_TOKENS, TargetSettings};

/// The price of a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceSettings {
    /// Of the input that is neither read from the provider's cache nor written to it.
    #[schemars(extend("x-add" = r#"input = "0.25 USD", the price of a million tokens"#))]
    pub input: Usd,
    /// Of the input that is read from the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-show" = "`input`"))]
    pub cached_input: Option<Usd>,
    /// Of the input that is written to the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-show" = "`input`"))]
    pub cache_write: Option<Usd>,
    /// Of the output, what the model thinks among it.
    #[schemars(extend("x-add" = r#"output = "2 USD", the price of a million tokens"#))]
    pub output: Usd,
}

impl TargetSettings {
    /// The price that the operator gives it, if any.
    #[must_use]
    pub fn own_price(&self) -> Option<PriceSettings> {
        match self {
            Self::OpenAi(target) => target.price,
            Self::Anthropic(target) => target.price,
            Self::Gemini(target) => target.price,
            Self::Ollama(target) => target.price,
            Self::Scripted(target) => target.price,
        }
    }

    /// The most tokens that one answer can have, whatever a request asks for. `None` if nothing bounds it.
    #[must_use]
    pub fn most_output_tokens(&self) -> Option<u32> {
        match self {
            Self::OpenAi(target) => target.max_output_tokens,
            Self::Anthropic(target) => Some(target.max_output_tokens.unwrap_or(ANTHROPIC_MAX_OUTPUT_TOKENS)),
            Self::Gemini(target) => target.max_output_tokens,
            Self::Ollama(target) => Some(target.max_output_tokens.unwrap_or(target.context)),
            Self::Scripted(_) => None,
        }
    }
}
