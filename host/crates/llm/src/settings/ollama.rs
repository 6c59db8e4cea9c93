//! What the operator decides about a target that speaks Ollama's own API.

use std::time::Duration;

use gristmill_core::settings::{SecretRef, Span, span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::embedding::EmbeddingSettings;
use super::headers::Headers;
use super::limits::LimitSettings;
use super::price::PriceSettings;
use super::streaming::{self, DEFAULT_IDLE, OLLAMA_FIRST_BYTE};
use super::thinking::Level;
use super::{DEFAULT_MAX_ANSWER_BYTES, DEFAULT_TIMEOUT, address, default_max_answer_bytes, default_timeout, headers};

/// Where Ollama listens if nobody told it otherwise.
pub const OLLAMA_BASE_URL: &str = "http://127.0.0.1:11434";
/// Default context of a request, in tokens.
pub const OLLAMA_CONTEXT: u32 = 8_192;

/// A server that speaks Ollama's own API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OllamaSettings {
    /// The model's name, as `ollama list` shows it.
    #[schemars(length(min = 1), extend("x-add" = "model = \"…\", the model's name at the provider"))]
    pub model: String,
    /// `http` or `https`, no query, no user; `/api/chat` is appended.
    #[serde(default = "default_base_url", deserialize_with = "address::read")]
    #[schemars(schema_with = "address::schema")]
    pub base_url: String,
    /// Sent as a bearer token; one line of visible ASCII, at most 16 KiB. Without it no key is
    /// sent, as a local Ollama wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretRef>,
    /// Further headers of each request; each a string or a secret.
    #[serde(default)]
    #[schemars(schema_with = "headers::schema")]
    pub headers: Headers,
    /// Of one request, to the last byte, loading the model included; never more than what is left of the stage's `wall`.
    #[serde(default = "default_timeout", with = "span")]
    #[schemars(with = "Span", extend("x-min" = "100ms", "x-max" = "30m"))]
    pub timeout: Duration,
    /// Whether the server is asked to stream its answer. The stage gets the whole answer in any case.
    #[serde(default = "streaming::default_stream")]
    pub stream: bool,
    /// To the first byte of a streamed answer, at most `timeout`.
    #[serde(default = "streaming::ollama_first_byte", with = "span")]
    #[schemars(with = "Span", extend("x-min" = "100ms", "x-max" = "30m"))]
    pub first_byte: Duration,
    /// Between two parts of a streamed answer.
    #[serde(default = "streaming::default_idle", with = "span")]
    #[schemars(with = "Span", extend("x-min" = "100ms", "x-max" = "30m"))]
    pub idle: Duration,
    /// Tokens of prompt and answer together, sent as `num_ctx`. Larger ones take more memory. A prompt that does not fit is
    /// an error; Ollama itself would cut it.
    #[serde(default = "default_context")]
    #[schemars(range(min = 256, max = 10_000_000))]
    pub context: u32,
    /// What the provider allows for this model with this key.
    #[serde(default)]
    pub limits: LimitSettings,
    /// How JSON is requested.
    #[serde(default)]
    pub structured: OllamaStructured,
    /// Default of a request, and the most it may set. What the model thinks counts too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_output_tokens: Option<u32>,
    /// How much the model thinks before it answers; without it the model's own default counts. Models that know no levels take
    /// each one but `off` for yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Level>,
    /// Tokens that are added to the limit on output tokens for what the model thinks. Without it as many as `thinking` takes,
    /// and none without `thinking`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub headroom: Option<u32>,
    /// Default of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 2.0))]
    pub temperature: Option<f64>,
    /// Names of further fields of `options` that a stage may set, for example `top_k`; not those that Gristmill sets itself.
    #[serde(default, rename = "options")]
    #[schemars(inner(length(min = 1)), extend("x-form" = r#"names of options, for example ["top_k"]"#))]
    pub allowed_options: Vec<String>,
    /// How much it takes when it makes vectors.
    #[serde(default)]
    pub embeddings: EmbeddingSettings,
    /// What it costs. Without it a local model costs nothing; what one with a `key` costs nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-show" = "nothing, or unknown with a `key`"))]
    pub price: Option<PriceSettings>,
    /// The largest body of an answer, in bytes.
    #[serde(skip, default = "default_max_answer_bytes")]
    pub max_answer_bytes: usize,
}

fn default_base_url() -> String {
    OLLAMA_BASE_URL.to_owned()
}

fn default_context() -> u32 {
    OLLAMA_CONTEXT
}

impl OllamaSettings {
    /// This model on this machine, with defaults for everything else.
    #[must_use]
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            base_url: default_base_url(),
            key: None,
            headers: Headers::new(),
            timeout: DEFAULT_TIMEOUT,
            stream: true,
            first_byte: OLLAMA_FIRST_BYTE,
            idle: DEFAULT_IDLE,
            limits: LimitSettings::default(),
            context: OLLAMA_CONTEXT,
            structured: OllamaStructured::JsonSchema,
            max_output_tokens: None,
            thinking: None,
            headroom: None,
            temperature: None,
            allowed_options: Vec::new(),
            embeddings: EmbeddingSettings::default(),
            price: None,
            max_answer_bytes: DEFAULT_MAX_ANSWER_BYTES,
        }
    }

    /// The tokens that are added to a limit on output tokens for what the model thinks.
    pub(crate) fn for_thinking(&self) -> u32 {
        self.headroom.or(self.thinking.map(Level::tokens)).unwrap_or(0)
    }
}

/// How Ollama is told to answer in JSON. Whatever it is, the answer is checked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline, extend("x-noun" = "structured form"))]
pub enum OllamaStructured {
    /// `format` with the schema.
    #[default]
    JsonSchema,
    /// `format = "json"`; the schema goes into the instructions.
    JsonObject,
    /// Nothing: form and schema go into the instructions.
    Prompt,
}
