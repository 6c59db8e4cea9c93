//! The dialects for telling a server what form an answer must have.

use serde_json::{Map, Value, json};

use gristmill_core::model::{ChatFailure, Format};

use crate::parameters::{Wanted, any_json_in_words, schema_in_words};
use crate::settings::Structured;

/// What a format adds to a request.
#[derive(Debug, PartialEq)]
pub(super) struct Told {
    /// The `response_format` field.
    pub(super) response_format: Option<Value>,
    /// Text to append to the system message.
    pub(super) instruction: Option<String>,
}

/// Expresses a format as fields and instructions. A schema that is not JSON is an invalid request.
pub(super) fn told(dialect: Structured, format: &Format) -> Result<Told, ChatFailure> {
    let (name, description, schema) = match Wanted::of(format)? {
        Wanted::Text => return Ok(Told { response_format: None, instruction: None }),
        Wanted::Json => return Ok(any_json(dialect)),
        Wanted::Schema { name, description, schema } => (name, description, schema),
    };
    Ok(match dialect {
        Structured::JsonSchema => {
            let mut named = Map::new();
            named.insert("name".into(), json!(name));
            if let Some(description) = description {
                named.insert("description".into(), json!(description));
            }
            named.insert("strict".into(), json!(is_strict(&schema)));
            named.insert("schema".into(), schema);
            let response_format = json!({"type": "json_schema", "json_schema": named});
            Told { response_format: Some(response_format), instruction: None }
        }
        Structured::JsonObjectSchema => {
            Told { response_format: Some(json!({"type": "json_object", "schema": schema})), instruction: None }
        }
        Structured::JsonObject => {
            Told { response_format: Some(json!({"type": "json_object"})), instruction: Some(schema_in_words(&schema)) }
        }
        Structured::Prompt => Told { response_format: None, instruction: Some(schema_in_words(&schema)) },
    })
}

/// OpenAI refuses `json_object` unless the messages mention JSON, hence the instruction in every dialect.
fn any_json(dialect: Structured) -> Told {
    let response_format = match dialect {
        Structured::Prompt => None,
        Structured::JsonSchema | Structured::JsonObjectSchema | Structured::JsonObject => {
            Some(json!({"type": "json_object"}))
        }
    };
    Told { response_format, instruction: Some(any_json_in_words()) }
}

/// Keywords that OpenAI's strict mode accepts.
const STRICT: [&str; 20] = [
    "$defs",
    "$ref",
    "additionalProperties",
    "anyOf",
    "const",
    "description",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxItems",
    "maximum",
    "minItems",
    "minimum",
    "multipleOf",
    "pattern",
    "properties",
    "required",
    "type",
];

/// Whether OpenAI's strict mode would accept this schema: an object at the top; every object closed and all its
/// properties required; no other keywords. Other schemas are sent as non-strict, and the answer is checked here anyway.
fn is_strict(schema: &Value) -> bool {
    schema.get("type") == Some(&json!("object")) && is_strict_part(schema)
}

fn is_strict_part(schema: &Value) -> bool {
    let Some(keywords) = schema.as_object() else {
        return false;
    };
    let nested = |value: &Value| value.as_object().is_some_and(|parts| parts.values().all(is_strict_part));
    let known = keywords.iter().all(|(keyword, value)| match keyword.as_str() {
        "properties" | "$defs" => nested(value),
        "items" => is_strict_part(value),
        "anyOf" => value.as_array().is_some_and(|parts| parts.iter().all(is_strict_part)),
        "title" | "$schema" => true,
        keyword => STRICT.contains(&keyword),
    });
    let is_object = keywords.contains_key("properties") || keywords.get("type") == Some(&json!("object"));
    known && (!is_object || is_closed(keywords))
}

fn is_closed(object: &Map<String, Value>) -> bool {
    let required: Vec<&str> = match object.get("required").and_then(Value::as_array) {
        Some(names) => names.iter().filter_map(Value::as_str).collect(),
        None => Vec::new(),
    };
    let properties = object.get("properties").and_then(Value::as_object);
    object.get("additionalProperties") == Some(&json!(false))
        && properties.is_some_and(|all| all.keys().all(|name| required.contains(&name.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    const CLOSED: &str =
        r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#;

    fn field(dialect: Structured, format: &Format) -> Option<Value> {
        told(dialect, format).unwrap().response_format
    }

    #[test]
    fn a_schema_is_told_in_the_servers_dialect() {
        let format = fixtures::schema(CLOSED);
        let schema: Value = serde_json::from_str(CLOSED).unwrap();
        let named = json!({"name": "answer", "strict": true, "schema": schema});
        let expected = json!({"type": "json_schema", "json_schema": named});
        assert_eq!(field(Structured::JsonSchema, &format), Some(expected));
        let expected = json!({"type": "json_object", "schema": schema});
        assert_eq!(field(Structured::JsonObjectSchema, &format), Some(expected));
        assert_eq!(field(Structured::JsonObject, &format), Some(json!({"type": "json_object"})));
        assert_eq!(field(Structured::Prompt, &format), None);
    }

    #[test]
    fn a_schema_goes_into_the_instructions_where_there_is_no_field_for_it() {
        let format = fixtures::schema(CLOSED);
        for (dialect, in_words) in [
            (Structured::JsonSchema, false),
            (Structured::JsonObjectSchema, false),
            (Structured::JsonObject, true),
            (Structured::Prompt, true),
        ] {
            let instruction = told(dialect, &format).unwrap().instruction;
            assert_eq!(instruction.is_some_and(|text| text.contains("additionalProperties")), in_words, "{dialect:?}");
        }
    }

    #[test]
    fn a_schema_keeps_the_order_of_its_properties() {
        let schema = r#"{"type":"object","properties":{"reason":{"type":"string"},"is_spam":{"type":"boolean"}}}"#;
        let body = field(Structured::JsonSchema, &fixtures::schema(schema)).unwrap().to_string();
        assert!(body.find("reason") < body.find("is_spam"), "{body}");
    }

    #[test]
    fn any_json_is_asked_for_in_words_in_every_dialect() {
        for (dialect, has_field) in [
            (Structured::JsonSchema, true),
            (Structured::JsonObjectSchema, true),
            (Structured::JsonObject, true),
            (Structured::Prompt, false),
        ] {
            let told = told(dialect, &Format::Json).unwrap();
            assert_eq!(told.response_format.is_some(), has_field, "{dialect:?}");
            assert!(told.instruction.unwrap().contains("JSON"));
        }
    }

    #[test]
    fn strict_is_said_only_of_schemas_that_strict_mode_takes() {
        for (schema, strict) in [
            (CLOSED, true),
            (r#"{"type":"object","properties":{},"additionalProperties":false}"#, true),
            (r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}"#, false),
            (r#"{"type":"object","properties":{"a":{}},"required":[],"additionalProperties":false}"#, false),
            (r#"{"type":"array","items":{"type":"string"}}"#, false),
            (
                r#"{"type":"object","properties":{"a":{"type":"string","maxLength":3}},"required":["a"],"additionalProperties":false}"#,
                false,
            ),
            (
                r#"{"type":"object","properties":{"a":{"type":"array","items":{"type":"object","properties":{"b":{"type":"number"}}}}},"required":["a"],"additionalProperties":false}"#,
                false,
            ),
        ] {
            assert_eq!(is_strict(&serde_json::from_str(schema).unwrap()), strict, "{schema}");
        }
    }

    #[test]
    fn a_schema_that_is_not_json_is_an_invalid_request() {
        let failure = told(Structured::JsonSchema, &fixtures::schema("{nope")).unwrap_err();
        assert!(matches!(failure, ChatFailure::InvalidRequest(_)), "{failure:?}");
    }
}
