//! Calls to language models through the host: a stage names an alias and never sees a key. Needs the grant "llm".

use std::cell::RefCell;

#[cfg(target_arch = "wasm32")]
use crate::bindings::gristmill::stage::llm as host;
pub use crate::bindings::gristmill::stage::llm::{
    Content, FinishReason, Format, Media, Merge, MergeScope, Message, Request, Response, Role, Schema,
};
pub use crate::bindings::gristmill::stage::llm_types::{BadOutput, Budget, BudgetScope, Busy, Error, TooLong, Usage};
pub use crate::chat::{Answer, Chat, Text, chat};
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::imports::llm as host;

/// Something that answers requests: [`Host`], or one of your own in unit tests.
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

    /// The text of all messages of this role, with an empty line between two of them.
    #[must_use]
    pub fn text(&self, role: Role) -> String {
        let messages = self.messages.iter().filter(|message| message.role == role);
        let texts = messages.flat_map(|message| &message.content).filter_map(|content| match content {
            Content::Text(text) => Some(text.as_str()),
            Content::Media(_) => None,
        });
        texts.collect::<Vec<_>>().join("\n\n")
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

#[cfg(test)]
mod tests {
    use super::*;

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
