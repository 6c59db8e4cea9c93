//! Encodes a request as the JSON body of Gemini's generateContent. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gristmill_core::model::{ChatFailure, ChatMessage, ChatRequest, Content, Role};
use serde_json::{Map, Value, json};

use super::schema::narrowed;
use crate::parameters::{
    SamplingNames, Wanted, add_options, add_sampling, any_json_in_words, no_such_media, output_limit, plain_text,
    schema_in_words, split_system,
};
use crate::settings::{GeminiSettings, GeminiStructured, Level, Thinking};

/// Fields of `generationConfig` that have their own setting or that this adapter relies on, and so cannot be options.
pub(super) const OWN_FIELDS: [&str; 9] = [
    "candidateCount",
    "maxOutputTokens",
    "responseJsonSchema",
    "responseMimeType",
    "responseSchema",
    "seed",
    "stopSequences",
    "temperature",
    "topP",
];

const SAMPLING: SamplingNames = SamplingNames { top_p: "topP", stop: "stopSequences" };
const JSON: &str = "application/json";

/// Returns the body for this target.
pub(super) fn encode(target: &GeminiSettings, request: &ChatRequest) -> Result<Value, ChatFailure> {
    let mut config = Map::new();
    add_options(&mut config, &target.allowed_options, request)?;
    let instruction = ask_for_format(&mut config, target.structured, request)?;
    let (system, messages) = split_system(request, instruction)?;
    add_sampling(&mut config, &SAMPLING, target.temperature, request)?;
    if let Some(tokens) = output_limit(request, target.max_output_tokens, target.for_thinking()) {
        config.insert("maxOutputTokens".into(), json!(tokens));
    }
    if let Some(thinking) = target.thinking {
        // A stage that may set it knows better.
        config.entry("thinkingConfig").or_insert_with(|| thinking_config(thinking));
    }
    if let Some(seed) = request.seed {
        // The field holds 31 bits.
        config.insert("seed".into(), json!(seed & 0x7fff_ffff));
    }
    let contents = messages.into_iter().map(content).collect::<Result<Vec<Value>, ChatFailure>>()?;
    let mut body = Map::new();
    body.insert("contents".into(), Value::Array(contents));
    if let Some(system) = system {
        body.insert("systemInstruction".into(), json!({"parts": [{"text": system}]}));
    }
    if !config.is_empty() {
        body.insert("generationConfig".into(), Value::Object(config));
    }
    Ok(Value::Object(body))
}

/// Gemini's words for thinking: levels since Gemini 3, budgets before; both at once are refused.
fn thinking_config(thinking: Thinking) -> Value {
    match thinking {
        Thinking::Level(Level::Off) => json!({"thinkingBudget": 0}),
        Thinking::Level(level) => json!({"thinkingLevel": level.name()}),
        Thinking::Tokens(budget) => json!({"thinkingBudget": budget}),
    }
}

/// Sets the fields that ask for a format; returns what has to be said in words.
fn ask_for_format(
    config: &mut Map<String, Value>,
    structured: GeminiStructured,
    request: &ChatRequest,
) -> Result<Option<String>, ChatFailure> {
    let (description, schema) = match Wanted::of(&request.format)? {
        Wanted::Text => return Ok(None),
        Wanted::Json => {
            if structured != GeminiStructured::Prompt {
                config.insert("responseMimeType".into(), json!(JSON));
            }
            return Ok(Some(any_json_in_words()));
        }
        Wanted::Schema { description, schema, .. } => (description, schema),
    };
    if structured != GeminiStructured::Prompt {
        config.insert("responseMimeType".into(), json!(JSON));
    }
    if structured == GeminiStructured::JsonSchema
        && let Ok(schema) = narrowed(&schema)
    {
        config.insert("responseJsonSchema".into(), schema);
        return Ok(description.map(|description| format!("Your answer: {description}")));
    }
    Ok(Some(schema_in_words(&schema)))
}

fn content(message: &ChatMessage) -> Result<Value, ChatFailure> {
    let (role, parts) = match message.role {
        Role::Assistant => ("model", vec![json!({"text": plain_text(message)?})]),
        Role::User | Role::System => {
            ("user", message.content.iter().map(part).collect::<Result<Vec<Value>, ChatFailure>>()?)
        }
    };
    Ok(json!({"role": role, "parts": parts}))
}

fn part(content: &Content) -> Result<Value, ChatFailure> {
    let (media_type, data) = match content {
        Content::Text(text) => return Ok(json!({"text": text})),
        Content::Media { media_type, data } => (media_type, data),
    };
    let taken = match media_type.as_str() {
        "image/png" | "image/jpeg" | "image/webp" | "image/heic" | "image/heif" | "application/pdf" => true,
        other => other.starts_with("audio/") || other.starts_with("video/"),
    };
    if !taken {
        let list = "image/png, image/jpeg, image/webp, image/heic, image/heif, application/pdf, audio and video";
        return Err(no_such_media(media_type, list));
    }
    Ok(json!({"inlineData": {"mimeType": media_type, "data": BASE64.encode(data)}}))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gristmill_core::model::Format;

    use super::*;
    use crate::fixtures::{self, message};

    const CLOSED: &str = r#"{"type":"object","properties":{"a":{"type":"string","maxLength":9}},"required":["a"]}"#;

    fn asked(structured: GeminiStructured, format: Format) -> Value {
        let target = GeminiSettings { structured, ..GeminiSettings::new("m") };
        encode(&target, &ChatRequest { format, ..fixtures::request("hello") }).unwrap()
    }

    #[test]
    fn the_least_request_has_contents_only() {
        let body = encode(&GeminiSettings::new("m"), &fixtures::request("hello")).unwrap();
        assert_eq!(body, json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}));
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
            seed: Some(u64::MAX),
            options: vec![("thinkingConfig".into(), "{\"thinkingBudget\":0}".into())],
            ..fixtures::request("")
        };
        let allowed_options = vec!["thinkingConfig".into()];
        let target = GeminiSettings { allowed_options, max_output_tokens: Some(50), ..GeminiSettings::new("m") };
        let expected = json!({
            "systemInstruction": {"parts": [{"text": "Be kind."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "hello"}]}, {"role": "model", "parts": [{"text": "hi"}]},
                {"role": "user", "parts": [{"text": "and?"}]},
            ],
            "generationConfig": {
                "temperature": 0.7, "topP": 0.9, "maxOutputTokens": 50, "stopSequences": ["END"],
                "seed": i32::MAX, "thinkingConfig": {"thinkingBudget": 0},
            },
        });
        assert_eq!(encode(&target, &request).unwrap(), expected);
    }

    #[test]
    fn thinking_is_said_and_has_room_of_its_own() {
        for (thinking, said, tokens) in [
            (Thinking::Level(Level::Off), json!({"thinkingBudget": 0}), 100),
            (Thinking::Level(Level::Low), json!({"thinkingLevel": "low"}), 4_196),
            (Thinking::Tokens(512), json!({"thinkingBudget": 512}), 612),
        ] {
            let settings = GeminiSettings::new("m");
            let target = GeminiSettings { thinking: Some(thinking), max_output_tokens: Some(100), ..settings };
            let config = encode(&target, &fixtures::request("hello")).unwrap()["generationConfig"].clone();
            assert_eq!(config, json!({"maxOutputTokens": tokens, "thinkingConfig": said}));
        }
    }

    #[test]
    fn a_schema_is_asked_for_by_the_means_of_the_target() {
        let body = asked(GeminiStructured::JsonSchema, fixtures::schema(CLOSED));
        let config = &body["generationConfig"];
        assert_eq!(config["responseMimeType"], "application/json");
        let told = config["responseJsonSchema"]["properties"]["a"]["description"].as_str().unwrap();
        assert!(told.contains("maxLength = 9"), "{told}");
        assert_eq!(body.get("systemInstruction"), None);

        let body = asked(GeminiStructured::JsonObject, fixtures::schema(CLOSED));
        assert_eq!(body["generationConfig"], json!({"responseMimeType": "application/json"}));
        assert!(body["systemInstruction"].to_string().contains("maxLength"));

        let body = asked(GeminiStructured::Prompt, fixtures::schema(CLOSED));
        assert_eq!(body.get("generationConfig"), None);
        assert!(body["systemInstruction"].to_string().contains("maxLength"));
    }

    #[test]
    fn a_schema_that_cannot_be_held_is_asked_for_in_words() {
        let body = asked(GeminiStructured::JsonSchema, fixtures::schema("{}"));
        assert_eq!(body["generationConfig"], json!({"responseMimeType": "application/json"}));
        assert!(body["systemInstruction"].to_string().contains("JSON Schema"));
        let body = asked(GeminiStructured::JsonSchema, Format::Json);
        assert_eq!(body["generationConfig"], json!({"responseMimeType": "application/json"}));
    }

    #[test]
    fn media_go_inline_and_others_are_refused() {
        let media = |media_type: &str| {
            let data = Bytes::from_static(b"\x89PNG");
            let content = vec![Content::Media { media_type: media_type.into(), data }];
            ChatRequest { messages: vec![ChatMessage { role: Role::User, content }], ..fixtures::request("") }
        };
        let target = GeminiSettings::new("m");
        let body = encode(&target, &media("audio/wav")).unwrap();
        let inline = json!({"mimeType": "audio/wav", "data": "iVBORw=="});
        assert_eq!(body["contents"][0]["parts"][0], json!({"inlineData": inline}));
        let refused = encode(&target, &media("application/zip")).unwrap_err();
        assert!(matches!(refused, ChatFailure::InvalidRequest(reason) if reason.contains("application/zip")));
    }
}
