//! Gemini's `batchEmbedContents`: how a request becomes a body, and a reply vectors. Pure.

use gristmill_core::model::{ChatFailure, EmbedRequest, Purpose, Usage};
use serde_json::{Value, json};

use super::decode::{fault, only};
use crate::answered::Unanswered;
use crate::embedding::{EmbedApi, Made, vectors};
use crate::parts::Bounds;
use crate::quote::Quote;
use crate::server::Reply;

/// What one request may hold. The API cuts a longer text and does not say so.
pub(super) const BOUNDS: Bounds = Bounds { inputs: 100, tokens: 20_000, input_tokens: Some(2_048) };

/// Gemini's embeddings, as one target speaks them.
pub(super) struct Embeddings {
    pub(super) model: String,
}

impl EmbedApi for Embeddings {
    fn encode(&self, request: &EmbedRequest) -> Result<Value, ChatFailure> {
        let model = format!("models/{}", self.model);
        let one = |text: &str| {
            // Each in a content of its own: newer models make one vector of all parts of a content.
            let mut one = json!({"model": model, "content": {"parts": [{"text": text}]}});
            match request.purpose {
                Purpose::Unspecified => {}
                Purpose::Document => one["taskType"] = json!("RETRIEVAL_DOCUMENT"),
                Purpose::Query => one["taskType"] = json!("RETRIEVAL_QUERY"),
            }
            if let Some(dimensions) = request.dimensions {
                one["outputDimensionality"] = json!(dimensions);
            }
            one
        };
        let requests: Vec<Value> = request.inputs.iter().map(|text| one(text)).collect();
        Ok(json!({ "requests": requests }))
    }

    fn decode(&self, target: &str, reply: &Reply, quote: &Quote<'_>) -> Result<Made, Unanswered> {
        let body = reply.json();
        let body = only(&body);
        if let Some(failure) = fault(target, reply, body, quote) {
            return Err(failure.into());
        }
        let Some(data) = body["embeddings"].as_array() else { return Err(reply.no_answer(target, quote).into()) };
        let vectors = vectors(data.iter().map(|entry| &entry["values"]))?;
        let usage = Usage { input_tokens: body["usageMetadata"]["promptTokenCount"].as_u64(), ..Usage::default() };
        Ok(Made { vectors, usage })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_a_request_of_its_own() {
        let request = EmbedRequest::new(vec!["one".into(), "two".into()]);
        let api = Embeddings { model: "m".into() };
        let one = |text: &str| json!({"model": "models/m", "content": {"parts": [{"text": text}]}});
        assert_eq!(api.encode(&request).unwrap(), json!({"requests": [one("one"), one("two")]}));
        let query = EmbedRequest { purpose: Purpose::Query, dimensions: Some(768), ..request };
        let body = api.encode(&query).unwrap();
        assert_eq!(body["requests"][1]["taskType"], "RETRIEVAL_QUERY");
        assert_eq!(body["requests"][1]["outputDimensionality"], 768);
    }
}
