//! Calls to language models through the host: a stage names an alias and never sees a key. Needs the grant "llm".

use std::cell::RefCell;

use crate::StageError;
use crate::bindings::gristmill::stage::llm as host;
pub use crate::bindings::gristmill::stage::llm::{
    Content, FinishReason, Format, Media, Merge, MergeScope, Message, Request, Response, Role, Schema,
};
pub use crate::bindings::gristmill::stage::llm_types::{BadOutput, Budget, BudgetScope, Busy, Error, TooLong, Usage};

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

    /// Like [`Model::chat_many`], for requests that may share a call with others that have equal instructions, also of other
    /// calls of the stage. Needs a host of version 0.2.1 of the contract.
    fn chat_merged(&self, requests: Vec<Request>, merge: Merge) -> Vec<Result<Response, Error>> {
        let _ = merge;
        self.chat_many(requests)
    }
}

thread_local! {
    /// The item that a stage handles, if it got several in one call.
    static ITEM: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`, in which requests that name no item are for this one.
pub(crate) fn asking_for<T>(item: &str, work: impl FnOnce() -> T) -> T {
    let before = ITEM.replace(Some(item.to_owned()));
    let done = work();
    ITEM.set(before);
    done
}

/// The item that a request without one is for.
pub(crate) fn current_item() -> Option<String> {
    ITEM.with_borrow(Clone::clone)
}

/// The host's models.
#[derive(Debug, Clone, Copy, Default)]
pub struct Host;

impl Model for Host {
    fn chat(&self, request: Request) -> Result<Response, Error> {
        host::chat(&request.for_current())
    }

    fn chat_many(&self, requests: Vec<Request>) -> Vec<Result<Response, Error>> {
        let requests: Vec<_> = requests.into_iter().map(Request::for_current).collect();
        host::chat_many(&requests)
    }

    fn chat_merged(&self, requests: Vec<Request>, merge: Merge) -> Vec<Result<Response, Error>> {
        let requests: Vec<_> = requests.into_iter().map(Request::for_current).collect();
        host::chat_merged(&requests, merge)
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
            for_item: None,
            temperature: None,
            top_p: None,
            max_output_tokens: None,
            stop: Vec::new(),
            seed: None,
            idempotency_key: None,
            timeout: None,
            options: Vec::new(),
        }
    }

    /// Sets the alias of the model to ask.
    #[must_use]
    pub fn model(mut self, alias: &str) -> Self {
        self.model = Some(alias.into());
        self
    }

    /// Sets the item that the request is for. Needed only in a [`Stage::process_batch`](crate::Stage::process_batch) of
    /// your own.
    #[must_use]
    pub fn for_item(mut self, id: &str) -> Self {
        self.for_item = Some(id.into());
        self
    }

    fn for_current(mut self) -> Self {
        self.for_item = self.for_item.or_else(current_item);
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
            Error::BudgetExhausted(Budget { scope: BudgetScope::Job, message }) => {
                Self::permanent("llm-budget-exhausted", message)
            }
            Error::BudgetExhausted(Budget { message, .. }) => Self::rate_limited("llm-budget-exhausted", message, None),
            Error::Unavailable(busy) => Self::retryable("llm-unavailable", busy.message, busy.retry_after),
            Error::Timeout(message) => Self::retryable("llm-timeout", message, None),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_budget_of_the_job_is_the_items_own() {
        for (scope, pauses) in [
            (BudgetScope::Job, false),
            (BudgetScope::Stage, true),
            (BudgetScope::Pipeline, true),
            (BudgetScope::Day, true),
            (BudgetScope::Account, true),
        ] {
            let error: StageError = Error::BudgetExhausted(Budget { scope, message: String::new() }).into();
            assert_eq!(matches!(error, StageError::RateLimited(_)), pauses, "{scope:?}");
            assert_eq!(matches!(error, StageError::Permanent(_)), !pauses, "{scope:?}");
        }
    }

    #[test]
    fn a_request_that_names_no_item_is_for_the_one_in_hand() {
        let request = || Request::new(vec![Message::user("hello")]);
        assert_eq!(request().for_current().for_item, None);
        asking_for("a", || {
            asking_for("b", || assert_eq!(request().for_current().for_item.as_deref(), Some("b")));
            assert_eq!(request().for_current().for_item.as_deref(), Some("a"));
            assert_eq!(request().for_item("c").for_current().for_item.as_deref(), Some("c"));
        });
        assert_eq!(request().for_current().for_item, None);
    }
}
