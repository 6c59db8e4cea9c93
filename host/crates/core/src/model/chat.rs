//! A request to a language model and its answer, as stages and providers both see it.

use std::time::Duration;

use bytes::Bytes;

use super::canonical::{Canonical, Write};
use super::merge::Merge;

/// Who is speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The operator's instructions.
    System,
    /// The question or task.
    User,
    /// The model's earlier answers.
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
    /// Who is speaking.
    pub role: Role,
    /// The parts, in order.
    pub content: Vec<Content>,
}

/// The format of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Format {
    /// Free text.
    Text,
    /// One JSON document of any shape.
    Json,
    /// A JSON document that matches a JSON Schema (2020-12).
    Schema {
        /// At most 64 letters, digits, "_" and "-".
        name: String,
        /// Describes the answer to the model.
        description: Option<String>,
        /// The schema as a JSON document.
        schema: String,
    },
}

/// A request from a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// The model alias; `None` is the pipeline's only one.
    pub model: Option<String>,
    /// The conversation.
    pub messages: Vec<ChatMessage>,
    /// The format of the answer.
    pub format: Format,
    /// `None` leaves it to the alias, here and below.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// The maximum number of tokens in the answer.
    pub max_output_tokens: Option<u32>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// For reproducible answers, best effort.
    pub seed: Option<u64>,
    /// Two calls with the same key in one job are one call.
    pub idempotency_key: Option<String>,
    /// Time limit for the whole call.
    pub timeout: Option<Duration>,
    /// Provider-specific extras: name and JSON value.
    pub options: Vec<(String, String)>,
    /// How often the limit on output tokens was raised since a stage asked, because the answer before ended in thought.
    /// 0 from a stage.
    pub raised: u32,
    /// Whether it may share a call with others. `None`: it is asked alone.
    pub merge: Option<Merge>,
}

impl ChatRequest {
    /// A request with these messages and everything else left to the alias.
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
            options: Vec::new(),
            raised: 0,
            merge: None,
        }
    }
}

impl ChatRequest {
    /// A digest of everything that shapes the answer. Excludes `timeout`, which differs between attempts with the time
    /// left, `merge`, which is about the way to the answer, and `idempotency_key`, which is an identifier of its own.
    ///
    /// Do not change the encoding: journals look up answers by it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        // Destructured in full, so that adding a field does not compile until someone decides whether to include it.
        let Self {
            model,
            messages,
            format,
            temperature,
            top_p,
            max_output_tokens,
            stop,
            seed,
            idempotency_key: _,
            timeout: _,
            options,
            raised,
            merge: _,
        } = self;
        let mut to = Canonical::digest("gristmill chat 2");
        to.optional(model.as_deref(), Canonical::text);
        to.list(messages.iter(), |to, message| message.encode(to));
        format.encode(&mut to);
        to.optional(temperature.map(f64::to_bits), Canonical::number);
        to.optional(top_p.map(f64::to_bits), Canonical::number);
        to.optional(max_output_tokens.map(u64::from), Canonical::number);
        to.list(stop.iter(), |to, text| to.text(text));
        to.optional(*seed, Canonical::number);
        to.list(options.iter(), |to, (name, value)| {
            to.text(name);
            to.text(value);
        });
        if *raised > 0 {
            to.number(u64::from(*raised));
        }
        to.finish()
    }
}

impl Format {
    fn encode(&self, to: &mut Canonical<impl Write>) {
        match self {
            Self::Text => to.kind(0),
            Self::Json => to.kind(1),
            Self::Schema { name, description, schema } => {
                to.kind(2);
                to.text(name);
                to.optional(description.as_deref(), Canonical::text);
                to.text(schema);
            }
        }
    }
}

impl ChatMessage {
    fn encode(&self, to: &mut Canonical<impl Write>) {
        let Self { role, content } = self;
        to.kind(match role {
            Role::System => 0,
            Role::User => 1,
            Role::Assistant => 2,
        });
        to.list(content.iter(), |to, part| match part {
            Content::Text(text) => {
                to.kind(0);
                to.text(text);
            }
            Content::Media { media_type, data } => {
                to.kind(1);
                to.text(media_type);
                to.bytes(data);
            }
        });
    }

    /// A message that is only text.
    #[must_use]
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, content: vec![Content::Text(text.into())] }
    }
}

/// Tokens and cost of one call. `None` means that the provider did not report it, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// All tokens in the request, cached or not. A provider that leaves some of them out of its count is corrected for.
    pub input_tokens: Option<u64>,
    /// The part of the input tokens that the provider read from its prompt cache.
    pub cache_read_input_tokens: Option<u64>,
    /// The part of the input tokens that the provider wrote to its prompt cache.
    pub cache_write_input_tokens: Option<u64>,
    /// Tokens in the answer.
    pub output_tokens: Option<u64>,
    /// The part of the output tokens spent on hidden reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Billionths of a US dollar.
    pub cost_nano_usd: Option<u64>,
}

/// Why the answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishReason {
    /// The model finished.
    Stop,
    /// Cut off at the output limit: the text is incomplete.
    Length,
    /// Anything else, in the provider's words.
    Other(String),
}

/// A model's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatResponse {
    /// The text of the answer.
    pub text: String,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Tokens and cost.
    pub usage: Usage,
    /// The model that answered, as "provider/model".
    pub model: String,
    /// The provider's id for the answer.
    pub provider_request_id: Option<String>,
    /// True if no provider was asked.
    pub cached: bool,
}

/// Whose budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetScope {
    /// The job's: other jobs go on.
    Job,
    /// The stage's, for all jobs.
    Stage,
    /// The pipeline's.
    Pipeline,
    /// That of the day.
    Day,
    /// The credit or quota of the account at the provider.
    Account,
}

/// Why there is no answer. The variants differ in how the caller should react.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatFailure {
    /// Too many requests or tokens; succeeds after waiting.
    RateLimited {
        /// For people.
        message: String,
        /// The minimum time to wait, if known.
        after: Option<Duration>,
    },
    /// Temporarily overloaded, unreachable or broken.
    Unavailable {
        /// For people.
        message: String,
        /// The minimum time to wait, if known.
        after: Option<Duration>,
    },
    /// No answer in time.
    Timeout(String),
    /// The input does not fit the model.
    ContextLengthExceeded {
        /// For people.
        message: String,
        /// The largest input in tokens, if the provider said.
        limit: Option<u64>,
        /// The size of this input in tokens, if the provider said.
        actual: Option<u64>,
    },
    /// Blocked by the provider, or refused by the model.
    ContentFiltered(String),
    /// The answer does not match the requested format.
    InvalidOutput {
        /// The model's last answer.
        text: String,
        /// What is wrong with it.
        problems: Vec<String>,
    },
    /// The request is malformed: sending it again will fail again.
    InvalidRequest(String),
    /// The alias is unknown to this pipeline.
    Denied(String),
    /// A budget is used up: one configured here, or the credit at the provider.
    BudgetExhausted {
        /// Whose budget.
        scope: BudgetScope,
        /// For people.
        message: String,
    },
    /// A wrong key, address or model name on the host's side.
    Misconfigured(String),
}

impl ChatFailure {
    /// A stable name for logs; the WIT and prepared answers use the same.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RateLimited { .. } => "rate-limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Timeout(_) => "timeout",
            Self::ContextLengthExceeded { .. } => "context-length-exceeded",
            Self::ContentFiltered(_) => "content-filtered",
            Self::InvalidOutput { .. } => "invalid-output",
            Self::InvalidRequest(_) => "invalid-request",
            Self::Denied(_) => "denied",
            Self::BudgetExhausted { .. } => "budget-exhausted",
            Self::Misconfigured(_) => "misconfigured",
        }
    }
}

#[cfg(test)]
mod tests;
