//! A request to a language model and its answer, as stages and providers both see it.

use std::time::Duration;

use bytes::Bytes;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The operator's instructions.
    System,
    /// What is asked.
    User,
    /// What the model said earlier.
    Assistant,
}

/// One part of a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Content {
    /// Text.
    Text(String),
    /// An image or other media; support depends on the model.
    Media {
        /// For example "image/png".
        media_type: String,
        /// The bytes.
        data: Bytes,
    },
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub content: Vec<Content>,
}

/// The form of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Format {
    /// Free text.
    Text,
    /// Any one JSON document.
    Json,
    /// A JSON document that fits a JSON Schema (2020-12).
    Schema {
        /// Letters, digits, "_" and "-", at most 64.
        name: String,
        /// What the answer is, for the model.
        description: Option<String>,
        /// The schema as a JSON document.
        schema: String,
    },
}

/// How stored answers are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheUse {
    /// Read and write.
    Normal,
    /// Write only.
    Refresh,
    /// Neither.
    Off,
}

/// What a stage asks.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// The alias; `None` is the pipeline's only one.
    pub model: Option<String>,
    /// The conversation.
    pub messages: Vec<ChatMessage>,
    /// The form of the answer.
    pub format: Format,
    /// `None` leaves it to the alias, here and below.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// The most tokens of the answer.
    pub max_output_tokens: Option<u32>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Best effort.
    pub seed: Option<u64>,
    /// Two calls with the same key in one job are one call.
    pub idempotency_key: Option<String>,
    /// Bound of the whole call.
    pub timeout: Option<Duration>,
    /// How stored answers are used.
    pub cache: CacheUse,
    /// Provider specific extras: name and JSON value.
    pub options: Vec<(String, String)>,
}

impl ChatRequest {
    /// A request with these messages, and everything else left to the alias: the start of every other one.
    #[must_use]
    pub fn new(messages: Vec<ChatMessage>) -> Self {
        Self {
            model: None,
            messages,
            format: Format::Text,
            temperature: None,
            top_p: None,
            max_output_tokens: None,
            stop: Vec::new(),
            seed: None,
            idempotency_key: None,
            timeout: None,
            cache: CacheUse::Normal,
            options: Vec::new(),
        }
    }
}

impl ChatMessage {
    /// A message that is only text.
    #[must_use]
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, content: vec![Content::Text(text.into())] }
    }
}

/// Tokens and money of one call. `None` means the provider did not say, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the request.
    pub input_tokens: Option<u64>,
    /// The part of them that the provider had cached.
    pub cached_input_tokens: Option<u64>,
    /// Tokens of the answer.
    pub output_tokens: Option<u64>,
    /// The part of them spent on hidden reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Billionths of a US dollar.
    pub cost_nano_usd: Option<u64>,
}

/// Why the answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// Cut off at the output limit: the text is incomplete.
    Length,
    /// Anything else, in the provider's words.
    Other(String),
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatResponse {
    /// The answer.
    pub text: String,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// What it took.
    pub usage: Usage,
    /// What answered, as "provider/model".
    pub model: String,
    /// The provider's id of the answer.
    pub provider_request_id: Option<String>,
    /// True if no provider was asked.
    pub cached: bool,
}

/// Why there is no answer. The variants are what a caller does about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatFailure {
    /// Too many requests or tokens: wait, then all is well.
    RateLimited {
        /// For people.
        message: String,
        /// The least time to wait.
        after: Option<Duration>,
    },
    /// Overloaded, unreachable or broken for the moment.
    Unavailable {
        /// For people.
        message: String,
        /// The least time to wait.
        after: Option<Duration>,
    },
    /// No answer in time.
    Timeout(String),
    /// The input does not fit the model.
    ContextLengthExceeded(String),
    /// Blocked by the provider, or refused by the model.
    ContentFiltered(String),
    /// An answer that does not fit the asked-for form.
    InvalidOutput {
        /// What the model said last.
        text: String,
        /// What is wrong with it.
        problems: Vec<String>,
    },
    /// Malformed: the same request will fail again.
    InvalidRequest(String),
    /// The alias is unknown to this pipeline.
    Denied(String),
    /// The money of the provider's account, or of a budget here, is used up.
    BudgetExhausted(String),
    /// A wrong key, address or model name on the host's side.
    Misconfigured(String),
}
