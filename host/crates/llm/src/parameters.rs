//! The parts of a request that every dialect encodes in the same way. Pure.

use gristmill_core::model::{ChatFailure, ChatMessage, ChatRequest, Content, Format, Role};
use serde_json::{Map, Value, json};

/// How JSON is asked for in words.
const JSON_ONLY: &str = "Answer with one JSON document and nothing else.";

/// Asks for any JSON document.
pub(crate) fn any_json_in_words() -> String {
    JSON_ONLY.to_owned()
}

/// Asks for a document of this schema.
pub(crate) fn schema_in_words(schema: &Value) -> String {
    format!("{JSON_ONLY} It must fit this JSON Schema: {schema}")
}

/// The format of a request with its schema read.
pub(crate) enum Wanted<'r> {
    Text,
    Json,
    Schema { name: &'r str, description: Option<&'r str>, schema: Value },
}

impl<'r> Wanted<'r> {
    /// A schema that is not JSON is an invalid request.
    pub(crate) fn of(format: &'r Format) -> Result<Self, ChatFailure> {
        let (name, description, text) = match format {
            Format::Text => return Ok(Self::Text),
            Format::Json => return Ok(Self::Json),
            Format::Schema { name, description, schema } => (name, description, schema),
        };
        let schema = serde_json::from_str(text)
            .map_err(|error| ChatFailure::InvalidRequest(format!("the schema {name:?} is not JSON: {error}")))?;
        Ok(Self::Schema { name, description: description.as_deref(), schema })
    }
}

/// Adds the options of a stage to these fields, if the operator allows them.
pub(crate) fn add_options(
    fields: &mut Map<String, Value>,
    allowed: &[String],
    request: &ChatRequest,
) -> Result<(), ChatFailure> {
    for (name, value) in &request.options {
        if !allowed.contains(name) {
            let allowed = match allowed {
                [] => "none".to_owned(),
                names => names.join(", "),
            };
            return Err(ChatFailure::InvalidRequest(format!(
                "the option {name:?} may not be set by a stage (allowed here: {allowed}); the operator can allow it in \
                 `options` of the target"
            )));
        }
        let value = serde_json::from_str(value).map_err(|_| {
            let reason = format!("the value of the option {name:?} is not JSON; a string needs quotation marks");
            ChatFailure::InvalidRequest(reason)
        })?;
        fields.insert(name.clone(), value);
    }
    Ok(())
}

/// Refuses options that the operator allows but a dialect sets itself.
pub(crate) fn refuse_own<'o>(own: &[&str], options: impl IntoIterator<Item = &'o String>) -> anyhow::Result<()> {
    for name in options {
        if own.contains(&name.as_str()) {
            anyhow::bail!("the option {name:?} cannot be set freely: Gristmill sets it; remove it from the options");
        }
    }
    Ok(())
}

/// A number that JSON can say.
pub(crate) fn number(name: &str, value: f64) -> Result<Value, ChatFailure> {
    if value.is_finite() {
        return Ok(json!(value));
    }
    Err(ChatFailure::InvalidRequest(format!("{name} is {value}; give a finite number")))
}

/// What a dialect calls the parameters of sampling that do not have the same name everywhere.
pub(crate) struct SamplingNames {
    pub(crate) top_p: &'static str,
    pub(crate) stop: &'static str,
}

/// Adds what a request says about sampling to these fields. `temperature` is that of the target.
pub(crate) fn add_sampling(
    fields: &mut Map<String, Value>,
    names: &SamplingNames,
    temperature: Option<f64>,
    request: &ChatRequest,
) -> Result<(), ChatFailure> {
    if let Some(temperature) = request.temperature.or(temperature) {
        fields.insert("temperature".into(), number("temperature", temperature)?);
    }
    if let Some(top_p) = request.top_p {
        fields.insert(names.top_p.into(), number("top-p", top_p)?);
    }
    if !request.stop.is_empty() {
        fields.insert(names.stop.into(), json!(request.stop));
    }
    Ok(())
}

/// The fewest tokens that a raised limit on output tokens is raised by.
const RAISE: u32 = 8_192;

/// The limit on output tokens to send: that of the answer, `headroom` for what the model thinks, and as much again, at
/// least 8192, each time that it was raised. `None` if there is none to raise.
pub(crate) fn output_limit(request: &ChatRequest, most: Option<u32>, headroom: u32) -> Option<u32> {
    let answer = least(request.max_output_tokens, most)?;
    let raised = headroom.max(RAISE).saturating_mul(request.raised);
    Some(answer.saturating_add(headroom).saturating_add(raised))
}

/// What a request asks for, at most what the target allows; what the target says if it asks for nothing.
pub(crate) fn least(asked: Option<u32>, most: Option<u32>) -> Option<u32> {
    match (asked, most) {
        (Some(asked), Some(most)) => Some(asked.min(most)),
        (asked, most) => asked.or(most),
    }
}

/// The text of a message without media.
pub(crate) fn plain_text(message: &ChatMessage) -> Result<String, ChatFailure> {
    let mut whole = String::new();
    for part in &message.content {
        match part {
            Content::Text(text) => whole.push_str(text),
            Content::Media { .. } => {
                let reason = "only a user message can carry media; move them into one";
                return Err(ChatFailure::InvalidRequest(reason.into()));
            }
        }
    }
    Ok(whole)
}

/// Media that a dialect does not take.
pub(crate) fn no_such_media(media_type: &str, taken: &str) -> ChatFailure {
    let media_type = crate::quote::clean(media_type);
    ChatFailure::InvalidRequest(format!("media of type {media_type:?} cannot be sent to this model; it takes {taken}"))
}

/// The messages of a request, at least one.
pub(crate) fn some_messages(request: &ChatRequest) -> Result<&[ChatMessage], ChatFailure> {
    match request.messages.as_slice() {
        [] => Err(ChatFailure::InvalidRequest("the request has no messages; give at least one".into())),
        messages => Ok(messages),
    }
}

/// Encoded messages, each with its `role` and `content`, with an instruction for all of them. It goes into the leading system
/// message, which is added if missing: many chat templates take only one, and only at the start.
pub(crate) fn instructed(mut messages: Vec<Value>, instruction: Option<String>) -> Vec<Value> {
    let Some(instruction) = instruction else { return messages };
    match messages.first_mut().filter(|first| first["role"] == "system") {
        Some(first) => {
            let text = first["content"].as_str().unwrap_or_default();
            first["content"] = json!(format!("{text}\n\n{instruction}"));
        }
        None => messages.insert(0, json!({"role": "system", "content": instruction})),
    }
    messages
}

/// The system messages in one, with an instruction behind them, and the other messages. For dialects that keep the two
/// apart.
pub(crate) fn split_system(
    request: &ChatRequest,
    instruction: Option<String>,
) -> Result<(Option<String>, Vec<&ChatMessage>), ChatFailure> {
    let (mut system, mut others) = (Vec::new(), Vec::new());
    for message in &request.messages {
        match message.role {
            Role::System => system.push(plain_text(message)?),
            Role::User | Role::Assistant => others.push(message),
        }
    }
    if others.is_empty() {
        let reason = "the request has no messages of a user; give at least one besides the system's";
        return Err(ChatFailure::InvalidRequest(reason.into()));
    }
    system.extend(instruction);
    system.retain(|text| !text.is_empty());
    Ok(((!system.is_empty()).then(|| system.join("\n\n")), others))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, message};

    fn with(name: &str, value: &str) -> ChatRequest {
        ChatRequest { options: vec![(name.into(), value.into())], ..fixtures::request("hello") }
    }

    fn added(allowed: &[&str], request: &ChatRequest) -> Result<Value, ChatFailure> {
        let allowed: Vec<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        let mut fields = Map::new();
        add_options(&mut fields, &allowed, request)?;
        Ok(Value::Object(fields))
    }

    #[test]
    fn options_are_added_only_if_the_operator_allows_them() {
        assert_eq!(added(&["top_k"], &with("top_k", "5")), Ok(json!({"top_k": 5})));
        for (allowed, request, expected) in [
            (&["top_k"][..], with("tools", "[]"), "allowed here: top_k"),
            (&[], with("tools", "[]"), "allowed here: none"),
            (&["user"], with("user", "bare"), "not JSON"),
        ] {
            let ChatFailure::InvalidRequest(reason) = added(allowed, &request).unwrap_err() else { panic!("accepted") };
            assert!(reason.contains(expected), "{reason}");
        }
        assert!(
            refuse_own(&["stream"], &["top_k".into(), "stream".into()]).unwrap_err().to_string().contains("stream")
        );
        assert!(refuse_own(&["stream"], &["top_k".into()]).is_ok());
    }

    #[test]
    fn the_limit_has_room_for_thinking_and_more_each_time_it_is_raised() {
        let asked = |most, raised| ChatRequest { max_output_tokens: most, raised, ..fixtures::request("hello") };
        for (request, most, headroom, expected) in [
            (asked(None, 0), None, 0, None),
            (asked(None, 1), None, 4_096, None),
            (asked(None, 0), Some(500), 0, Some(500)),
            (asked(Some(900), 0), Some(500), 0, Some(500)),
            (asked(Some(100), 0), Some(500), 4_096, Some(4_196)),
            (asked(Some(100), 1), Some(500), 0, Some(8_292)),
            (asked(Some(100), 1), Some(500), 24_576, Some(49_252)),
            (asked(Some(100), 2), None, 0, Some(16_484)),
            (asked(Some(u32::MAX), 9), None, 9, Some(u32::MAX)),
        ] {
            assert_eq!(output_limit(&request, most, headroom), expected, "{request:?}");
        }
    }

    #[test]
    fn numbers_that_json_cannot_say_are_refused() {
        assert!(number("temperature", f64::NAN).is_err());
        assert_eq!(number("temperature", 0.5), Ok(json!(0.5)));
    }

    #[test]
    fn the_system_is_kept_apart_and_the_instruction_stands_behind_it() {
        let messages = vec![
            message(Role::System, "Be kind."),
            message(Role::User, "hello"),
            message(Role::System, "Be brief."),
            message(Role::Assistant, "hi"),
        ];
        let request = ChatRequest { messages, ..fixtures::request("") };
        let (system, others) = split_system(&request, Some("As JSON.".into())).unwrap();
        assert_eq!(system.as_deref(), Some("Be kind.\n\nBe brief.\n\nAs JSON."));
        assert_eq!(others.len(), 2);
        let plain = fixtures::request("hello");
        assert_eq!(split_system(&plain, None).unwrap().0, None);
        let alone = ChatRequest { messages: vec![message(Role::System, "Be kind.")], ..fixtures::request("") };
        assert!(split_system(&alone, None).is_err());
    }
}
