//! Puts together an answer that came as an event stream although none was asked for. Pure.

use serde_json::{Map, Value, json};

/// Fields of a message that come in pieces.
const PIECES: [&str; 4] = ["content", "refusal", "reasoning_content", "reasoning"];

/// How many calls are kept.
const MOST_CALLS: usize = 2;

/// Whether this is an event stream: JSON begins with nothing of the kind.
pub(super) fn is_stream(body: &str) -> bool {
    let body = body.trim_start();
    ["data:", "event:", "id:", "retry:", ":"].iter().any(|begin| body.starts_with(begin))
}

/// The answer that the stream would have been otherwise, or the error in it. `None` if it ends without its last event:
/// what came before is only a part of an answer.
pub(super) fn gather(body: &str) -> Option<Value> {
    let mut answer = Answer::default();
    // An event may spread its data over several lines; it ends with an empty one.
    let mut data = String::new();
    for line in body.lines().chain([""]) {
        if let Some(more) = line.strip_prefix("data:") {
            data.push_str(more);
            data.push('\n');
        } else if line.is_empty() && !data.trim().is_empty() {
            match data.trim() {
                "[DONE]" => answer.ended = true,
                chunk => {
                    let chunk: Value = serde_json::from_str(chunk).ok()?;
                    if chunk.get("error").is_some_and(|error| !error.is_null()) {
                        return Some(chunk);
                    }
                    answer.add(&chunk);
                }
            }
            data.clear();
        }
    }
    answer.whole()
}

#[derive(Default)]
struct Answer {
    fields: Map<String, Value>,
    message: Option<Map<String, Value>>,
    calls: Vec<Value>,
    finish_reason: Value,
    ended: bool,
}

impl Answer {
    fn add(&mut self, chunk: &Value) {
        for name in ["id", "usage"] {
            if let Some(value) = chunk.get(name).filter(|value| !value.is_null()) {
                self.fields.insert(name.into(), value.clone());
            }
        }
        let choices = chunk["choices"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(choice) = choices.iter().find(|choice| choice["index"].as_u64().unwrap_or(0) == 0) else { return };
        if let Some(reason) = choice.get("finish_reason").filter(|reason| !reason.is_null()) {
            self.finish_reason = reason.clone();
            self.ended = true;
        }
        // Some servers send the whole message as their only event.
        let Some(delta) = choice.get("delta").or_else(|| choice.get("message")).filter(|delta| delta.is_object())
        else {
            return;
        };
        let message = self.message.get_or_insert_default();
        for name in PIECES {
            match (message.get_mut(name), &delta[name]) {
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
                self.calls.push(piece.clone());
            }
            return;
        };
        if let Some(Value::String(text)) = call.pointer_mut("/function/arguments") {
            text.push_str(piece["function"]["arguments"].as_str().unwrap_or_default());
        }
    }

    fn whole(self) -> Option<Value> {
        if !self.ended {
            return None;
        }
        let mut body = self.fields;
        let choice = self.message.map(|mut message| {
            message.insert("tool_calls".into(), self.calls.into());
            json!({"message": message, "finish_reason": self.finish_reason})
        });
        body.insert("choices".into(), choice.into_iter().collect());
        Some(body.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(chunks: &[Value]) -> String {
        chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect()
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
        ];
        let body = format!(": keep-alive\r\n\r\n{}data: [DONE]\n\n", stream(&chunks));
        assert!(is_stream(&body));
        let answer = gather(&body).unwrap();
        let choice = &answer["choices"][0];
        assert_eq!((&choice["message"]["content"], &choice["finish_reason"]), (&json!("hello"), &json!("stop")));
        assert_eq!((&answer["usage"], &answer["id"]), (&usage, &json!("1")));
    }

    #[test]
    fn a_whole_message_calls_and_parts_are_put_together_too() {
        let whole = json!({"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]});
        assert_eq!(gather(&stream(&[whole])).unwrap()["choices"][0]["message"]["content"], "hello");
        let call = |function: Value| delta(json!({"tool_calls": [{"index": 0, "function": function}]}));
        let calls = [call(json!({"name": "f", "arguments": "{\"a\""})), call(json!({"arguments": ":1}"})), end()];
        let message = &gather(&stream(&calls)).unwrap()["choices"][0]["message"];
        assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{\"a\":1}");
        let part = |text: &str| delta(json!({"content": [{"type": "text", "text": text}]}));
        let message = &gather(&stream(&[part("a"), part("b"), end()])).unwrap()["choices"][0]["message"];
        assert_eq!(message["content"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn an_error_in_the_stream_is_the_answer() {
        let error = json!({"error": {"message": "no", "code": 429}});
        assert_eq!(gather(&stream(&[delta(json!({"content": "half"})), error.clone()])), Some(error));
    }

    #[test]
    fn a_stream_without_its_end_is_no_answer() {
        assert_eq!(gather(&stream(&[delta(json!({"content": "half"}))])), None);
        assert_eq!(gather("data: {\"choices\": [\n\n"), None);
        assert_eq!(gather(""), None);
        assert_eq!(gather("data: [DONE]\n").unwrap()["choices"], json!([]), "ended, without a choice");
    }

    #[test]
    fn json_is_no_stream() {
        for body in ["{\"data:\": 1}", " {}", "", "<html>", "\"data:\""] {
            assert!(!is_stream(body), "{body}");
        }
    }
}
