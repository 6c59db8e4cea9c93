//! The JSON Schema that Anthropic's `output_config.format` takes. Pure.

use serde_json::{Map, Value, json};

use crate::narrow::{self, Fate, Keywords, NotHeld, Unheld, is_recursive, narrow};

const FORMATS: [&str; 10] =
    ["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"];

/// The schema as Anthropic takes it: closed objects, no bounds, no recursion.
pub(super) fn narrowed(schema: &Value) -> Result<Value, NotHeld> {
    if is_recursive(schema) {
        return Err(NotHeld);
    }
    narrow(&Anthropic, schema)
}

/// What Anthropic does not take of a schema.
pub(crate) fn unheld(schema: &Value) -> Unheld {
    if is_recursive(schema) { Unheld::Whole } else { narrow::unheld(&Anthropic, schema) }
}

struct Anthropic;

impl Keywords for Anthropic {
    fn fate(&self, keyword: &str, value: &Value) -> Fate {
        match keyword {
            "$defs" | "$ref" | "anyOf" | "const" | "default" | "definitions" | "description" | "items" | "oneOf"
            | "properties" | "required" | "title" | "type" => Fate::Kept,
            // It takes plain values only.
            "enum" if value.as_array().is_some_and(|all| all.iter().all(is_plain)) => Fate::Kept,
            "format" if value.as_str().is_some_and(|format| FORMATS.contains(&format)) => Fate::Kept,
            "minItems" if value.as_u64().is_some_and(|least| least <= 1) => Fate::Kept,
            // Objects are closed below. Properties of names that nobody knows would be excluded by that.
            "additionalProperties" if value.is_object() => Fate::Needed,
            "additionalProperties" => Fate::Dropped,
            "patternProperties" => Fate::Needed,
            _ => Fate::Said,
        }
    }

    fn finish(&self, part: &mut Map<String, Value>) -> Result<(), NotHeld> {
        if let Some(branches) = part.remove("oneOf")
            && part.insert("anyOf".into(), branches).is_some()
        {
            return Err(NotHeld);
        }
        let is_object = match part.get("type") {
            Some(Value::String(name)) => name == "object",
            Some(Value::Array(names)) => names.iter().any(|name| name == "object"),
            _ => part.contains_key("properties"),
        };
        if !is_object {
            return Ok(());
        }
        let known = part.get("properties").and_then(Value::as_object).ok_or(NotHeld)?;
        let required = part.get("required").and_then(Value::as_array).into_iter().flatten();
        let mut required = required.filter_map(Value::as_str);
        if !required.all(|name| known.contains_key(name)) {
            return Err(NotHeld);
        }
        part.insert("additionalProperties".into(), json!(false));
        Ok(())
    }
}

fn is_plain(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_said_and_objects_closed() {
        let schema = json!({
            "type": "object", "additionalProperties": true, "required": ["score"],
            "properties": {
                "score": {"type": "number", "minimum": 0, "maximum": 1},
                "due": {"type": ["string", "null"], "format": "date"},
                "code": {"type": "string", "format": "iban", "enum": ["a", "b"]},
                "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
                "who": {"oneOf": [{"type": "string"}, {"type": "object", "properties": {"id": {"type": "integer"}}}]},
            },
        });
        let expected = json!({
            "type": "object", "additionalProperties": false, "required": ["score"],
            "properties": {
                "score": {"type": "number", "description": "Must also satisfy: maximum = 1, minimum = 0."},
                "due": {"type": ["string", "null"], "format": "date"},
                "code": {"type": "string", "enum": ["a", "b"], "description": "Must also satisfy: format = \"iban\"."},
                "tags": {
                    "type": "array", "items": {"type": "string"}, "minItems": 1,
                    "description": "Must also satisfy: maxItems = 3.",
                },
                "who": {"anyOf": [
                    {"type": "string"},
                    {"type": "object", "properties": {"id": {"type": "integer"}}, "additionalProperties": false},
                ]},
            },
        });
        assert_eq!(narrowed(&schema), Ok(expected));
    }

    #[test]
    fn what_it_cannot_hold_is_left_to_words() {
        for schema in [
            json!({"type": "object"}),
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            json!({"type": "object", "properties": {}, "patternProperties": {"^x": {"type": "string"}}}),
            json!({"type": "object", "properties": {"a": {"type": "null"}}, "required": ["b"]}),
            json!({"anyOf": [{"type": "null"}], "oneOf": [{"type": "null"}]}),
            json!({"$defs": {"n": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}}, "$ref": "#/$defs/n"}),
        ] {
            assert_eq!(narrowed(&schema), Err(NotHeld), "{schema}");
        }
    }
}
