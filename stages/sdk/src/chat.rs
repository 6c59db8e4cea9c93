//! A question to a model, put together step by step.

use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::llm::{BadOutput, Content, Error, Format, Host, Media, Message, Model, Request, Response, Role, Schema};
use crate::{json, schema};

/// Begins a question to the model that the pipeline file calls by this alias.
///
/// ```
/// use gristmill_sdk::llm;
/// use gristmill_sdk::testing::Host;
/// use schemars::JsonSchema;
/// use serde::Deserialize;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Sentiment {
///     /// From -1 to 1.
///     score: f64,
/// }
///
/// let host = Host::script([r#"{"score": 0.5}"#]);
/// let answer = host.run(|| {
///     llm::chat("smart").system("How friendly is this text?").user("Hello!").json_schema::<Sentiment>().ask()
/// });
/// assert_eq!(answer.unwrap().score, 0.5);
/// assert_eq!(host.requests()[0].text(llm::Role::User), "Hello!");
/// ```
#[must_use]
pub fn chat(alias: &str) -> Chat<Text> {
    Chat { request: Request::new(Vec::new()).model(alias), answer: PhantomData }
}

/// A question whose answer is read as `A`: [`Text`], or a type.
#[derive(Debug, Clone)]
pub struct Chat<A> {
    request: Request,
    answer: PhantomData<fn() -> A>,
}

/// Answers that are free text.
#[derive(Debug, Clone, Copy)]
pub enum Text {}

/// How an answer is read.
pub trait Answer {
    /// What [`Chat::ask`] returns.
    type Value;

    /// Reads the model's text.
    ///
    /// # Errors
    /// [`Error::InvalidOutput`]: it does not fit the type.
    fn read(text: String) -> Result<Self::Value, Error>;
}

impl Answer for Text {
    type Value = String;

    fn read(text: String) -> Result<String, Error> {
        Ok(text)
    }
}

impl<T: DeserializeOwned> Answer for T {
    type Value = T;

    fn read(text: String) -> Result<T, Error> {
        serde_json::from_str(&text).map_err(|error| {
            let problems = vec![json::reason(&error)];
            Error::InvalidOutput(BadOutput { text, problems })
        })
    }
}

impl<A: Answer> Chat<A> {
    /// Adds instructions. No data: what a document says must not act as an instruction.
    #[must_use]
    pub fn system(mut self, text: impl Into<String>) -> Self {
        self.request.messages.push(Message::system(text));
        self
    }

    /// Adds a message with data, or a task.
    #[must_use]
    pub fn user(mut self, text: impl Into<String>) -> Self {
        self.request.messages.push(Message::user(text));
        self
    }

    /// Adds an earlier answer of the model.
    #[must_use]
    pub fn assistant(mut self, text: impl Into<String>) -> Self {
        let content = vec![Content::Text(text.into())];
        self.request.messages.push(Message { role: Role::Assistant, content });
        self
    }

    /// Adds an image or another medium as a user message.
    #[must_use]
    pub fn media(mut self, media_type: &str, data: impl Into<Vec<u8>>) -> Self {
        let content = vec![Content::Media(Media { media_type: media_type.into(), data: data.into() })];
        self.request.messages.push(Message { role: Role::User, content });
        self
    }

    /// Asks for an answer that fits this type. The host checks it against the type's JSON Schema, and asks again with the faults
    /// named, as often as `reask` of the alias says.
    #[must_use]
    pub fn json_schema<T: JsonSchema + DeserializeOwned>(mut self) -> Chat<T> {
        let legal = |char: char| if char.is_ascii_alphanumeric() || char == '-' { char } else { '_' };
        let name = T::schema_name().chars().take(64).map(legal).collect();
        self.request.format = Format::JsonSchema(Schema { name, description: None, schema_json: schema::of::<T>() });
        Chat { request: self.request, answer: PhantomData }
    }

    /// Sets the temperature; without it the alias decides.
    #[must_use]
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.request.temperature = Some(temperature);
        self
    }

    /// Sets the most tokens of the answer. An answer that is cut off is incomplete: look at
    /// [`Response::finish_reason`].
    #[must_use]
    pub fn max_output_tokens(mut self, tokens: u32) -> Self {
        self.request.max_output_tokens = Some(tokens);
        self
    }

    /// Sets the item that the question is for. Needed only in a [`Stage::process_batch`](crate::Stage::process_batch) of
    /// your own.
    #[must_use]
    pub fn for_item(mut self, id: &str) -> Self {
        self.request.for_item = Some(id.into());
        self
    }

    /// Asks, and returns the answer.
    ///
    /// # Errors
    /// Why there is none. The host has already retried: return the error with `?`.
    pub fn ask(self) -> Result<A::Value, Error> {
        A::read(self.ask_in_full()?.text)
    }

    /// Asks, and returns all that is known of the answer: its text, how it ended, what it took.
    ///
    /// # Errors
    /// As [`Chat::ask`].
    pub fn ask_in_full(self) -> Result<Response, Error> {
        Host.chat(self.request)
    }

    /// The request, to set what has no method here or to ask several at once.
    #[must_use]
    pub fn into_request(self) -> Request {
        self.request
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::testing;

    #[derive(Debug, Deserialize, JsonSchema)]
    struct Place {
        city: String,
    }

    fn where_is() -> Chat<Place> {
        chat("smart").system("Where?").user("the Reichstag").json_schema()
    }

    #[test]
    fn a_question_is_asked_as_it_was_put_together() {
        let host = testing::Host::script([r#"{"city": "Berlin"}"#]);
        let place = host.run(|| where_is().temperature(0.5).ask()).unwrap();
        assert_eq!(place.city, "Berlin");
        let asked = &host.requests()[0];
        assert_eq!((asked.model.as_deref(), asked.temperature), (Some("smart"), Some(0.5)));
        assert_eq!((asked.text(Role::System).as_str(), asked.text(Role::User).as_str()), ("Where?", "the Reichstag"));
        let Format::JsonSchema(schema) = &asked.format else { panic!("not by schema: {asked:?}") };
        assert_eq!(schema.name, "Place");
        assert!(schema.schema_json.contains(r#""required":["city"]"#), "{}", schema.schema_json);
    }

    #[test]
    fn an_answer_that_does_not_fit_is_named_as_such() {
        let host = testing::Host::script([r#"{"town": "Berlin"}"#]);
        let error = host.run(|| where_is().ask()).unwrap_err();
        assert!(
            matches!(&error, Error::InvalidOutput(bad) if bad.problems[0].ends_with("missing field `city`")),
            "{error:?}"
        );
    }
}
