//! Combines the answer schemas of several tasks into one object schema.

use serde_json::{Map, Value, json};

/// The schema of an object that has exactly these keys, each with its own schema.
pub(crate) fn object_of<'a>(members: impl Iterator<Item = (&'a str, &'a Map<String, Value>)>) -> Value {
    let mut properties = Map::new();
    for (name, schema) in members {
        let mut schema = schema.clone();
        // These two belong to a standalone schema: inside another one they change how references resolve.
        schema.shift_remove("$schema");
        let id = schema.shift_remove("$id");
        let move_to = Move { id: id.as_ref().and_then(Value::as_str), root: &format!("#/properties/{name}") };
        let mut schema = Value::Object(schema);
        move_to.rebase(&mut schema);
        properties.insert(name.into(), schema);
    }
    let required: Vec<_> = properties.keys().cloned().collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// Whether the value of a keyword is data, not a schema.
pub(crate) fn holds_data(keyword: &str) -> bool {
    matches!(keyword, "const" | "enum" | "default" | "examples")
}

/// Whether the members of a keyword's object have names that are no keywords.
pub(crate) fn holds_names(keyword: &str) -> bool {
    matches!(
        keyword,
        "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" | "dependencies"
    )
}

/// A schema that becomes part of another one.
struct Move<'a> {
    /// Its identifier, by which references may name it.
    id: Option<&'a str>,
    /// Where it will be.
    root: &'a str,
}

impl Move<'_> {
    /// Rewrites references to the root of the schema (`#`, `#/$defs/x`) to its new place.
    fn rebase(&self, schema: &mut Value) {
        match schema {
            Value::Object(keywords) => {
                // References below an identifier start there.
                if keywords.get("$id").is_some_and(Value::is_string) {
                    return;
                }
                for (keyword, value) in keywords {
                    match (keyword.as_str(), value) {
                        ("$ref" | "$dynamicRef", Value::String(target)) => self.rebase_target(target),
                        (keyword, _) if holds_data(keyword) => {}
                        (keyword, Value::Object(schemas)) if holds_names(keyword) => {
                            schemas.values_mut().for_each(|schema| self.rebase(schema));
                        }
                        (_, value) => self.rebase(value),
                    }
                }
            }
            Value::Array(schemas) => schemas.iter_mut().for_each(|schema| self.rebase(schema)),
            _ => {}
        }
    }

    fn rebase_target(&self, target: &mut String) {
        let own = self.id.and_then(|id| target.strip_prefix(id.trim_end_matches('#')));
        let inside = match own.unwrap_or(target) {
            "" | "#" => "",
            inside if inside.starts_with("#/") => &inside[1..],
            _ => return,
        };
        *target = format!("{}{inside}", self.root);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_keys_keep_their_order_and_are_all_required() {
        let (b, a) = (map(json!({"type": "string"})), map(json!({"type": "number"})));
        let combined = object_of([("b", &b), ("a", &a)].into_iter());
        assert_eq!(
            combined.to_string(),
            r#"{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"number"}},"required":["b","a"],"additionalProperties":false}"#
        );
    }

    #[test]
    fn references_to_the_root_follow_the_schema_to_its_new_place() {
        let tree = map(json!({
            "$id": "https://example.org/tree",
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$defs": { "leaf": { "type": "integer" } },
            "anyOf": [{ "$ref": "#/$defs/leaf" }, { "type": "array", "items": { "$ref": "#" } }],
        }));
        let combined = object_of([("tree", &tree)].into_iter());
        assert!(jsonschema::is_valid(&combined, &json!({"tree": [1, [2, [3]]]})));
        assert!(!jsonschema::is_valid(&combined, &json!({"tree": [1, ["x"]]})));
    }

    #[test]
    fn a_property_may_be_called_like_a_keyword() {
        let schema = map(json!({
            "properties": {
                "default": { "$ref": "#/$defs/v" }, "enum": { "$ref": "#/$defs/v" }, "$ref": { "$ref": "#/$defs/v" },
                "properties": { "properties": { "const": { "$ref": "#/$defs/v" } } },
            },
            "$defs": { "v": { "type": "integer" }, "examples": { "$ref": "#/$defs/v" } },
        }));
        let combined = object_of([("t", &schema)].into_iter());
        for (task, fits) in [
            (json!({"default": 1, "enum": 1, "$ref": 1, "properties": {"const": 1}}), true),
            (json!({"default": "x"}), false),
            (json!({"enum": "x"}), false),
            (json!({"$ref": "x"}), false),
            (json!({"properties": {"const": "x"}}), false),
        ] {
            assert_eq!(jsonschema::is_valid(&combined, &json!({ "t": task })), fits, "{task}");
        }
    }

    #[test]
    fn a_reference_may_name_the_schema_by_its_identifier() {
        let schema = map(json!({
            "$id": "https://example.org/v", "$ref": "https://example.org/v#/$defs/v",
            "$defs": { "v": { "type": "integer" } },
        }));
        let combined = object_of([("t", &schema)].into_iter());
        assert!(
            jsonschema::is_valid(&combined, &json!({"t": 1})) && !jsonschema::is_valid(&combined, &json!({"t": "x"}))
        );
    }

    #[test]
    fn data_inside_a_schema_is_not_changed() {
        let schema = map(json!({"const": {"$ref": "#/x"}, "properties": {"$ref": {"enum": ["#/y"]}}}));
        let combined = object_of([("t", &schema)].into_iter());
        assert_eq!(combined["properties"]["t"], Value::Object(schema));
    }
}
