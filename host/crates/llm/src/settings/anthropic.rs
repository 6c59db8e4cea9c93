//! What the operator decides about a target that speaks Anthropic's Messages.

use std::time::Duration;

use gristmill_core::settings::{SecretRef, Span, span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::headers::Headers;
use super::limits::LimitSettings;
use super::price::PriceSettings;
use super::streaming::{self, DEFAULT_FIRST_BYTE, DEFAULT_IDLE};
use super::thinking::Thinking;
use super::{DEFAULT_MAX_ANSWER_BYTES, DEFAULT_TIMEOUT, address, default_max_answer_bytes, default_timeout, headers};

/// Anthropic's own address.
pub const ANTHROPIC_BASE_URL: &str = "https://api.anthropic.com/v1";
/// The limit on output tokens of a request where neither it nor the target sets one: the API requires a number.
pub const ANTHROPIC_MAX_OUTPUT_TOKENS: u32 = 4_096;

/// A server that speaks Anthropic's Messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnthropicSettings {
    /// The model's name at Anthropic.
    #[schemars(length(min = 1), extend("x-add" = "model = \"…\", the model's name at the provider"))]
    pub model: String,
    /// `http` or `https`, no query, no user; `/messages` is appended.
    #[serde(default = "default_base_url", deserialize_with = "address::read")]
    #[schemars(schema_with = "address::schema")]
    pub base_url: String,
    /// Sent as `x-api-key`; one line of visible ASCII, at most 16 KiB. Without it no key is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretRef>,
    /// Further headers of each request, for example `anthropic-beta`; each a string or a secret.
    #[serde(default)]
    #[schemars(schema_with = "headers::schema")]
    pub headers: Headers,
    /// Of one request, to the last byte; never more than what is left of the stage's `wall`.
    #[serde(default = "default_timeout", with = "span")]
    #[schemars(with = "Span", extend("x-min" = "100ms", "x-max" = "30m"))]
    pub timeout: Duration,
    /// Whether the server is asked to stream its answer. The stage gets the whole answer in any case.
    #[serde(default = "streaming::default_stream")]
    pub stream: bool,
    /// To the first byte of a streamed answer, at most `timeout`.
    #[serde(default = "streaming::default_first_byte", with = "span")]
    #[schemars(with = "Span", extend("x-min" = "100ms", "x-max" = "30m"))]
    pub first_byte: Duration,
    /// Between two parts of a streamed answer.
    #[serde(default = "streaming::default_idle", with = "span")]
    #[schemars(with = "Span", extend("x-min" = "100ms", "x-max" = "30m"))]
    pub idle: Duration,
    /// What the provider allows for this model with this key.
    #[serde(default)]
    pub limits: LimitSettings,
    /// How JSON is requested.
    #[serde(default)]
    pub structured: AnthropicStructured,
    /// Default of a request, and the most it may set. The API requires a number: without this, requests that set none
    /// get 4096.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_output_tokens: Option<u32>,
    /// How much the model thinks before it answers; without it the model's own default counts. A level is sent as `effort` of
    /// adaptive thinking, for models since Claude 4.6; a number of tokens as `budget_tokens`, for those before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Thinking>,
    /// Tokens that are added to the limit on output tokens for what the model thinks. Without it as many as `thinking` takes,
    /// and none without `thinking`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub headroom: Option<u32>,
    /// Default of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub temperature: Option<f64>,
    /// Names of further request fields that a stage may set, for example `top_k`; not those that Gristmill sets itself.
    #[serde(default, rename = "options")]
    #[schemars(inner(length(min = 1)), extend("x-form" = r#"names of options, for example ["top_k"]"#))]
    pub allowed_options: Vec<String>,
    /// What it costs. Without it: the price of a common model at its own provider, see docs/models.md; else nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-show" = "the built-in one, if there is one"))]
    pub price: Option<PriceSettings>,
    /// The largest body of an answer, in bytes.
    #[serde(skip, default = "default_max_answer_bytes")]
    pub max_answer_bytes: usize,
}

fn default_base_url() -> String {
    ANTHROPIC_BASE_URL.to_owned()
}

impl AnthropicSettings {
    /// This model at Anthropic, without a key and with defaults for everything else.
    #[must_use]
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            base_url: default_base_url(),
            key: None,
            headers: Headers::new(),
            timeout: DEFAULT_TIMEOUT,
            stream: true,
            first_byte: DEFAULT_FIRST_BYTE,
            idle: DEFAULT_IDLE,
            limits: LimitSettings::default(),
            structured: AnthropicStructured::JsonSchema,
            max_output_tokens: None,
            thinking: None,
            headroom: None,
            temperature: None,
            allowed_options: Vec::new(),
            price: None,
            max_answer_bytes: DEFAULT_MAX_ANSWER_BYTES,
        }
    }

    /// The tokens that are added to a limit on output tokens for what the model thinks.
    pub(crate) fn for_thinking(&self) -> u32 {
        let headroom = self.headroom.or(self.thinking.map(Thinking::tokens)).unwrap_or(0);
        match self.thinking {
            // The API requires a limit above the budget.
            Some(Thinking::Tokens(budget)) => headroom.max(budget),
            Some(Thinking::Level(_)) | None => headroom,
        }
    }
}

/// How Anthropic is told to answer in JSON. Whatever it is, the answer is checked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline, extend("x-noun" = "structured form"))]
pub enum AnthropicStructured {
    /// `output_config.format`, for models since Claude 4.5.
    #[default]
    JsonSchema,
    /// A tool that the model must call, for older models.
    Tool,
    /// Nothing: form and schema go into the instructions.
    Prompt,
}
