//! Combines the answer schemas of several tasks into one object schema.

use serde_json::{Map, Value, json};

/// The schema of an object that has exactly these keys, each with its own schema.
pub(crate) fn object_of<'a>(members: impl Iterator<Item = (&'a str, &'a Map<String, Value>)>) -> Value {
    let mut properties = Map::new();
    for (name, schema) in members {
        let mut schema = schema.clone();
        // These two belong to a standalone schema: inside another one they change how references resolve.
        schema.shift_remove("$schema");
        schema.shift_remove("$id");
        let mut schema = Value::Object(schema);
        rebase(&mut schema, &format!("#/properties/{name}"));
        properties.insert(name.into(), schema);
    }
    let required: Vec<_> = properties.keys().cloned().collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// Rewrites references to the root of a schema (`#`, `#/$defs/x`) to the schema's new place.
fn rebase(schema: &mut Value, root: &str) {
    match schema {
        Value::Object(keywords) => {
            for (keyword, value) in keywords {
                match value {
                    Value::String(target) if keyword == "$ref" && (target == "#" || target.starts_with("#/")) => {
                        *target = format!("{root}{}", &target[1..]);
                    }
                    // These hold data, not schemas.
                    _ if matches!(keyword.as_str(), "const" | "enum" | "default" | "examples") => {}
                    _ => rebase(value, root),
                }
            }
        }
        Value::Array(schemas) => {
            for schema in schemas {
                rebase(schema, root);
            }
        }
        _ => {}
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
    fn data_inside_a_schema_is_not_changed() {
        let schema = map(json!({"const": {"$ref": "#/x"}, "properties": {"$ref": {"enum": ["#/y"]}}}));
        let combined = object_of([("t", &schema)].into_iter());
        assert_eq!(combined["properties"]["t"], Value::Object(schema));
    }
}
