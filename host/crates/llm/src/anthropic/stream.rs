//! Puts the event stream of a message together. Pure.

use serde_json::{Map, Value, json};

use crate::stream::{Gather, Taken};

/// How many blocks a message may have; those behind are left out. There is one for the answer, and one for thinking.
const MOST_BLOCKS: usize = 64;

/// A message so far.
#[derive(Default)]
pub(super) struct Message {
    id: Value,
    model: Value,
    blocks: Vec<Block>,
    stop_reason: Value,
    usage: Map<String, Value>,
    error: Option<Value>,
    ended: bool,
    size: usize,
}

/// A part of the content. What the model thinks is not kept.
struct Block {
    start: Value,
    text: String,
    /// The input of a tool, as JSON in pieces.
    input: String,
}

impl Gather for Message {
    fn add(&mut self, data: &str) -> Taken {
        let Ok(event) = serde_json::from_str::<Value>(data) else { return Taken::Unreadable };
        match event["type"].as_str() {
            Some("message_start") => {
                self.id = event["message"]["id"].clone();
                self.model = event["message"]["model"].clone();
                self.count(&event["message"]["usage"]);
            }
            Some("content_block_start") if self.blocks.len() < MOST_BLOCKS => {
                let start = &event["content_block"];
                let text = start["text"].as_str().unwrap_or_default().to_owned();
                self.size += text.len();
                let kept = json!({"type": start["type"], "name": start["name"]});
                self.blocks.push(Block { start: kept, text, input: String::new() });
            }
            Some("content_block_delta") => self.extend(&event),
            Some("message_delta") => {
                self.stop_reason = event["delta"]["stop_reason"].clone();
                self.count(&event["usage"]);
            }
            Some("message_stop") => {
                self.ended = true;
                return Taken::Last;
            }
            Some("error") => {
                self.error = Some(event);
                return Taken::Last;
            }
            // `ping`, and what later versions add.
            Some(_) => {}
            // A whole message as the only event, as proxies have it.
            None => return Taken::Unreadable,
        }
        Taken::Part
    }

    fn size(&self) -> usize {
        self.size
    }

    fn whole(&mut self) -> Option<Value> {
        if let Some(error) = self.error.take() {
            return Some(error);
        }
        if !self.ended {
            return None;
        }
        let content: Vec<Value> = std::mem::take(&mut self.blocks).into_iter().map(Block::whole).collect();
        let usage = std::mem::take(&mut self.usage);
        Some(json!({
            "type": "message", "id": self.id, "model": self.model, "content": content, "stop_reason": self.stop_reason,
            "usage": usage,
        }))
    }
}

impl Message {
    /// Later counts replace earlier ones: they are sums.
    fn count(&mut self, usage: &Value) {
        for (name, count) in usage.as_object().into_iter().flatten() {
            if !count.is_null() {
                self.usage.insert(name.clone(), count.clone());
            }
        }
    }

    fn extend(&mut self, event: &Value) {
        let index = event["index"].as_u64().and_then(|index| usize::try_from(index).ok());
        let Some(block) = index.and_then(|index| self.blocks.get_mut(index)) else { return };
        let delta = &event["delta"];
        let text = delta["text"].as_str().unwrap_or_default();
        let input = delta["partial_json"].as_str().unwrap_or_default();
        self.size += text.len() + input.len();
        block.text.push_str(text);
        block.input.push_str(input);
    }
}

impl Block {
    fn whole(self) -> Value {
        let mut block = self.start;
        if block["type"] == "tool_use" {
            block["input"] = match self.input.as_str() {
                "" => json!({}),
                // What was cut off is no document.
                text => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
            };
        } else if block["type"] == "text" {
            block["text"] = json!(self.text);
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(events: &[Value]) -> (Option<Value>, Taken) {
        let mut message = Message::default();
        let mut taken = Taken::Part;
        for event in events {
            taken = message.add(&event.to_string());
        }
        (message.whole(), taken)
    }

    fn start() -> Value {
        let usage = json!({"input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 1});
        json!({"type": "message_start", "message": {"id": "msg_1", "model": "m-1", "content": [], "usage": usage}})
    }

    fn block(index: u64, block: Value) -> Value {
        json!({"type": "content_block_start", "index": index, "content_block": block})
    }

    fn delta(index: u64, delta: Value) -> Value {
        json!({"type": "content_block_delta", "index": index, "delta": delta})
    }

    fn end(reason: &str) -> [Value; 2] {
        let usage = json!({"output_tokens": 5});
        [
            json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}),
            json!({"type": "message_stop"}),
        ]
    }

    #[test]
    fn the_pieces_make_one_answer_and_the_thinking_is_left_out() {
        let mut events = vec![
            start(),
            block(0, json!({"type": "thinking", "thinking": ""})),
            json!({"type": "ping"}),
            delta(0, json!({"type": "thinking_delta", "thinking": "Hm."})),
            delta(0, json!({"type": "signature_delta", "signature": "x"})),
            json!({"type": "content_block_stop", "index": 0}),
            block(1, json!({"type": "text", "text": ""})),
            delta(1, json!({"type": "text_delta", "text": "hel"})),
            delta(1, json!({"type": "text_delta", "text": "lo"})),
        ];
        events.extend(end("end_turn"));
        let (whole, taken) = gathered(&events);
        let whole = whole.unwrap();
        assert_eq!((&whole["content"][1]["text"], &whole["stop_reason"]), (&json!("hello"), &json!("end_turn")));
        assert_eq!((&whole["id"], &whole["model"], taken), (&json!("msg_1"), &json!("m-1"), Taken::Last));
        let counts = json!({"input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 5});
        assert_eq!(whole["usage"], counts);
        assert!(!whole.to_string().contains("Hm."), "{whole}");
    }

    #[test]
    fn the_input_of_a_tool_is_put_together_and_one_that_was_cut_off_stays_text() {
        let tool = || block(0, json!({"type": "tool_use", "id": "t", "name": "answer", "input": {}}));
        let piece = |json: &str| delta(0, json!({"type": "input_json_delta", "partial_json": json}));
        let mut events = vec![start(), tool(), piece(""), piece("{\"n\":"), piece("1}")];
        events.extend(end("tool_use"));
        assert_eq!(gathered(&events).0.unwrap()["content"][0]["input"], json!({"n": 1}));
        let mut events = vec![start(), tool(), piece("{\"n\":")];
        events.extend(end("max_tokens"));
        assert_eq!(gathered(&events).0.unwrap()["content"][0]["input"], json!("{\"n\":"));
        let mut events = vec![start(), tool()];
        events.extend(end("tool_use"));
        assert_eq!(gathered(&events).0.unwrap()["content"][0]["input"], json!({}));
    }

    #[test]
    fn an_error_in_the_stream_is_the_answer_and_a_stream_without_its_end_is_none() {
        let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
        assert_eq!(gathered(&[start(), error.clone()]), (Some(error), Taken::Last));
        let text = [start(), block(0, json!({"type": "text", "text": "half"}))];
        assert_eq!(gathered(&text), (None, Taken::Part));
        let [counts, _] = end("end_turn");
        assert_eq!(gathered(&[start(), counts]).0, None, "only `message_stop` ends it");
        assert_eq!(Message::default().add("{\"type\": "), Taken::Unreadable);
        assert_eq!(Message::default().add("{}"), Taken::Unreadable);
    }
}
