//! Puts the lines of a chat together. Pure.

use serde_json::Value;

use crate::stream::{Gather, Taken};

/// A chat so far. Each line has the next part of the message, and the last one all counts.
#[derive(Default)]
pub(super) struct Chat {
    text: String,
    last: Option<Value>,
}

impl Gather for Chat {
    fn add(&mut self, data: &str) -> Taken {
        let Ok(line) = serde_json::from_str::<Value>(data) else { return Taken::Unreadable };
        if line["error"].is_string() {
            self.last = Some(line);
            return Taken::Last;
        }
        if !line["message"].is_object() {
            return Taken::Unreadable;
        }
        // What the model thinks is in a field of its own, and not kept.
        self.text.push_str(line["message"]["content"].as_str().unwrap_or_default());
        if line["done"] != true {
            return Taken::Part;
        }
        self.last = Some(line);
        Taken::Last
    }

    fn size(&self) -> usize {
        self.text.len()
    }

    fn whole(&mut self) -> Option<Value> {
        let mut last = self.last.take()?;
        if let Some(content) = last.pointer_mut("/message/content") {
            *content = std::mem::take(&mut self.text).into();
        } else if let Some(Value::Object(message)) = last.get_mut("message") {
            message.insert("content".into(), std::mem::take(&mut self.text).into());
        }
        Some(last)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn gathered(lines: &[Value]) -> (Option<Value>, Taken) {
        let mut chat = Chat::default();
        let mut taken = Taken::Part;
        for line in lines {
            taken = chat.add(&line.to_string());
        }
        (chat.whole(), taken)
    }

    fn part(text: &str) -> Value {
        json!({"model": "m", "message": {"role": "assistant", "content": text}, "done": false})
    }

    #[test]
    fn the_pieces_make_one_answer() {
        let thought = json!({"message": {"role": "assistant", "content": "", "thinking": "Hm."}, "done": false});
        for message in [json!({"role": "assistant", "content": ""}), json!({"role": "assistant"})] {
            let end = json!({"message": message, "done": true, "done_reason": "stop", "eval_count": 5});
            let (whole, taken) = gathered(&[thought.clone(), part("hel"), part("lo"), end]);
            let whole = whole.unwrap();
            assert_eq!((&whole["message"]["content"], &whole["eval_count"]), (&json!("hello"), &json!(5)));
            assert_eq!((&whole["done_reason"], taken), (&json!("stop"), Taken::Last));
            assert!(!whole.to_string().contains("Hm."));
        }
    }

    #[test]
    fn an_error_in_the_stream_is_the_answer_and_a_stream_without_its_end_is_none() {
        let error = json!({"error": "an error was encountered while running the model"});
        assert_eq!(gathered(&[part("half"), error.clone()]), (Some(error), Taken::Last));
        assert_eq!(gathered(&[part("half")]), (None, Taken::Part));
        assert_eq!(Chat::default().add("{\"message\""), Taken::Unreadable);
        assert_eq!(Chat::default().add("{}"), Taken::Unreadable);
    }
}
