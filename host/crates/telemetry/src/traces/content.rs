//! Prompts and answers, as OpenTelemetry's semantic conventions write them into the attributes of a span: JSON as text.

use gristmill_core::model::{ChatRequest, ChatResponse, Content, FinishReason, Role};
use gristmill_core::ports::Keys;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use serde_json::{Value, json};

use super::span::{count, text};

/// The longest attribute with contents, in bytes of its JSON.
pub(super) const LONGEST: usize = 16 << 10;
/// What the JSON around one part of a message takes at most, the mark of a cut and the words of a stage or server in it.
const FRAME: usize = 192;
/// The longest media type that is shown, in bytes.
const LONGEST_TYPE: usize = 64;
/// Behind a text that was cut.
const CUT: char = '…';

/// The messages of a call, and how many bytes they take.
pub(super) struct Messages {
    pub(super) attributes: Vec<KeyValue>,
    pub(super) size: usize,
}

impl Messages {
    /// Of a request and its answer, if there is one, without keys.
    pub(super) fn of(request: &ChatRequest, response: Option<&ChatResponse>, keys: Keys<'_>) -> Self {
        let (mut system, mut input, mut output) = (Room::new(keys), Room::new(keys), Room::new(keys));
        let (mut instructions, mut messages) = (Vec::new(), Vec::new());
        for message in &request.messages {
            match message.role {
                Role::System => instructions.extend(message.content.iter().filter_map(|part| system.part(part))),
                Role::User | Role::Assistant => {
                    let role = if message.role == Role::User { "user" } else { "assistant" };
                    let parts: Vec<Value> = message.content.iter().filter_map(|part| input.part(part)).collect();
                    if !parts.is_empty() {
                        messages.push(json!({"role": role, "parts": parts}));
                    }
                }
            }
        }
        let answer = response.and_then(|response| {
            let (parts, reason) = (output.text(&response.text)?, finish_reason(&response.finish_reason));
            Some(json!({"role": "assistant", "parts": [parts], "finish_reason": reason}))
        });
        let mut told = Self { attributes: Vec::new(), size: 0 };
        told.add("gen_ai.system_instructions", instructions);
        told.add("gen_ai.input.messages", messages);
        told.add("gen_ai.output.messages", answer.into_iter().collect());
        let cut = [system, input, output].iter().map(|room| room.cut).sum::<usize>();
        if cut > 0 {
            told.attributes.push(count("gristmill.content.cut_bytes", cut));
        }
        told
    }

    fn add(&mut self, key: &str, messages: Vec<Value>) {
        if !messages.is_empty() {
            let json = Value::Array(messages).to_string();
            self.size += json.len();
            self.attributes.push(text(key, json));
        }
    }
}

/// Why an answer ended, in the words of the conventions where they have one.
pub(super) fn finish_reason(reason: &FinishReason) -> &str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::Other(other) => other,
    }
}

/// What is left of an attribute's bytes.
struct Room<'k> {
    keys: Keys<'k>,
    left: usize,
    /// How many bytes found no room.
    cut: usize,
}

impl<'k> Room<'k> {
    fn new(keys: Keys<'k>) -> Self {
        Self { keys, left: LONGEST, cut: 0 }
    }

    /// A part of a message. `None` if there is no room for any of it.
    fn part(&mut self, part: &Content) -> Option<Value> {
        match part {
            Content::Text(text) => self.text(text),
            // What it shows is never sent, only what it is.
            Content::Media { media_type, data } => {
                let media_type = &media_type[..media_type.floor_char_boundary(LONGEST_TYPE)];
                let media_type = self.fit(media_type)?;
                let bytes = data.len();
                Some(json!({"type": "generic", "generic_type": "blob", "mime_type": media_type, "bytes": bytes}))
            }
        }
    }

    fn text(&mut self, text: &str) -> Option<Value> {
        let text = self.keys.hide(text);
        Some(json!({"type": "text", "content": self.fit(&text)?}))
    }

    /// As much of a text as there is room for, with a mark if that is not all of it.
    fn fit(&mut self, text: &str) -> Option<String> {
        let Some(mut left) = self.left.checked_sub(FRAME) else {
            self.cut += text.len();
            return None;
        };
        let mut end = text.len();
        for (at, character) in text.char_indices() {
            match left.checked_sub(in_json(character)) {
                Some(less) => left = less,
                None => {
                    end = at;
                    // What follows would have a gap before it.
                    left = 0;
                    break;
                }
            }
        }
        self.left = left;
        let mut kept = text[..end].to_owned();
        if end < text.len() {
            self.cut += text.len() - end;
            kept.push(CUT);
        }
        Some(kept)
    }
}

/// How many bytes a character takes in JSON.
fn in_json(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        control if control < ' ' => 6,
        other => other.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gristmill_core::model::{ChatMessage, Usage};
    use opentelemetry_proto::tonic::common::v1::any_value;
    use secrecy::SecretString;

    use super::*;

    fn response(text: &str) -> ChatResponse {
        ChatResponse {
            text: text.into(),
            finish_reason: FinishReason::Stop,
            usage: Usage::default(),
            model: "openai/m".into(),
            provider_request_id: None,
            cached: false,
        }
    }

    /// The text of an attribute.
    fn of<'m>(messages: &'m Messages, key: &str) -> Option<&'m str> {
        let pair = messages.attributes.iter().find(|pair| pair.key == key)?;
        match pair.value.as_ref()?.value.as_ref()? {
            any_value::Value::StringValue(text) => Some(text),
            other => panic!("{other:?}"),
        }
    }

    fn json(messages: &Messages, key: &str) -> Value {
        serde_json::from_str(of(messages, key).unwrap()).unwrap()
    }

    fn cut(messages: &Messages) -> Option<&any_value::Value> {
        let pair = messages.attributes.iter().find(|pair| pair.key == "gristmill.content.cut_bytes")?;
        pair.value.as_ref()?.value.as_ref()
    }

    #[test]
    fn messages_have_the_form_of_the_conventions() {
        let picture = Content::Media { media_type: "image/png".into(), data: Bytes::from_static(b"canary") };
        let request = ChatRequest::new(vec![
            ChatMessage::text(Role::System, "Be \"brief\"."),
            ChatMessage { role: Role::User, content: vec![Content::Text("What is it?".into()), picture] },
            ChatMessage::text(Role::Assistant, "A bird."),
            ChatMessage::text(Role::User, "Which one?"),
        ]);
        let messages = Messages::of(&request, Some(&response("A canary-bird.")), Keys::default());
        assert_eq!(
            json(&messages, "gen_ai.system_instructions"),
            json!([{"type": "text", "content": "Be \"brief\"."}])
        );
        assert_eq!(
            json(&messages, "gen_ai.input.messages"),
            json!([
                {"role": "user", "parts": [
                    {"type": "text", "content": "What is it?"},
                    {"type": "generic", "generic_type": "blob", "mime_type": "image/png", "bytes": 6},
                ]},
                {"role": "assistant", "parts": [{"type": "text", "content": "A bird."}]},
                {"role": "user", "parts": [{"type": "text", "content": "Which one?"}]},
            ])
        );
        assert_eq!(
            json(&messages, "gen_ai.output.messages"),
            json!([{"role": "assistant", "parts": [{"type": "text", "content": "A canary-bird."}], "finish_reason": "stop"}])
        );
        assert_eq!(cut(&messages), None);
        let sizes = messages.attributes.iter().filter_map(|pair| of(&messages, &pair.key)).map(str::len);
        assert_eq!(sizes.sum::<usize>(), messages.size);
    }

    #[test]
    fn without_an_answer_there_is_none() {
        let request = ChatRequest::new(vec![ChatMessage::text(Role::User, "hello")]);
        let messages = Messages::of(&request, None, Keys::default());
        assert!(of(&messages, "gen_ai.input.messages").is_some());
        assert_eq!(of(&messages, "gen_ai.output.messages"), None);
        assert_eq!(of(&messages, "gen_ai.system_instructions"), None);
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters_and_marked() {
        for one in ["a", "ä", "\u{1}", "\n", "\"", "🐦"] {
            let long = one.repeat(LONGEST);
            let user = || ChatMessage::text(Role::User, long.clone());
            let request = ChatRequest::new(vec![ChatMessage::text(Role::System, long.clone()), user(), user()]);
            let messages = Messages::of(&request, Some(&response(&long)), Keys::default());
            let mut shown = 0;
            for key in ["gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages"] {
                let size = of(&messages, key).unwrap().len();
                assert!((LONGEST - 2 * FRAME..=LONGEST).contains(&size), "{key} of {one:?} has {size} bytes");
                let told = json(&messages, key);
                let part = told[0].get("parts").map_or(&told[0], |parts| &parts[0]);
                let content = part["content"].as_str().unwrap();
                assert!(content.ends_with(CUT), "{key} of {one:?}");
                shown += content.len() - CUT.len_utf8();
            }
            assert_eq!(json(&messages, "gen_ai.input.messages").as_array().unwrap().len(), 1, "no gaps");
            let missing = i64::try_from(4 * long.len() - shown).unwrap();
            assert_eq!(cut(&messages), Some(&any_value::Value::IntValue(missing)));
        }
    }

    #[test]
    fn many_small_parts_have_an_end_as_well() {
        let part = |_| Content::Media { media_type: "\u{1}".repeat(1_000), data: Bytes::new() };
        let content: Vec<Content> = (0..10_000).map(part).collect();
        let request = ChatRequest::new(vec![ChatMessage { role: Role::User, content }]);
        let messages = Messages::of(&request, None, Keys::default());
        let size = of(&messages, "gen_ai.input.messages").unwrap().len();
        assert!(size <= LONGEST, "{size}");
        assert!(cut(&messages).is_some());
    }

    #[test]
    fn keys_of_the_server_are_not_told() {
        let key = SecretString::from("sk-canary-0123456789");
        let request = ChatRequest::new(vec![ChatMessage::text(Role::User, "is it sk-canary-0123456789?")]);
        let messages = Messages::of(&request, Some(&response("yes: sk-canary-0123456789")), Keys::new(Some(&key)));
        assert!(of(&messages, "gen_ai.input.messages").unwrap().contains("is it [redacted]?"));
        assert!(of(&messages, "gen_ai.output.messages").unwrap().contains("yes: [redacted]"));
        assert!(!format!("{:?}", messages.attributes).contains("canary"));
    }
}
