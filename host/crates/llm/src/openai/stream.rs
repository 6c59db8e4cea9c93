//! Puts the event stream of a completion together. Pure.

use serde_json::{Map, Value, json};

use crate::stream::{Gather, Taken};

/// Fields of a message that come in pieces.
const PIECES: [&str; 4] = ["content", "refusal", "reasoning_content", "reasoning"];

/// How many calls are kept.
const MOST_CALLS: usize = 2;

/// A completion so far.
#[derive(Default)]
pub(super) struct Completion {
    fields: Map<String, Value>,
    message: Option<Map<String, Value>>,
    calls: Vec<Value>,
    finish_reason: Value,
    error: Option<Value>,
    /// Whether `[DONE]` was sent.
    done: bool,
    size: usize,
}

impl Gather for Completion {
    /// `[DONE]` alone does not end a message: servers that abandon one send it as well.
    fn add(&mut self, data: &str) -> Taken {
        if data == "[DONE]" {
            self.done = true;
            return if self.is_whole() { Taken::Last } else { Taken::Part };
        }
        let Ok(chunk) = serde_json::from_str::<Value>(data) else { return Taken::Unreadable };
        if chunk.get("error").is_some_and(|error| !error.is_null()) {
            self.error = Some(chunk);
            return Taken::Last;
        }
        self.take(&chunk);
        if self.is_whole() { Taken::Whole } else { Taken::Part }
    }

    fn size(&self) -> usize {
        self.size
    }

    fn whole(&mut self) -> Option<Value> {
        if let Some(error) = self.error.take() {
            return Some(error);
        }
        if !self.is_whole() {
            return None;
        }
        let mut body = std::mem::take(&mut self.fields);
        let calls = std::mem::take(&mut self.calls);
        let choice = self.message.take().map(|mut message| {
            message.insert("tool_calls".into(), calls.into());
            json!({"message": message, "finish_reason": self.finish_reason})
        });
        body.insert("choices".into(), choice.into_iter().collect());
        Some(body.into())
    }
}

impl Completion {
    fn is_whole(&self) -> bool {
        !self.finish_reason.is_null() || self.done && self.message.is_none()
    }

    fn take(&mut self, chunk: &Value) {
        for name in ["id", "model", "usage"] {
            if let Some(value) = chunk.get(name).filter(|value| !value.is_null()) {
                self.fields.insert(name.into(), value.clone());
            }
        }
        let choices = chunk["choices"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(choice) = choices.iter().find(|choice| choice["index"].as_u64().unwrap_or(0) == 0) else { return };
        if let Some(reason) = choice.get("finish_reason").filter(|reason| !reason.is_null()) {
            self.finish_reason = reason.clone();
        }
        if let Some(error) = choice.get("error").filter(|error| !error.is_null()) {
            self.error = Some(json!({ "error": error }));
        }
        // Some servers send the whole message as their only event.
        let Some(delta) = choice.get("delta").or_else(|| choice.get("message")).filter(|delta| delta.is_object())
        else {
            return;
        };
        let message = self.message.get_or_insert_default();
        for name in PIECES {
            let piece = &delta[name];
            self.size += size(piece);
            match (message.get_mut(name), piece) {
                (_, Value::Null) => {}
                (Some(Value::String(text)), Value::String(more)) => text.push_str(more),
                (Some(Value::Array(parts)), Value::Array(more)) => parts.extend(more.iter().cloned()),
                (_, piece) => {
                    message.insert(name.into(), piece.clone());
                }
            }
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            self.add_call(call);
        }
    }

    /// The first piece of a call has its name, and those after it more of its arguments. Of several calls none is used.
    fn add_call(&mut self, piece: &Value) {
        let index = &piece["index"];
        let earlier = self.calls.iter().position(|call| call["index"] == *index && !index.is_null());
        let Some(call) = earlier.and_then(|place| self.calls.get_mut(place)) else {
            if self.calls.len() < MOST_CALLS {
                self.size += size(piece);
                self.calls.push(piece.clone());
            }
            return;
        };
        if let Some(Value::String(text)) = call.pointer_mut("/function/arguments") {
            let more = piece["function"]["arguments"].as_str().unwrap_or_default();
            self.size += more.len();
            text.push_str(more);
        }
    }
}

/// About as many bytes as a piece takes.
fn size(piece: &Value) -> usize {
    match piece {
        Value::Null => 0,
        Value::String(text) => text.len(),
        other => other.to_string().len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the events make, and what the last one meant.
    fn gathered(events: &[Value]) -> (Option<Value>, Taken) {
        let mut completion = Completion::default();
        let mut taken = Taken::Part;
        for event in events {
            taken = match event {
                Value::String(text) => completion.add(text),
                event => completion.add(&event.to_string()),
            };
        }
        (completion.whole(), taken)
    }

    fn whole(events: &[Value]) -> Value {
        gathered(events).0.unwrap()
    }

    fn delta(delta: Value) -> Value {
        json!({"id": "1", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
    }

    fn end() -> Value {
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    }

    #[test]
    fn the_pieces_make_one_answer() {
        let usage = json!({"prompt_tokens": 3});
        let chunks = [
            delta(json!({"role": "assistant", "content": "hel"})),
            json!({"choices": [{"index": 1, "delta": {"content": "no"}}]}),
            delta(json!({"content": "lo", "reasoning_content": "hm"})),
            end(),
            json!({"choices": [], "usage": usage}),
            json!("[DONE]"),
        ];
        let (answer, taken) = gathered(&chunks);
        let answer = answer.unwrap();
        let choice = &answer["choices"][0];
        assert_eq!((&choice["message"]["content"], &choice["finish_reason"]), (&json!("hello"), &json!("stop")));
        assert_eq!((&answer["usage"], &answer["id"], taken), (&usage, &json!("1"), Taken::Last));
        assert_eq!(gathered(&chunks[..4]).1, Taken::Whole, "the counts may be missing");
    }

    #[test]
    fn a_whole_message_calls_and_parts_are_put_together_too() {
        let message = json!({"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]});
        assert_eq!(whole(&[message])["choices"][0]["message"]["content"], "hello");
        let call = |function: Value| delta(json!({"tool_calls": [{"index": 0, "function": function}]}));
        let calls = [call(json!({"name": "f", "arguments": "{\"a\""})), call(json!({"arguments": ":1}"})), end()];
        let message = &whole(&calls)["choices"][0]["message"];
        assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{\"a\":1}");
        let part = |text: &str| delta(json!({"content": [{"type": "text", "text": text}]}));
        let message = &whole(&[part("a"), part("b"), end()])["choices"][0]["message"];
        assert_eq!(message["content"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn an_error_in_the_stream_is_the_answer() {
        let error = json!({"error": {"message": "no", "code": 429}});
        let (answer, taken) = gathered(&[delta(json!({"content": "half"})), error.clone()]);
        assert_eq!((answer, taken), (Some(error.clone()), Taken::Last));
        let inside =
            json!({"choices": [{"delta": {"content": ""}, "finish_reason": "error", "error": error["error"]}]});
        assert_eq!(gathered(&[delta(json!({"content": "half"})), inside]).0, Some(error), "as OpenRouter has it");
    }

    #[test]
    fn a_stream_without_its_end_is_no_answer() {
        assert_eq!(gathered(&[delta(json!({"content": "half"}))]), (None, Taken::Part));
        let abandoned = [delta(json!({"content": "half"})), json!("[DONE]")];
        assert_eq!(gathered(&abandoned), (None, Taken::Part), "as llama-cpp-python does for the next request");
        assert_eq!(Completion::default().add("{\"choices\": ["), Taken::Unreadable);
        assert_eq!(gathered(&[]).0, None);
        assert_eq!(whole(&[json!("[DONE]")])["choices"], json!([]), "ended, without a choice");
    }

    #[test]
    fn only_what_is_kept_counts() {
        let mut completion = Completion::default();
        for _ in 0..100 {
            completion.add(&delta(json!({"content": "word"})).to_string());
        }
        assert_eq!(completion.size(), 400);
    }
}
