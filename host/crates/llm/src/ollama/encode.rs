//! Encodes a request as the JSON body of Ollama's `/api/chat`. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gristmill_core::model::{ChatFailure, ChatMessage, ChatRequest, Content, Role};
use serde_json::{Map, Value, json};

use crate::parameters::{
    SamplingNames, Wanted, add_options, add_sampling, any_json_in_words, instructed, no_such_media, output_limit,
    plain_text, schema_in_words, some_messages,
};
use crate::settings::{Level, OllamaSettings, OllamaStructured};

/// Fields of `options` that have their own setting or that this adapter relies on, and so cannot be options.
pub(super) const OWN_FIELDS: [&str; 6] = ["num_ctx", "num_predict", "seed", "stop", "temperature", "top_p"];

const SAMPLING: SamplingNames = SamplingNames { top_p: "top_p", stop: "stop" };

/// The size of a prompt, as far as it shows without the model's tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// At least this many tokens: no tokenizer makes one of two words.
    pub(super) least: u64,
    /// About this many, at four characters each.
    pub(super) about: u64,
}

impl Size {
    pub(super) fn of(request: &ChatRequest) -> Self {
        let (mut words, mut characters) = (0, 0);
        for part in request.messages.iter().flat_map(|message| &message.content) {
            let Content::Text(text) = part else { continue };
            words += text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count() as u64;
            characters += text.chars().count() as u64;
        }
        Self { least: words, about: characters / 4 }
    }
}

/// Returns the body for this target. A prompt that certainly does not fit is not sent.
pub(super) fn encode(target: &OllamaSettings, request: &ChatRequest) -> Result<Value, ChatFailure> {
    let messages = some_messages(request)?;
    let size = Size::of(request);
    if size.least > u64::from(target.context) {
        let message = format!(
            "the prompt has {} words, and the `context` of ollama/{} holds {} tokens; raise it or send less",
            size.least, target.model, target.context
        );
        let (limit, actual) = (Some(target.context.into()), Some(size.least));
        return Err(ChatFailure::ContextLengthExceeded { message, limit, actual });
    }
    let mut body = Map::new();
    let instruction = ask_for_format(&mut body, target.structured, request)?;
    body.insert("model".into(), json!(target.model));
    let messages = messages.iter().map(message).collect::<Result<Vec<Value>, ChatFailure>>()?;
    body.insert("messages".into(), Value::Array(instructed(messages, instruction)));
    body.insert("stream".into(), json!(target.stream));
    // Servers that know these refuse a prompt or end an answer that does not fit, instead of cutting the prompt.
    body.insert("truncate".into(), json!(false));
    body.insert("shift".into(), json!(false));
    if let Some(level) = target.thinking {
        let think = match level {
            Level::Off => json!(false),
            Level::Minimal | Level::Low => json!("low"),
            Level::Medium | Level::High => json!(level.name()),
        };
        body.insert("think".into(), think);
    }
    body.insert("options".into(), Value::Object(options(target, request)?));
    Ok(Value::Object(body))
}

fn options(target: &OllamaSettings, request: &ChatRequest) -> Result<Map<String, Value>, ChatFailure> {
    let mut options = Map::new();
    add_options(&mut options, &target.allowed_options, request)?;
    options.insert("num_ctx".into(), json!(target.context));
    if let Some(tokens) = output_limit(request, target.max_output_tokens, target.for_thinking()) {
        options.insert("num_predict".into(), json!(tokens));
    }
    add_sampling(&mut options, &SAMPLING, target.temperature, request)?;
    if let Some(seed) = request.seed {
        // The field holds 31 bits.
        options.insert("seed".into(), json!(seed & 0x7fff_ffff));
    }
    Ok(options)
}

/// Sets the field that asks for a format; returns what has to be said in words.
fn ask_for_format(
    body: &mut Map<String, Value>,
    structured: OllamaStructured,
    request: &ChatRequest,
) -> Result<Option<String>, ChatFailure> {
    let (format, words) = match (Wanted::of(&request.format)?, structured) {
        (Wanted::Text, _) => (None, None),
        (Wanted::Json, OllamaStructured::Prompt) => (None, Some(any_json_in_words())),
        // Without the words some models write blanks until they are cut off.
        (Wanted::Json, _) => (Some(json!("json")), Some(any_json_in_words())),
        (Wanted::Schema { schema, description, .. }, OllamaStructured::JsonSchema) => {
            (Some(schema), description.map(|description| format!("Your answer: {description}")))
        }
        (Wanted::Schema { schema, .. }, OllamaStructured::JsonObject) => {
            (Some(json!("json")), Some(schema_in_words(&schema)))
        }
        (Wanted::Schema { schema, .. }, OllamaStructured::Prompt) => (None, Some(schema_in_words(&schema))),
    };
    if let Some(format) = format {
        body.insert("format".into(), format);
    }
    Ok(words)
}

fn message(message: &ChatMessage) -> Result<Value, ChatFailure> {
    let role = match message.role {
        Role::System => "system",
        Role::Assistant => "assistant",
        Role::User => "user",
    };
    if message.role != Role::User {
        return Ok(json!({"role": role, "content": plain_text(message)?}));
    }
    // The images of a message are apart from its text.
    let (mut text, mut images) = (String::new(), Vec::new());
    for part in &message.content {
        match part {
            Content::Text(part) => text.push_str(part),
            Content::Media { media_type, data } => match media_type.as_str() {
                "image/png" | "image/jpeg" | "image/webp" => images.push(json!(BASE64.encode(data))),
                other => return Err(no_such_media(other, "image/png, image/jpeg and image/webp")),
            },
        }
    }
    let mut encoded = json!({"role": role, "content": text});
    if !images.is_empty() {
        encoded["images"] = Value::Array(images);
    }
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gristmill_core::model::Format;

    use super::*;
    use crate::fixtures::{self, message};

    const SCHEMA: &str = r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}"#;

    fn encoded(target: &OllamaSettings, request: &ChatRequest) -> Value {
        encode(target, request).unwrap()
    }

    fn asked(structured: OllamaStructured, format: Format) -> Value {
        let target = OllamaSettings { structured, ..OllamaSettings::new("m") };
        encoded(&target, &ChatRequest { format, ..fixtures::request("hello") })
    }

    #[test]
    fn the_least_request_says_how_large_the_context_is_and_that_nothing_may_be_cut() {
        let expected = json!({
            "model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": true, "truncate": false,
            "shift": false, "options": {"num_ctx": 8192},
        });
        assert_eq!(encoded(&OllamaSettings::new("m"), &fixtures::request("hello")), expected);
    }

    #[test]
    fn every_parameter_has_its_field() {
        let request = ChatRequest {
            temperature: Some(0.7),
            top_p: Some(0.9),
            max_output_tokens: Some(100),
            stop: vec!["END".into()],
            seed: Some(7),
            options: vec![("top_k".into(), "5".into())],
            ..fixtures::request("hello")
        };
        let target = OllamaSettings {
            allowed_options: vec!["top_k".into()],
            context: 4_096,
            max_output_tokens: Some(50),
            thinking: Some(Level::Low),
            headroom: Some(7),
            ..OllamaSettings::new("m")
        };
        let body = encoded(&target, &request);
        let expected = json!({
            "num_ctx": 4096, "num_predict": 57, "temperature": 0.7, "top_p": 0.9, "stop": ["END"], "seed": 7, "top_k": 5,
        });
        assert_eq!((&body["options"], &body["think"]), (&expected, &json!("low")));
        let thoughtless = OllamaSettings { thinking: Some(Level::Off), stream: false, ..target };
        assert_eq!(encoded(&thoughtless, &request)["stream"], false);
        assert_eq!(encoded(&thoughtless, &request)["think"], false);
    }

    #[test]
    fn a_format_is_asked_for_by_the_means_of_the_target() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let body = asked(OllamaStructured::JsonSchema, fixtures::schema(SCHEMA));
        assert_eq!((&body["format"], body["messages"].as_array().unwrap().len()), (&schema, 1));
        let body = asked(OllamaStructured::JsonObject, fixtures::schema(SCHEMA));
        assert_eq!(body["format"], "json");
        assert!(body["messages"][0]["content"].as_str().unwrap().contains("JSON Schema"));
        let body = asked(OllamaStructured::Prompt, fixtures::schema(SCHEMA));
        assert_eq!(body.get("format"), None);
        assert_eq!(asked(OllamaStructured::JsonSchema, Format::Json)["format"], "json");
        assert_eq!(asked(OllamaStructured::JsonSchema, Format::Text).get("format"), None);
    }

    #[test]
    fn an_instruction_joins_the_system_message() {
        let messages = vec![message(Role::System, "Be kind."), message(Role::User, "hello")];
        let request = ChatRequest { messages, format: Format::Json, ..fixtures::request("") };
        let body = encoded(&OllamaSettings::new("m"), &request);
        assert_eq!(body["messages"].as_array().unwrap().len(), 2);
        assert!(body["messages"][0]["content"].as_str().unwrap().starts_with("Be kind.\n\nAnswer with one JSON"));
    }

    #[test]
    fn a_prompt_that_cannot_fit_is_not_sent() {
        let target = OllamaSettings { context: 300, ..OllamaSettings::new("m") };
        let fits = fixtures::request(&"word - ".repeat(300));
        assert_eq!(Size::of(&fits), Size { least: 300, about: 525 });
        assert!(encode(&target, &fits).is_ok());
        match encode(&target, &fixtures::request(&"word ".repeat(301))).unwrap_err() {
            ChatFailure::ContextLengthExceeded { message, limit, actual } => {
                assert!(message.contains("raise it or send less"), "{message}");
                assert_eq!((limit, actual), (Some(300), Some(301)));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn images_stand_beside_the_text_and_other_media_are_refused() {
        let media = |media_type: &str| {
            let data = Bytes::from_static(b"\x89PNG");
            let content = vec![Content::Text("what?".into()), Content::Media { media_type: media_type.into(), data }];
            ChatRequest { messages: vec![ChatMessage { role: Role::User, content }], ..fixtures::request("") }
        };
        let body = encoded(&OllamaSettings::new("m"), &media("image/png"));
        assert_eq!(body["messages"][0], json!({"role": "user", "content": "what?", "images": ["iVBORw=="]}));
        let refused = encode(&OllamaSettings::new("m"), &media("application/pdf")).unwrap_err();
        assert!(matches!(refused, ChatFailure::InvalidRequest(reason) if reason.contains("application/pdf")));
        let none = ChatRequest { messages: Vec::new(), ..fixtures::request("") };
        assert!(encode(&OllamaSettings::new("m"), &none).is_err());
    }
}
