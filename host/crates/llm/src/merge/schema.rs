//! The schema of several answers in one. Pure.

use serde_json::{Map, Value, json};

/// Where the schema of one answer stands in that of all.
const PLACE: &str = "#/properties/answers/items/properties/answer";
/// Keywords by which references mean something else inside another schema.
const NAMING: [&str; 6] = ["$anchor", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveRef", "$schema"];

/// The schema of a list of answers that each fit this schema. `None` if it cannot stand inside another one.
pub(super) fn of_many(schema: &str) -> Option<Value> {
    let Value::Object(mut one) = serde_json::from_str(schema).ok()? else { return None };
    one.shift_remove("$schema");
    rebase(&mut one)?;
    // Definitions are only found by all providers at the root.
    let definitions = one.shift_remove("$defs");
    let entry = json!({
        "type": "object",
        "properties": { "id": { "type": "integer" }, "answer": one },
        "required": ["id", "answer"],
        "additionalProperties": false,
    });
    let mut many = json!({
        "type": "object",
        "properties": { "answers": { "type": "array", "items": entry } },
        "required": ["answers"],
        "additionalProperties": false,
    });
    if let (Some(definitions), Value::Object(many)) = (definitions, &mut many) {
        many.insert("$defs".into(), definitions);
    }
    Some(many)
}

/// Rewrites references to where they lead from inside. `None` if something has a name of its own.
fn rebase(schema: &mut Map<String, Value>) -> Option<()> {
    for (keyword, value) in schema {
        match (keyword.as_str(), value) {
            (keyword, _) if NAMING.contains(&keyword) => return None,
            ("$ref", Value::String(target)) => {
                let inside = target.strip_prefix('#').filter(|inside| inside.is_empty() || inside.starts_with('/'))?;
                if !inside.starts_with("/$defs/") {
                    *target = format!("{PLACE}{inside}");
                }
            }
            // Their values are data.
            ("const" | "enum" | "default" | "examples", _) => {}
            (
                "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" | "dependencies",
                Value::Object(named),
            ) => named.values_mut().try_for_each(within)?,
            (_, value) => within(value)?,
        }
    }
    Some(())
}

fn within(value: &mut Value) -> Option<()> {
    match value {
        Value::Object(schema) => rebase(schema),
        Value::Array(schemas) => schemas.iter_mut().try_for_each(within),
        _ => Some(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(schema: &str, answer: Value) -> bool {
        let many = of_many(schema).unwrap();
        assert!(jsonschema::meta::is_valid(&many), "{many}");
        jsonschema::is_valid(&many, &json!({"answers": [{"id": 1, "answer": answer}]}))
    }

    #[test]
    fn each_answer_has_to_fit_its_schema() {
        let schema = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","required":["n"]}"#;
        assert!(fits(schema, json!({"n": 1})) && !fits(schema, json!({"m": 1})) && !fits(schema, json!(7)));
        let many = of_many(schema).unwrap();
        assert!(!jsonschema::is_valid(&many, &json!({"answers": [{"answer": {"n": 1}}]})), "without an id");
    }

    #[test]
    fn references_lead_to_where_they_led() {
        let tree = r##"{"anyOf":[{"$ref":"#/$defs/leaf"},{"type":"array","items":{"$ref":"#"}}],
            "$defs":{"leaf":{"type":"integer"},"const":{"$ref":"#/$defs/leaf"}}}"##;
        assert!(fits(tree, json!([1, [2, []]])) && !fits(tree, json!([1, ["x"]])));
        let by_path = r##"{"properties":{"a":{"type":"integer"},"b":{"$ref":"#/properties/a"},"const":{"$ref":"#/properties/a"}}}"##;
        assert!(
            fits(by_path, json!({"b": 1})) && !fits(by_path, json!({"b": "x"})) && !fits(by_path, json!({"const": ""}))
        );
    }

    #[test]
    fn data_is_not_changed() {
        let schema = r##"{"const":{"$ref":"#/x","$id":"y"}}"##;
        assert!(fits(schema, json!({"$ref": "#/x", "$id": "y"})));
    }

    #[test]
    fn a_schema_with_names_of_its_own_stays_alone() {
        for schema in [
            r#"{"$id":"https://example.com/s"}"#,
            r#"{"items":{"$anchor":"a"}}"#,
            r##"{"$ref":"#a"}"##,
            r#"{"$ref":"https://example.com/s"}"#,
            "true",
            "{nope",
        ] {
            assert_eq!(of_many(schema), None, "{schema}");
        }
    }
}
