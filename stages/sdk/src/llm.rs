//! Calls to language models through the host: a stage names an alias and never sees a key. Needs the grant "llm".

use crate::StageError;
use crate::bindings::gristmill::stage::llm as host;
pub use crate::bindings::gristmill::stage::llm::{
    CacheUse, Content, FinishReason, Format, Message, Request, Response, Role, Schema,
};
pub use crate::bindings::gristmill::stage::llm_types::{BadOutput, Busy, Error, TooLong, Usage};

/// Something that answers requests: [`Host`] in the sandbox, a script in unit tests.
pub trait Model {
    /// One completion.
    ///
    /// # Errors
    /// Why there is no answer. The host has already retried: return the error with `?`.
    fn chat(&self, request: Request) -> Result<Response, Error>;

    /// Several completions, run concurrently by the host, with the answers in the same order.
    fn chat_many(&self, requests: Vec<Request>) -> Vec<Result<Response, Error>> {
        requests.into_iter().map(|request| self.chat(request)).collect()
    }
}

/// The host's models.
#[derive(Debug, Clone, Copy, Default)]
pub struct Host;

impl Model for Host {
    fn chat(&self, request: Request) -> Result<Response, Error> {
        host::chat(&request)
    }

    fn chat_many(&self, requests: Vec<Request>) -> Vec<Result<Response, Error>> {
        host::chat_many(&requests)
    }
}

impl Request {
    /// A request with these messages; every other field is left to the alias.
    #[must_use]
    pub fn new(messages: Vec<Message>) -> Self {
        Self {
            model: None,
            messages,
            format: Format::Text,
            for_event: None,
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

    /// Sets the alias of the model to ask.
    #[must_use]
    pub fn model(mut self, alias: &str) -> Self {
        self.model = Some(alias.into());
        self
    }

    /// Asks for an answer that fits this JSON Schema (2020-12).
    #[must_use]
    pub fn json_schema(mut self, name: &str, schema_json: impl Into<String>) -> Self {
        self.format =
            Format::JsonSchema(Schema { name: name.into(), description: None, schema_json: schema_json.into() });
        self
    }
}

impl Message {
    /// A message with the operator's instructions.
    #[must_use]
    pub fn system(text: impl Into<String>) -> Self {
        Self { role: Role::System, content: vec![Content::Text(text.into())] }
    }

    /// A message with the user's input.
    #[must_use]
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: Role::User, content: vec![Content::Text(text.into())] }
    }
}

impl From<Error> for StageError {
    /// Converts each case as `llm-types.error` documents it.
    fn from(error: Error) -> Self {
        match error {
            Error::RateLimited(busy) => Self::rate_limited("llm-rate-limited", busy.message, busy.retry_after),
            Error::BudgetExhausted(message) => Self::rate_limited("llm-budget-exhausted", message, None),
            Error::Unavailable(busy) => Self::retryable("llm-unavailable", busy.message, busy.retry_after),
            Error::Timeout(message) => Self::retryable("llm-timeout", message, None),
            Error::Cancelled => Self::retryable("llm-cancelled", "the host cancelled the call", None),
            Error::Misconfigured(message) => Self::rate_limited("llm-misconfigured", message, None),
            Error::Other(message) => Self::retryable("llm-failed", message, None),
            Error::ContextLengthExceeded(long) => Self::permanent("llm-context-length-exceeded", long.message),
            Error::ContentFiltered(message) => Self::permanent("llm-content-filtered", message),
            Error::InvalidOutput(bad) => Self::permanent("llm-invalid-output", bad.problems.join("; ")),
            Error::InvalidRequest(message) => Self::permanent("llm-invalid-request", message),
            Error::Denied(message) => Self::permanent("llm-denied", message),
        }
    }
}
