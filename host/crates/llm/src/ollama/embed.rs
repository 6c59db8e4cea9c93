//! Ollama's `/api/embed`: how a request becomes a body, and a reply vectors. Pure.

use gristmill_core::model::{ChatFailure, EmbedRequest, Usage};
use serde_json::{Value, json};

use super::decode::{Asked, refusal};
use super::encode::Size;
use crate::answered::Unanswered;
use crate::embedding::{EmbedApi, Made, vectors};
use crate::parts::Bounds;
use crate::quote::Quote;
use crate::server::Reply;

/// What one request may hold. Ollama sets no bound; these let a request on a laptop end within the time of a target.
pub(super) const BOUNDS: Bounds = Bounds { inputs: 32, tokens: 16_384, input_tokens: None };

/// Ollama's embeddings, as one target speaks them.
pub(super) struct Embeddings {
    pub(super) model: String,
    pub(super) context: u32,
}

impl EmbedApi for Embeddings {
    fn encode(&self, request: &EmbedRequest) -> Result<Value, ChatFailure> {
        let inputs: Vec<&str> = request.inputs.iter().map(|text| &**text).collect();
        // Without `truncate` it cuts what does not fit, and does not say so.
        let mut body = json!({
            "model": self.model, "input": inputs, "truncate": false, "options": {"num_ctx": self.context},
        });
        if let Some(dimensions) = request.dimensions {
            body["dimensions"] = json!(dimensions);
        }
        Ok(body)
    }

    fn decode(&self, target: &str, reply: &Reply, quote: &Quote<'_>) -> Result<Made, Unanswered> {
        let body = reply.json();
        let error = &body["error"];
        if !reply.status.is_success() || error.is_string() {
            let size = Size::of(quote.request);
            let asked = Asked { target, model: &self.model, context: self.context, size };
            return Err(refusal(&asked, reply, error, quote).into());
        }
        let Some(data) = body["embeddings"].as_array() else { return Err(reply.no_answer(target, quote).into()) };
        let usage = Usage { input_tokens: body["prompt_eval_count"].as_u64(), ..Usage::default() };
        Ok(Made { vectors: vectors(data.iter())?, usage })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_does_not_fit_is_not_to_be_cut() {
        let request = EmbedRequest { dimensions: Some(256), ..EmbedRequest::new(vec!["one".into()]) };
        let body = Embeddings { model: "m".into(), context: 8_192 }.encode(&request).unwrap();
        let expected = json!({
            "model": "m", "input": ["one"], "truncate": false, "options": {"num_ctx": 8192}, "dimensions": 256,
        });
        assert_eq!(body, expected);
    }
}
