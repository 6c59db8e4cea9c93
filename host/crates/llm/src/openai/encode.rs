//! Encodes a request as the JSON body of OpenAI's chat completions. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use gristmill_core::model::{ChatFailure, ChatMessage, ChatRequest, Content, Role};

use super::dialect::{self, Told};
use crate::parameters::{
    SamplingNames, add_options, add_sampling, instructed, no_such_media, output_limit, plain_text, some_messages,
};
use crate::settings::{Level, OpenAiSettings};

/// Fields that have their own setting or that this adapter relies on, and so cannot be options.
pub(super) const OWN_FIELDS: [&str; 9] = [
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "model",
    "n",
    "response_format",
    "stream",
    "stream_options",
    "temperature",
];
const SAMPLING: SamplingNames = SamplingNames { top_p: "top_p", stop: "stop" };

/// A server's name for the limit on output tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputLimit {
    /// `max_tokens`.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
}

/// Returns the body for this target. `limit` is the target's name for the limit on output tokens.
pub(super) fn encode(
    target: &OpenAiSettings,
    limit: OutputLimit,
    request: &ChatRequest,
) -> Result<Map<String, Value>, ChatFailure> {
    let messages = some_messages(request)?.iter().map(message).collect::<Result<Vec<Value>, ChatFailure>>()?;
    let Told { response_format, instruction } = dialect::told(target.structured, &request.format)?;
    let mut body = target.options.clone();
    add_options(&mut body, &target.allowed_options, request)?;
    body.insert("model".into(), json!(target.model));
    // Some gateways stream unless told not to.
    body.insert("stream".into(), json!(target.stream));
    if target.stream {
        body.insert("stream_options".into(), json!({"include_usage": true}));
    }
    body.insert("messages".into(), Value::Array(instructed(messages, instruction)));
    if let Some(format) = response_format {
        body.insert("response_format".into(), format);
    }
    add_sampling(&mut body, &SAMPLING, target.temperature, request)?;
    if let Some(level) = target.thinking {
        // A stage that may set it knows better.
        body.entry("reasoning_effort").or_insert_with(|| json!(effort(level)));
    }
    if let Some(tokens) = output_limit(request, target.max_output_tokens, target.for_thinking()) {
        let name = match limit {
            OutputLimit::MaxTokens => "max_tokens",
            OutputLimit::MaxCompletionTokens => "max_completion_tokens",
        };
        body.insert(name.into(), json!(tokens));
    }
    if let Some(seed) = request.seed {
        body.insert("seed".into(), json!(seed));
    }
    Ok(body)
}

/// OpenAI's word for a level.
fn effort(level: Level) -> &'static str {
    match level {
        Level::Off => "none",
        Level::Minimal | Level::Low | Level::Medium | Level::High => level.name(),
    }
}

fn message(message: &ChatMessage) -> Result<Value, ChatFailure> {
    let role = match message.role {
        Role::System => "system",
        Role::Assistant => "assistant",
        Role::User if message.content.iter().any(|part| matches!(part, Content::Media { .. })) => {
            let parts = message.content.iter().map(part).collect::<Result<Vec<Value>, ChatFailure>>()?;
            return Ok(json!({"role": "user", "content": parts}));
        }
        Role::User => "user",
    };
    Ok(json!({"role": role, "content": plain_text(message)?}))
}

/// One string instead of a list of parts: every server accepts that.
fn part(content: &Content) -> Result<Value, ChatFailure> {
    let (media_type, data) = match content {
        Content::Text(text) => return Ok(json!({"type": "text", "text": text})),
        Content::Media { media_type, data } => (media_type, data),
    };
    match media_type.as_str() {
        "image/png" | "image/jpeg" | "image/gif" | "image/webp" => {
            let url = format!("data:{media_type};base64,{}", BASE64.encode(data));
            Ok(json!({"type": "image_url", "image_url": {"url": url}}))
        }
        other => Err(no_such_media(other, "image/png, image/jpeg, image/gif and image/webp")),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::fixtures::{self, message};
    use gristmill_core::model::Format;

    fn encoded(target: &OpenAiSettings, request: &ChatRequest) -> Value {
        Value::Object(encode(target, OutputLimit::MaxTokens, request).unwrap())
    }

    fn refused(target: &OpenAiSettings, request: &ChatRequest) -> String {
        match encode(target, OutputLimit::MaxTokens, request) {
            Err(ChatFailure::InvalidRequest(reason)) => reason,
            other => panic!("expected an invalid request, got {other:?}"),
        }
    }

    #[test]
    fn the_least_request_has_model_and_messages_and_says_whether_to_stream() {
        let messages = json!([{"role": "user", "content": "hello"}]);
        let whole = OpenAiSettings { stream: false, ..OpenAiSettings::new("m") };
        let body = encoded(&whole, &fixtures::request("hello"));
        assert_eq!(body, json!({"model": "m", "messages": messages, "stream": false}));
        let body = encoded(&OpenAiSettings::new("m"), &fixtures::request("hello"));
        let options = json!({"include_usage": true});
        assert_eq!(body, json!({"model": "m", "messages": messages, "stream": true, "stream_options": options}));
    }

    #[test]
    fn thinking_is_said_and_has_room_of_its_own() {
        let target = |thinking| OpenAiSettings {
            thinking: Some(thinking),
            max_output_tokens: Some(100),
            allowed_options: vec!["reasoning_effort".into()],
            ..OpenAiSettings::new("m")
        };
        for (level, effort, tokens) in
            [(Level::Off, "none", 100), (Level::Minimal, "minimal", 1_124), (Level::High, "high", 24_676)]
        {
            let body = encoded(&target(level), &fixtures::request("hello"));
            assert_eq!((&body["reasoning_effort"], &body["max_tokens"]), (&json!(effort), &json!(tokens)));
        }
        let own = OpenAiSettings { headroom: Some(50), ..target(Level::High) };
        assert_eq!(encoded(&own, &fixtures::request("hello"))["max_tokens"], 150);
        let options = vec![("reasoning_effort".into(), "\"low\"".into())];
        let body = encoded(&own, &ChatRequest { options, ..fixtures::request("hello") });
        assert_eq!(body["reasoning_effort"], "low", "the stage may decide");
    }

    #[test]
    fn every_parameter_has_its_field() {
        let request = ChatRequest {
            temperature: Some(0.7),
            top_p: Some(0.9),
            max_output_tokens: Some(100),
            stop: vec!["END".into()],
            seed: Some(7),
            options: vec![("reasoning_effort".into(), "\"low\"".into())],
            ..fixtures::request("hello")
        };
        let allowed_options = vec!["reasoning_effort".into()];
        let target = OpenAiSettings { allowed_options, stream: false, ..OpenAiSettings::new("m") };
        let expected = json!({
            "model": "m", "messages": [{"role": "user", "content": "hello"}], "temperature": 0.7, "top_p": 0.9,
            "max_tokens": 100, "stop": ["END"], "seed": 7, "reasoning_effort": "low", "stream": false,
        });
        assert_eq!(encoded(&target, &request), expected);
        let body = encode(&target, OutputLimit::MaxCompletionTokens, &request).unwrap();
        assert_eq!((body.get("max_completion_tokens"), body.get("max_tokens")), (Some(&json!(100)), None));
    }

    #[test]
    fn the_target_speaks_where_the_request_is_silent_and_bounds_the_answer() {
        let options = [("user".to_owned(), json!("ops")), ("reasoning_effort".to_owned(), json!("high"))];
        let target = OpenAiSettings {
            temperature: Some(0.2),
            max_output_tokens: Some(50),
            options: options.into_iter().collect(),
            allowed_options: vec!["reasoning_effort".into()],
            ..OpenAiSettings::new("m")
        };
        let body = encoded(&target, &fixtures::request("hello"));
        assert_eq!(
            (&body["temperature"], &body["max_tokens"], &body["user"]),
            (&json!(0.2), &json!(50), &json!("ops"))
        );
        let greedy = ChatRequest {
            temperature: Some(1.0),
            max_output_tokens: Some(90),
            options: vec![("reasoning_effort".into(), "\"low\"".into())],
            ..fixtures::request("hello")
        };
        let body = encoded(&target, &greedy);
        assert_eq!((&body["temperature"], &body["max_tokens"]), (&json!(1.0), &json!(50)));
        assert_eq!(body["reasoning_effort"], "low");
    }

    #[test]
    fn an_option_that_is_not_allowed_or_no_json_is_refused() {
        let target = OpenAiSettings { allowed_options: vec!["user".into()], ..OpenAiSettings::new("m") };
        let with = |name: &str, value: &str| ChatRequest {
            options: vec![(name.into(), value.into())],
            ..fixtures::request("hello")
        };
        assert!(refused(&target, &with("tools", "[]")).contains("allowed here: user"));
        assert!(refused(&target, &with("user", "bare")).contains("not JSON"));
        let reason = refused(&OpenAiSettings::new("m"), &with("tools", "[]"));
        assert!(reason.contains("allowed here: none"), "{reason}");
    }

    #[test]
    fn numbers_that_json_cannot_say_are_refused() {
        let request = ChatRequest { temperature: Some(f64::NAN), ..fixtures::request("hello") };
        assert!(refused(&OpenAiSettings::new("m"), &request).contains("temperature"));
    }

    #[test]
    fn a_request_without_messages_is_refused() {
        let request = ChatRequest { messages: Vec::new(), ..fixtures::request("") };
        assert!(refused(&OpenAiSettings::new("m"), &request).contains("no messages"));
    }

    #[test]
    fn an_instruction_joins_the_system_message() {
        let target = OpenAiSettings::new("m");
        let alone = ChatRequest { format: Format::Json, ..fixtures::request("hello") };
        let body = encoded(&target, &alone);
        assert_eq!(body["messages"][0]["role"], "system");
        assert_eq!(body["messages"][1], json!({"role": "user", "content": "hello"}));
        let messages = vec![message(Role::System, "Be kind."), message(Role::User, "hello")];
        let body = encoded(&target, &ChatRequest { messages, ..alone });
        assert_eq!(body["messages"].as_array().unwrap().len(), 2);
        let text = body["messages"][0]["content"].as_str().unwrap();
        assert!(text.starts_with("Be kind.\n\nAnswer with one JSON"), "{text}");
    }

    #[test]
    fn images_go_as_data_urls_and_other_media_are_refused() {
        let media = |role, media_type: &str| {
            let data = Bytes::from_static(b"\x89PNG");
            let content = vec![Content::Text("what?".into()), Content::Media { media_type: media_type.into(), data }];
            ChatRequest { messages: vec![ChatMessage { role, content }], ..fixtures::request("") }
        };
        let target = OpenAiSettings::new("m");
        let body = encoded(&target, &media(Role::User, "image/png"));
        let expected = json!([
            {"type": "text", "text": "what?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
        ]);
        assert_eq!(body["messages"][0]["content"], expected);
        assert!(refused(&target, &media(Role::User, "application/pdf")).contains("application/pdf"));
        assert!(refused(&target, &media(Role::User, "image/svg+xml")).contains("image/svg+xml"));
        assert!(refused(&target, &media(Role::System, "image/png")).contains("user message"));
    }
}
