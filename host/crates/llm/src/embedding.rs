//! A target that makes vectors of texts over HTTP, and what is checked of every vector.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gristmill_core::model::{
    ChatFailure, ChatMessage, ChatRequest, EmbedRequest, EmbedResponse, NoVector, Role, Usage, Vector,
};
use gristmill_core::ports::Caller;
use serde_json::Value;

use crate::answered::{Answered, Unanswered};
use crate::parts::Bounds;
use crate::quote::Quote;
use crate::room::Room;
use crate::server::{Question, Reply, Server};
use crate::stream::{Framing, Gather, Gathering, Taken};

/// The largest body with vectors, in bytes: 2,048 of 3,072 dimensions in base64 fit.
pub(crate) const MAX_BYTES: usize = 40 << 20;

/// Makes vectors, and remembers nothing.
#[async_trait]
pub(crate) trait Embeds: Send + Sync {
    /// The model's name at its provider. Targets whose models have the same name make the same vectors.
    fn model(&self) -> &str;

    /// How much one request may hold.
    fn bounds(&self) -> Bounds;

    /// Makes the vectors of one request, within its `timeout` or the provider's own. A dropped call stops, but may have been
    /// paid for.
    async fn embed(&self, caller: &Caller, request: &EmbedRequest) -> Result<Answered<EmbedResponse>, Unanswered>;
}

/// The API of a server that makes vectors: how a request becomes a body, and a reply vectors. Pure.
pub(crate) trait EmbedApi: Send + Sync {
    /// The body of a request, or why it cannot be asked here.
    fn encode(&self, request: &EmbedRequest) -> Result<Value, ChatFailure>;

    /// The vectors in a reply; `target` names its sender in messages.
    fn decode(&self, target: &str, reply: &Reply, quote: &Quote<'_>) -> Result<Made, Unanswered>;
}

/// The vectors of a reply, in the order of the texts, as far as the server keeps to it.
#[derive(Debug, PartialEq)]
pub(crate) struct Made {
    pub(crate) vectors: Vec<Vector>,
    pub(crate) usage: Usage,
}

/// A server that makes vectors over HTTP. Asks once per call.
pub(crate) struct Embedder {
    pub(crate) server: Server,
    pub(crate) bounds: Bounds,
    pub(crate) api: Box<dyn EmbedApi>,
}

#[async_trait]
impl Embeds for Embedder {
    fn model(&self) -> &str {
        &self.server.reach().model
    }

    fn bounds(&self) -> Bounds {
        self.bounds
    }

    async fn embed(&self, caller: &Caller, request: &EmbedRequest) -> Result<Answered<EmbedResponse>, Unanswered> {
        let body = self.api.encode(request)?.to_string();
        let gathering = Gathering { framing: Framing::Events, gather: Box::new(NoStream) };
        let sent = self.server.sent().await;
        let question = Question { timeout: request.timeout, body, gathering };
        let reply = self.server.ask(caller, &sent, question).await?;
        let (target, prompt) = (self.server.name(), as_prompt(request));
        let quote = Quote { key: sent.secrets.as_ref(), request: &prompt };
        let made = self.api.decode(target, &reply, &quote);
        let made = made.map_err(|unanswered| self.server.unanswered(&reply, unanswered))?;
        let model = if caller.trace.is_sampled() { reply.model(&quote) } else { None };
        Ok(Answered { response: check(target, request, made)?, room: Room::read(&reply.headers), model })
    }
}

/// Vectors never come as a stream.
struct NoStream;

impl Gather for NoStream {
    fn add(&mut self, _: &str) -> Taken {
        Taken::Unreadable
    }

    fn size(&self) -> usize {
        0
    }

    fn whole(&mut self) -> Option<Value> {
        None
    }
}

/// The failure of a target that makes no vectors: all calls meet it, until the operator names another one.
pub(crate) fn no_vectors(target: &str) -> ChatFailure {
    ChatFailure::Misconfigured(format!(
        "{target} makes no vectors; give the alias a target of openai, gemini or ollama with an embedding model"
    ))
}

/// The texts as a prompt: what a server says is searched for them.
fn as_prompt(request: &EmbedRequest) -> ChatRequest {
    ChatRequest::new(request.inputs.iter().map(|text| ChatMessage::text(Role::User, &**text)).collect())
}

/// The failure of vectors that cannot be used. They were paid for.
pub(crate) fn unusable(problem: impl Into<String>) -> ChatFailure {
    ChatFailure::InvalidOutput { text: String::new(), problems: vec![problem.into()] }
}

/// A vector as JSON has it: a list of numbers, or their bytes in base64.
pub(crate) fn vector(value: &Value) -> Result<Vector, NoVector> {
    match value {
        Value::String(text) => Vector::from_bytes(BASE64.decode(text).map_err(|_| NoVector::CutOff)?.into()),
        Value::Array(numbers) => {
            // What is no number, as some servers write NaN, is none here either.
            #[allow(clippy::cast_possible_truncation, reason = "vectors have single precision")]
            let number = |value: &Value| value.as_f64().map_or(f32::NAN, |number| number as f32);
            Vector::new(&numbers.iter().map(number).collect::<Vec<_>>())
        }
        _ => Err(NoVector::Empty),
    }
}

/// All vectors of a list.
pub(crate) fn vectors<'v>(values: impl Iterator<Item = &'v Value>) -> Result<Vec<Vector>, ChatFailure> {
    let of = |(index, value)| {
        vector(value).map_err(|fault| unusable(format!("the vector of input {} is unusable: {fault}", index + 1)))
    };
    values.enumerate().map(of).collect()
}

/// The answer, if it is one vector for each text, all of the length that was asked for, and of the whole texts.
pub(crate) fn check(target: &str, request: &EmbedRequest, made: Made) -> Result<EmbedResponse, ChatFailure> {
    let Made { vectors, usage } = made;
    let (texts, got) = (request.inputs.len(), vectors.len());
    if texts != got {
        return Err(unusable(format!("{target} made {got} vectors of {texts} texts")));
    }
    let first = vectors.first().map_or(0, Vector::dimensions);
    if let Some(other) = vectors.iter().map(Vector::dimensions).find(|length| *length != first) {
        return Err(unusable(format!("{target} made vectors of {first} and of {other} dimensions")));
    }
    if let Some(asked) = request.dimensions.filter(|asked| usize::try_from(*asked) != Ok(first)) {
        return Err(ChatFailure::Misconfigured(format!(
            "{target} made vectors of {first} dimensions where {asked} were asked for; leave `dimensions` out, or use a \
             model that can shorten its vectors"
        )));
    }
    let least: u64 = request.inputs.iter().map(|text| words(text)).sum();
    // Some gateways tell 0 for what they do not count.
    if let Some(read) = usage.input_tokens.filter(|read| *read > 0 && *read < least) {
        let message = format!(
            "{target} read {read} tokens of texts with {least} words, so it cut them; cut them into smaller chunks, or \
             use a model that takes more"
        );
        return Err(ChatFailure::ContextLengthExceeded { message, limit: None, actual: None });
    }
    Ok(EmbedResponse { vectors, usage, model: target.to_owned(), cached: false })
}

/// The words of a text: no tokenizer makes one token of two.
fn words(text: &str) -> u64 {
    text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count() as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn vectors_come_as_numbers_or_as_their_bytes() {
        let expected = Vector::new(&[0.5, -2.0]).unwrap();
        let bytes = BASE64.encode(expected.as_bytes());
        assert_eq!(vector(&json!([0.5, -2])), Ok(expected.clone()));
        assert_eq!(vector(&json!(bytes)), Ok(expected));
        for (value, fault) in [
            (json!([]), NoVector::Empty),
            (json!(null), NoVector::Empty),
            (json!([0, 0.0]), NoVector::Zero),
            (json!([0.5, null]), NoVector::NotFinite),
            (json!([0.5, 1e300]), NoVector::NotFinite),
            (json!("AAA="), NoVector::CutOff),
            (json!("no base64"), NoVector::CutOff),
        ] {
            assert_eq!(vector(&value), Err(fault), "{value}");
        }
    }

    fn made(vectors: &[&[f32]], tokens: Option<u64>) -> Made {
        let vectors = vectors.iter().map(|numbers| Vector::new(numbers).unwrap()).collect();
        Made { vectors, usage: Usage { input_tokens: tokens, ..Usage::default() } }
    }

    #[test]
    fn what_is_not_one_whole_vector_for_each_text_is_no_answer() {
        let two = EmbedRequest::new(vec!["one two".into(), "three".into()]);
        let short = EmbedRequest { dimensions: Some(2), ..two.clone() };
        let good: &[&[f32]] = &[&[1.0, 2.0], &[3.0, 4.0]];
        for (request, made, expected) in [
            (&two, made(good, Some(3)), None),
            (&short, made(good, Some(0)), None),
            (&two, made(&good[..1], None), Some("invalid-output")),
            (&two, made(&[&[1.0, 2.0], &[3.0]], None), Some("invalid-output")),
            (&two, made(good, Some(2)), Some("context-length-exceeded")),
            (&short, made(&[&[1.0], &[2.0]], None), Some("misconfigured")),
        ] {
            let shown = format!("{made:?}");
            assert_eq!(check("t/m", request, made).err().map(|failure| failure.kind()), expected, "{shown}");
        }
    }
}
