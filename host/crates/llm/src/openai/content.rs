//! What a message says, wherever its server puts that. Pure.

use serde_json::Value;

use gristmill_core::model::Format;

use crate::answer;

/// The text of a message. Where JSON was asked for and there is no text, that is the arguments of its only tool call, or
/// its reasoning if that is a document and nothing else: servers that split an answer into parts put it there.
pub(super) fn text(message: &Value, format: &Format) -> String {
    let said = said(&message["content"]);
    if matches!(format, Format::Text) || !said.trim().is_empty() {
        return said;
    }
    arguments(message).or_else(|| reasoning(message)).unwrap_or(said)
}

/// Whether the model refused, in a field or a part of the content.
pub(super) fn is_refused(message: &Value) -> bool {
    let refuses = |part: &Value| part["refusal"].as_str().is_some_and(|refusal| !refusal.is_empty());
    refuses(message) || message["content"].as_array().is_some_and(|parts| parts.iter().any(refuses))
}

/// A string, or a list of parts, of which only the text is meant. An object is a part or else the document itself.
fn said(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(part).collect(),
        Value::Object(_) => part(content).map_or_else(|| content.to_string(), str::to_owned),
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}

fn part(part: &Value) -> Option<&str> {
    match (part, part["type"].as_str()) {
        (Value::String(text), _) => Some(text),
        (_, Some("text" | "output_text")) => part["text"].as_str(),
        _ => None,
    }
}

fn arguments(message: &Value) -> Option<String> {
    let call = match message["tool_calls"].as_array().map(Vec::as_slice) {
        Some([call]) => &call["function"],
        Some([_, _, ..]) => return None,
        Some([]) | None => &message["function_call"],
    };
    match &call["arguments"] {
        Value::String(text) => Some(text.clone()),
        arguments @ Value::Object(_) => Some(arguments.to_string()),
        _ => None,
    }
}

fn reasoning(message: &Value) -> Option<String> {
    let text = message["reasoning_content"].as_str().or(message["reasoning"].as_str())?;
    answer::complete(text).map(|document| document.text.into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_read_wherever_it_stands() {
        for (content, expected) in [
            (json!("hello"), "hello"),
            (json!([{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]), "hello"),
            (
                json!([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "hello"}]),
                "hello",
            ),
            (json!(["hel", {"type": "output_text", "text": "lo"}]), "hello"),
            (json!({"type": "text", "text": "hello"}), "hello"),
            (json!({"a": 1}), "{\"a\":1}"),
            (json!([]), ""),
            (Value::Null, ""),
        ] {
            assert_eq!(text(&json!({ "content": content }), &Format::Text), expected, "{content}");
        }
    }

    #[test]
    fn json_is_also_read_from_the_only_tool_call_and_from_reasoning_that_is_nothing_else() {
        let call = |arguments: Value| json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}});
        let document = "{\"a\":1}";
        for (message, expected) in [
            (json!({"content": null, "tool_calls": [call(json!(document))]}), document),
            (json!({"content": "", "tool_calls": [call(json!({"a": 1}))]}), document),
            (json!({"function_call": {"name": "f", "arguments": document}}), document),
            (json!({"content": null, "reasoning_content": document}), document),
            (json!({"content": " ", "reasoning": document, "tool_calls": []}), document),
            (json!({"content": "{}", "tool_calls": [call(json!(document))], "reasoning": document}), "{}"),
            (json!({"content": "", "tool_calls": [call(json!(document)), call(json!(document))]}), ""),
            (json!({"content": "", "reasoning": "perhaps {\"a\":1}"}), ""),
            (json!({"content": "", "reasoning": "{\"a\":"}), ""),
        ] {
            assert_eq!(text(&message, &Format::Json), expected, "{message}");
            if message["content"].as_str().is_none_or(|content| content.trim().is_empty()) {
                assert_eq!(text(&message, &Format::Text).trim(), "", "{message}: a text is not taken from elsewhere");
            }
        }
    }

    #[test]
    fn a_refusal_is_seen_in_a_field_and_in_a_part() {
        assert!(is_refused(&json!({"content": null, "refusal": "no"})));
        assert!(is_refused(&json!({"content": [{"type": "refusal", "refusal": "no"}]})));
        assert!(!is_refused(&json!({"content": "hello", "refusal": null})));
        assert!(!is_refused(&json!({"content": "hello", "refusal": ""})));
    }
}
