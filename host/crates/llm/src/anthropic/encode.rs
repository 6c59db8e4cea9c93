//! Encodes a request as the JSON body of Anthropic's Messages. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gristmill_core::model::{ChatFailure, ChatMessage, ChatRequest, Content, Role};
use serde_json::{Map, Value, json};

use super::schema::narrowed;
use crate::parameters::{
    SamplingNames, Wanted, add_options, add_sampling, any_json_in_words, no_such_media, output_limit, plain_text,
    schema_in_words, split_system,
};
use crate::settings::{ANTHROPIC_MAX_OUTPUT_TOKENS, AnthropicSettings, AnthropicStructured, Level, Thinking};

/// Fields that have their own setting or that this adapter relies on, and so cannot be options.
pub(super) const OWN_FIELDS: [&str; 11] = [
    "max_tokens",
    "messages",
    "model",
    "output_config",
    "output_format",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "tool_choice",
    "tools",
];

const SAMPLING: SamplingNames = SamplingNames { top_p: "top_p", stop: "stop_sequences" };
/// The smallest budget for thinking that the API takes.
pub(super) const FEWEST_THINKING_TOKENS: u32 = 1_024;

/// Returns the body for this target.
pub(super) fn encode(target: &AnthropicSettings, request: &ChatRequest) -> Result<Value, ChatFailure> {
    let mut body = Map::new();
    add_options(&mut body, &target.allowed_options, request)?;
    let instruction = ask_for_format(&mut body, target.structured, request)?;
    let (system, messages) = split_system(request, instruction)?;
    let messages = messages.into_iter().map(message).collect::<Result<Vec<Value>, ChatFailure>>()?;
    body.insert("model".into(), json!(target.model));
    body.insert("messages".into(), Value::Array(messages));
    if let Some(system) = system {
        body.insert("system".into(), json!(system));
    }
    body.insert("stream".into(), json!(target.stream));
    body.insert("max_tokens".into(), json!(max_tokens(target, request)));
    add_sampling(&mut body, &SAMPLING, target.temperature, request)?;
    add_thinking(&mut body, target.thinking);
    if body.get("thinking").is_some_and(|thinking| thinking["type"] != "disabled") {
        // The API refuses them beside thinking.
        body.remove("temperature");
        body.remove("top_p");
    }
    Ok(Value::Object(body))
}

/// The limit on output tokens, of which a budget for thinking is a part.
fn max_tokens(target: &AnthropicSettings, request: &ChatRequest) -> u32 {
    let most = match (request.max_output_tokens, target.max_output_tokens) {
        (None, None) => Some(ANTHROPIC_MAX_OUTPUT_TOKENS),
        (_, most) => most,
    };
    output_limit(request, most, target.for_thinking()).unwrap_or(ANTHROPIC_MAX_OUTPUT_TOKENS)
}

/// Says how much to think, unless a stage that may set it has done so.
fn add_thinking(body: &mut Map<String, Value>, thinking: Option<Thinking>) {
    let Some(thinking) = thinking.filter(|_| !body.contains_key("thinking")) else { return };
    let effort = match thinking {
        Thinking::Level(Level::Off) | Thinking::Tokens(_) => None,
        Thinking::Level(Level::Minimal | Level::Low) => Some("low"),
        Thinking::Level(level @ (Level::Medium | Level::High)) => Some(level.name()),
    };
    let said = match thinking {
        Thinking::Level(Level::Off) => json!({"type": "disabled"}),
        Thinking::Level(_) => json!({"type": "adaptive"}),
        Thinking::Tokens(budget) => json!({"type": "enabled", "budget_tokens": budget}),
    };
    body.insert("thinking".into(), said);
    if let Some(effort) = effort
        && let Value::Object(config) = body.entry("output_config").or_insert_with(|| json!({}))
    {
        config.insert("effort".into(), json!(effort));
    }
}

/// Sets the fields that ask for a format; returns what has to be said in words.
fn ask_for_format(
    body: &mut Map<String, Value>,
    structured: AnthropicStructured,
    request: &ChatRequest,
) -> Result<Option<String>, ChatFailure> {
    let (name, description, schema) = match Wanted::of(&request.format)? {
        Wanted::Text => return Ok(None),
        Wanted::Json => return Ok(Some(any_json_in_words())),
        Wanted::Schema { name, description, schema } => (name, description, schema),
    };
    match structured {
        AnthropicStructured::JsonSchema => {
            let Ok(schema) = narrowed(&schema) else { return Ok(Some(schema_in_words(&schema))) };
            body.insert("output_config".into(), json!({"format": {"type": "json_schema", "schema": schema}}));
            Ok(description.map(|description| format!("Your answer: {description}")))
        }
        // The input of a tool is always an object.
        AnthropicStructured::Tool if schema.get("type") == Some(&json!("object")) => {
            let description = description.unwrap_or("Call this with your answer.");
            let tool = json!({"name": name, "description": description, "input_schema": schema});
            body.insert("tools".into(), json!([tool]));
            body.insert("tool_choice".into(), json!({"type": "tool", "name": name}));
            Ok(None)
        }
        AnthropicStructured::Tool | AnthropicStructured::Prompt => Ok(Some(schema_in_words(&schema))),
    }
}

fn message(message: &ChatMessage) -> Result<Value, ChatFailure> {
    if message.role == Role::Assistant {
        return Ok(json!({"role": "assistant", "content": plain_text(message)?}));
    }
    if message.content.iter().all(|part| matches!(part, Content::Text(_))) {
        return Ok(json!({"role": "user", "content": plain_text(message)?}));
    }
    let parts = message.content.iter().filter(|part| !matches!(part, Content::Text(text) if text.is_empty()));
    let parts = parts.map(part).collect::<Result<Vec<Value>, ChatFailure>>()?;
    Ok(json!({"role": "user", "content": parts}))
}

fn part(content: &Content) -> Result<Value, ChatFailure> {
    let (media_type, data) = match content {
        Content::Text(text) => return Ok(json!({"type": "text", "text": text})),
        Content::Media { media_type, data } => (media_type, data),
    };
    let kind = match media_type.as_str() {
        "image/png" | "image/jpeg" | "image/gif" | "image/webp" => "image",
        "application/pdf" => "document",
        other => {
            return Err(no_such_media(other, "image/png, image/jpeg, image/gif, image/webp and application/pdf"));
        }
    };
    let source = json!({"type": "base64", "media_type": media_type, "data": BASE64.encode(data)});
    Ok(json!({"type": kind, "source": source}))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gristmill_core::model::Format;

    use super::*;
    use crate::fixtures::{self, message};

    const CLOSED: &str = r#"{"type":"object","properties":{"a":{"type":"string","maxLength":9}},"required":["a"]}"#;

    fn target(structured: AnthropicStructured) -> AnthropicSettings {
        AnthropicSettings { structured, ..AnthropicSettings::new("m") }
    }

    fn asked(structured: AnthropicStructured, format: Format) -> Value {
        encode(&target(structured), &ChatRequest { format, ..fixtures::request("hello") }).unwrap()
    }

    #[test]
    fn the_least_request_has_a_limit_because_the_api_requires_one() {
        let body = encode(&AnthropicSettings::new("m"), &fixtures::request("hello")).unwrap();
        let messages = json!([{"role": "user", "content": "hello"}]);
        let expected = json!({"model": "m", "max_tokens": 4096, "messages": messages, "stream": true});
        assert_eq!(body, expected);
        let greedy = ChatRequest { max_output_tokens: Some(9_000), ..fixtures::request("hello") };
        assert_eq!(encode(&AnthropicSettings::new("m"), &greedy).unwrap()["max_tokens"], 9_000);
        let bounded = AnthropicSettings { max_output_tokens: Some(500), ..AnthropicSettings::new("m") };
        assert_eq!(encode(&bounded, &greedy).unwrap()["max_tokens"], 500);
    }

    #[test]
    fn every_parameter_has_its_field_and_the_system_stands_apart() {
        let request = ChatRequest {
            messages: vec![
                message(Role::System, "Be kind."),
                message(Role::User, "hello"),
                message(Role::Assistant, "hi"),
                message(Role::User, "and?"),
            ],
            temperature: Some(0.7),
            top_p: Some(0.9),
            max_output_tokens: Some(100),
            stop: vec!["END".into()],
            seed: Some(7),
            options: vec![("top_k".into(), "5".into())],
            ..fixtures::request("")
        };
        let target = AnthropicSettings { allowed_options: vec!["top_k".into()], ..AnthropicSettings::new("m") };
        let expected = json!({
            "model": "m", "system": "Be kind.", "max_tokens": 100, "temperature": 0.7, "top_p": 0.9, "top_k": 5,
            "stop_sequences": ["END"], "stream": true,
            "messages": [
                {"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"},
                {"role": "user", "content": "and?"},
            ],
        });
        assert_eq!(encode(&target, &request).unwrap(), expected);
    }

    #[test]
    fn thinking_is_said_has_room_of_its_own_and_excludes_sampling() {
        let warm = ChatRequest {
            temperature: Some(0.5),
            top_p: Some(0.9),
            max_output_tokens: Some(100),
            format: fixtures::schema(CLOSED),
            ..fixtures::request("hello")
        };
        let asked = |thinking, headroom| {
            let target = AnthropicSettings { thinking: Some(thinking), headroom, ..AnthropicSettings::new("m") };
            encode(&target, &warm).unwrap()
        };
        let body = asked(Thinking::Tokens(2_048), None);
        assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": 2048}));
        assert_eq!((&body["max_tokens"], body.get("temperature"), body.get("top_p")), (&json!(2_148), None, None));
        assert_eq!(asked(Thinking::Tokens(2_048), Some(10))["max_tokens"], 2_148, "the API wants more than the budget");
        let body = asked(Thinking::Level(Level::Low), Some(500));
        assert_eq!((&body["thinking"], &body["max_tokens"]), (&json!({"type": "adaptive"}), &json!(600)));
        let config = &body["output_config"];
        assert_eq!((&config["effort"], &config["format"]["type"]), (&json!("low"), &json!("json_schema")));
        let body = asked(Thinking::Level(Level::Off), None);
        assert_eq!((&body["thinking"]["type"], &body["max_tokens"]), (&json!("disabled"), &json!(100)));
        assert_eq!(body["temperature"], 0.5);
    }

    #[test]
    fn a_schema_is_asked_for_by_the_means_of_the_target() {
        let body = asked(AnthropicStructured::JsonSchema, fixtures::schema(CLOSED));
        let format = &body["output_config"]["format"];
        assert_eq!(
            (&format["type"], &format["schema"]["additionalProperties"]),
            (&json!("json_schema"), &json!(false))
        );
        let told = format["schema"]["properties"]["a"]["description"].as_str().unwrap();
        assert!(told.contains("maxLength = 9"), "{told}");
        assert_eq!(body.get("system"), None);

        let body = asked(AnthropicStructured::Tool, fixtures::schema(CLOSED));
        assert_eq!(body["tool_choice"], json!({"type": "tool", "name": "answer"}));
        assert_eq!(body["tools"][0]["input_schema"]["properties"]["a"]["maxLength"], 9);

        let body = asked(AnthropicStructured::Prompt, fixtures::schema(CLOSED));
        assert!(body["system"].as_str().unwrap().contains("maxLength"));
    }

    #[test]
    fn a_schema_that_a_form_cannot_hold_is_asked_for_in_words() {
        let open = r#"{"type":"object","additionalProperties":{"type":"integer"}}"#;
        let body = asked(AnthropicStructured::JsonSchema, fixtures::schema(open));
        assert_eq!(body.get("output_config"), None);
        assert!(body["system"].as_str().unwrap().contains("additionalProperties"));
        let body = asked(AnthropicStructured::Tool, fixtures::schema(r#"{"type":"array","items":{"type":"string"}}"#));
        assert_eq!(body.get("tools"), None);
        assert!(body["system"].as_str().unwrap().contains("array"));
        assert!(asked(AnthropicStructured::Tool, Format::Json)["system"].as_str().unwrap().contains("JSON"));
    }

    #[test]
    fn images_and_pdfs_go_as_base64_and_other_media_are_refused() {
        let media = |media_type: &str| {
            let data = Bytes::from_static(b"\x89PNG");
            let content = vec![Content::Text("what?".into()), Content::Media { media_type: media_type.into(), data }];
            ChatRequest { messages: vec![ChatMessage { role: Role::User, content }], ..fixtures::request("") }
        };
        let target = AnthropicSettings::new("m");
        let body = encode(&target, &media("image/png")).unwrap();
        let source = json!({"type": "base64", "media_type": "image/png", "data": "iVBORw=="});
        assert_eq!(body["messages"][0]["content"][1], json!({"type": "image", "source": source}));
        let body = encode(&target, &media("application/pdf")).unwrap();
        assert_eq!(body["messages"][0]["content"][1]["type"], "document");
        let refused = encode(&target, &media("audio/wav")).unwrap_err();
        assert!(matches!(refused, ChatFailure::InvalidRequest(reason) if reason.contains("audio/wav")));
    }
}
