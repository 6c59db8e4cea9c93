//! Puts the event stream of a response together. Pure.

use serde_json::{Map, Value, json};

use crate::stream::{Gather, Taken};

/// A response so far. Each event is a response with the next part of the answer.
#[derive(Default)]
pub(super) struct Response {
    /// All but the candidates, as the last event has them.
    fields: Map<String, Value>,
    /// Whether there was a candidate.
    begun: bool,
    /// The answer, without what the model thinks.
    text: String,
    finish_reason: Value,
    error: Option<Value>,
}

impl Gather for Response {
    fn add(&mut self, data: &str) -> Taken {
        let Ok(event) = serde_json::from_str::<Value>(data) else { return Taken::Unreadable };
        // Some errors come as a list of one.
        let event = match event {
            Value::Array(mut all) if all.len() == 1 => all.remove(0),
            event => event,
        };
        if event["error"].is_object() {
            self.error = Some(event);
            return Taken::Last;
        }
        self.take(&event);
        if self.is_whole() { Taken::Whole } else { Taken::Part }
    }

    fn size(&self) -> usize {
        self.text.len()
    }

    fn whole(&mut self) -> Option<Value> {
        if let Some(error) = self.error.take() {
            return Some(error);
        }
        if !self.is_whole() {
            return None;
        }
        let mut body = std::mem::take(&mut self.fields);
        if self.begun {
            let content = json!({"role": "model", "parts": [{"text": self.text}]});
            body.insert("candidates".into(), json!([{"content": content, "finishReason": self.finish_reason}]));
        }
        Some(body.into())
    }
}

impl Response {
    /// A prompt that was refused has no candidate.
    fn is_whole(&self) -> bool {
        let refused = self.fields.get("promptFeedback").is_some_and(|feedback| feedback["blockReason"].is_string());
        !self.finish_reason.is_null() || refused
    }

    fn take(&mut self, event: &Value) {
        for name in ["modelVersion", "promptFeedback", "responseId", "usageMetadata"] {
            if let Some(value) = event.get(name).filter(|value| !value.is_null()) {
                self.fields.insert(name.into(), value.clone());
            }
        }
        let candidates = event["candidates"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(candidate) = candidates.iter().find(|candidate| candidate["index"].as_u64().unwrap_or(0) == 0) else {
            return;
        };
        self.begun = true;
        let parts = candidate["content"]["parts"].as_array().into_iter().flatten();
        self.text.extend(parts.filter(|part| part["thought"] != true).filter_map(|part| part["text"].as_str()));
        if let Some(reason) = candidate.get("finishReason").filter(|reason| !reason.is_null()) {
            self.finish_reason = reason.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(events: &[Value]) -> (Option<Value>, Taken) {
        let mut response = Response::default();
        let mut taken = Taken::Part;
        for event in events {
            taken = response.add(&event.to_string());
        }
        (response.whole(), taken)
    }

    fn part(text: &str, finish: Value) -> Value {
        let content = json!({"role": "model", "parts": [{"text": text}]});
        json!({
            "responseId": "r", "candidates": [{"content": content, "finishReason": finish, "index": 0}],
            "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": text.len()},
        })
    }

    #[test]
    fn the_pieces_make_one_answer_and_the_thinking_is_left_out() {
        let thought = json!({"candidates": [{"content": {"parts": [{"text": "Hm.", "thought": true}]}}]});
        let (whole, taken) = gathered(&[thought, part("hel", Value::Null), part("lo", json!("STOP"))]);
        let whole = whole.unwrap();
        assert_eq!(whole["candidates"][0]["content"]["parts"], json!([{"text": "hello"}]));
        assert_eq!((&whole["candidates"][0]["finishReason"], taken), (&json!("STOP"), Taken::Whole));
        assert_eq!((&whole["responseId"], &whole["usageMetadata"]["candidatesTokenCount"]), (&json!("r"), &json!(2)));
    }

    #[test]
    fn thinking_up_to_the_limit_is_an_empty_answer() {
        let (whole, _) =
            gathered(&[json!({"candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}]})]);
        let candidate = whole.unwrap()["candidates"][0].clone();
        assert_eq!(
            (&candidate["content"]["parts"][0]["text"], &candidate["finishReason"]),
            (&json!(""), &json!("MAX_TOKENS"))
        );
    }

    #[test]
    fn a_refused_prompt_and_an_error_are_the_answer() {
        let refused = json!({"promptFeedback": {"blockReason": "SAFETY"}});
        assert_eq!(gathered(std::slice::from_ref(&refused)), (Some(refused.clone()), Taken::Whole));
        let error = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}});
        assert_eq!(gathered(&[part("half", Value::Null), json!([error])]), (Some(error), Taken::Last));
    }

    #[test]
    fn a_stream_without_its_end_is_no_answer() {
        assert_eq!(gathered(&[part("half", Value::Null)]), (None, Taken::Part));
        assert_eq!(gathered(&[]).0, None);
        assert_eq!(Response::default().add("{\"candidates\": ["), Taken::Unreadable);
    }
}
