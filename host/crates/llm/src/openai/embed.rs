//! OpenAI's embeddings: how a request becomes a body, and a reply vectors. Pure.

use gristmill_core::model::{ChatFailure, EmbedRequest, Usage};
use serde_json::{Map, Value, json};

use super::fault::Fault;
use crate::answered::Unanswered;
use crate::embedding::{EmbedApi, Made, unusable, vectors};
use crate::parts::Bounds;
use crate::quote::Quote;
use crate::server::Reply;

/// OpenAI's own and Azure's.
const THEIRS: Bounds = Bounds { inputs: 2_048, tokens: 300_000, input_tokens: None };
/// Of others: what all take that are widely used, except for those that take 10 texts.
const OTHERS: Bounds = Bounds { inputs: 32, tokens: 16_384, input_tokens: None };

/// How llama.cpp says, with 500, that a text is too long.
const TOO_LONG_WORDS: &str = "too large to process";

/// How a server writes vectors unless it is told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// In base64 if asked: a fifth of the bytes of numbers.
    Base64,
    /// As numbers. Not every server knows another form.
    Numbers,
}

impl Written {
    /// What one request may hold.
    pub(super) fn bounds(self) -> Bounds {
        match self {
            Self::Base64 => THEIRS,
            Self::Numbers => OTHERS,
        }
    }
}

/// OpenAI's embeddings, as one target speaks them.
pub(super) struct Embeddings {
    pub(super) model: String,
    pub(super) written: Written,
}

impl EmbedApi for Embeddings {
    fn encode(&self, request: &EmbedRequest) -> Result<Value, ChatFailure> {
        let mut body = Map::new();
        body.insert("model".into(), json!(self.model));
        body.insert("input".into(), request.inputs.iter().map(|text| &**text).collect());
        if let Some(dimensions) = request.dimensions {
            body.insert("dimensions".into(), json!(dimensions));
        }
        if self.written == Written::Base64 {
            body.insert("encoding_format".into(), json!("base64"));
        }
        Ok(Value::Object(body))
    }

    fn decode(&self, target: &str, reply: &Reply, quote: &Quote<'_>) -> Result<Made, Unanswered> {
        let body = reply.json();
        if let Some(fault) = Fault::find(target, reply, &body, quote) {
            return Err(if speaks_of_length(&body) { too_long(target).into() } else { fault.decide() });
        }
        let Some(data) = body["data"].as_array() else { return Err(reply.no_answer(target, quote).into()) };
        let vectors = vectors(in_order(data)?.into_iter().map(|entry| &entry["embedding"]))?;
        let usage = Usage { input_tokens: body["usage"]["prompt_tokens"].as_u64(), ..Usage::default() };
        Ok(Made { vectors, usage })
    }
}

/// The entries by their index. Without one they are in the order of the texts.
fn in_order(data: &[Value]) -> Result<Vec<&Value>, ChatFailure> {
    if data.iter().all(|entry| entry["index"].is_null()) {
        return Ok(data.iter().collect());
    }
    let mut ordered = vec![None; data.len()];
    for entry in data {
        let index = entry["index"].as_u64().and_then(|index| usize::try_from(index).ok());
        match index.and_then(|index| ordered.get_mut(index)) {
            Some(place @ None) => *place = Some(entry),
            _ => return Err(unusable("vectors have an index twice, or one that no text has")),
        }
    }
    Ok(ordered.into_iter().flatten().collect())
}

fn speaks_of_length(body: &Value) -> bool {
    body["error"]["message"].as_str().is_some_and(|said| said.to_lowercase().contains(TOO_LONG_WORDS))
}

fn too_long(target: &str) -> ChatFailure {
    let message = format!("{target} cannot take a text of this length at once; raise its batch size, or send less");
    ChatFailure::ContextLengthExceeded { message, limit: None, actual: None }
}

#[cfg(test)]
mod tests {
    use gristmill_core::model::Vector;

    use super::*;

    #[test]
    fn a_request_names_its_model_and_has_every_text() {
        let request = EmbedRequest::new(vec!["one".into(), "two".into()]);
        let api = |written| Embeddings { model: "m".into(), written };
        let body = api(Written::Numbers).encode(&request).unwrap();
        assert_eq!(body, json!({"model": "m", "input": ["one", "two"]}));
        let short = EmbedRequest { dimensions: Some(256), ..request };
        let body = api(Written::Base64).encode(&short).unwrap();
        let expected = json!({"model": "m", "input": ["one", "two"], "dimensions": 256, "encoding_format": "base64"});
        assert_eq!(body, expected);
    }

    #[test]
    fn vectors_go_by_their_index() {
        let entry = |index: Value, number: f32| json!({"index": index, "embedding": [number]});
        let numbers = |data: &[Value]| -> Option<Vec<f32>> {
            let vectors = vectors(in_order(data).ok()?.into_iter().map(|entry| &entry["embedding"])).ok()?;
            Some(vectors.iter().flat_map(Vector::numbers).collect())
        };
        assert_eq!(numbers(&[entry(json!(1), 2.0), entry(json!(0), 1.0)]), Some(vec![1.0, 2.0]));
        assert_eq!(numbers(&[entry(json!(null), 2.0), entry(json!(null), 1.0)]), Some(vec![2.0, 1.0]));
        for twisted in [json!(0), json!(2), json!(null), json!("1")] {
            assert_eq!(numbers(&[entry(json!(0), 1.0), entry(twisted.clone(), 2.0)]), None, "{twisted}");
        }
    }
}
