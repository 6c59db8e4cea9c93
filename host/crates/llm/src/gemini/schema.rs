//! The JSON Schema that Gemini's `responseJsonSchema` takes. Pure.

use serde_json::{Map, Value, json};

use crate::narrow::{self, Fate, Keywords, NotHeld, Unheld, narrow};

const FORMATS: [&str; 7] = ["date", "date-time", "double", "float", "int32", "int64", "time"];

/// The schema as Gemini takes it.
pub(super) fn narrowed(schema: &Value) -> Result<Value, NotHeld> {
    narrow(&Gemini, schema)
}

/// What Gemini does not take of a schema.
pub(crate) fn unheld(schema: &Value) -> Unheld {
    narrow::unheld(&Gemini, schema)
}

struct Gemini;

impl Keywords for Gemini {
    fn fate(&self, keyword: &str, value: &Value) -> Fate {
        match keyword {
            "$defs"
            | "$ref"
            | "additionalProperties"
            | "anyOf"
            | "description"
            | "items"
            | "maxItems"
            | "maximum"
            | "minItems"
            | "minimum"
            | "oneOf"
            | "prefixItems"
            | "properties"
            | "propertyOrdering"
            | "required"
            | "title"
            | "type" => Fate::Kept,
            "const" if is_named(value) => Fate::Kept,
            "enum" if value.as_array().is_some_and(|all| all.iter().all(is_named)) => Fate::Kept,
            "format" if value.as_str().is_some_and(|format| FORMATS.contains(&format)) => Fate::Kept,
            // Properties of names that nobody knows would be excluded by a list of the known ones.
            "patternProperties" => Fate::Needed,
            _ => Fate::Said,
        }
    }

    fn finish(&self, part: &mut Map<String, Value>) -> Result<(), NotHeld> {
        // It knows no constants, but lists of one.
        if let Some(only) = part.remove("const") {
            if !part.contains_key("type") {
                let name = if only.is_string() { "string" } else { "number" };
                part.insert("type".into(), json!(name));
            }
            part.insert("enum".into(), json!([only]));
        }
        Ok(())
    }
}

/// Gemini's lists hold texts and numbers only.
fn is_named(value: &Value) -> bool {
    value.is_string() || value.is_number()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gemini_does_not_take_is_said() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["kind"], "propertyNames": {"maxLength": 9},
            "properties": {
                "kind": {"const": "invoice"},
                "due": {"type": "string", "format": "date"},
                "mail": {"type": "string", "format": "email", "maxLength": 80},
                "total": {"type": "number", "minimum": 0, "exclusiveMaximum": 1000},
                "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3, "uniqueItems": true},
                "on": {"type": "boolean", "enum": [true]},
            },
        });
        let expected = json!({
            "type": "object", "additionalProperties": false, "required": ["kind"],
            "description": "Must also satisfy: propertyNames = {\"maxLength\":9}.",
            "properties": {
                "kind": {"type": "string", "enum": ["invoice"]},
                "due": {"type": "string", "format": "date"},
                "mail": {"type": "string", "description": "Must also satisfy: format = \"email\", maxLength = 80."},
                "total": {"type": "number", "minimum": 0, "description": "Must also satisfy: exclusiveMaximum = 1000."},
                "tags": {
                    "type": "array", "items": {"type": "string"}, "maxItems": 3,
                    "description": "Must also satisfy: uniqueItems = true.",
                },
                "on": {"type": "boolean", "description": "Must also satisfy: enum = [true]."},
            },
        });
        assert_eq!(narrowed(&schema), Ok(expected));
    }

    #[test]
    fn open_objects_and_references_are_held_and_patterns_of_names_are_not() {
        let open = json!({"type": "object", "additionalProperties": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}}});
        assert_eq!(narrowed(&open), Ok(open.clone()));
        assert_eq!(narrowed(&json!({"type": "object", "patternProperties": {"^x": {"type": "null"}}})), Err(NotHeld));
        assert_eq!(narrowed(&json!({"description": "anything"})), Err(NotHeld));
    }
}
