//! What the operator says a model costs.

use gristmill_core::model::Usd;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
