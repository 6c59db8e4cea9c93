//! How much work a JSON Schema makes. Stages bring schemas, for their configuration and for the answers of models, and a few
//! lines can name each other so often that a check takes years.

use std::collections::HashMap;

use serde_json::Value;

/// The most places of a schema, each counted as often as references lead to it.
const MOST_PLACES: u64 = 100_000;

/// Whether a check by this schema visits a bounded number of places for each value. References are followed within the
/// schema; where one leads back to itself, which trees need, it counts once.
#[must_use]
pub fn is_affordable(schema: &Value) -> bool {
    let mut counted = HashMap::new();
    places(schema, schema, &mut counted) <= MOST_PLACES
}

/// The places of a part of a schema. `counted` has those that references lead to; 0 while they are being counted.
fn places<'s>(root: &'s Value, part: &'s Value, counted: &mut HashMap<&'s str, u64>) -> u64 {
    match part {
        Value::Object(keys) => {
            let mut sum = 1_u64;
            for (key, value) in keys {
                let of_value = match value {
                    Value::String(reference) if key == "$ref" || key == "$dynamicRef" => {
                        referenced(root, reference, counted)
                    }
                    // Only what refers to definitions makes work of them.
                    Value::Object(_) if key == "$defs" || key == "definitions" => 0,
                    value => places(root, value, counted),
                };
                sum = sum.saturating_add(of_value);
            }
            sum
        }
        Value::Array(elements) => {
            elements.iter().fold(0, |sum: u64, element| sum.saturating_add(places(root, element, counted)))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

fn referenced<'s>(root: &'s Value, reference: &'s str, counted: &mut HashMap<&'s str, u64>) -> u64 {
    if let Some(known) = counted.get(reference) {
        return *known;
    }
    let Some(target) = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) else { return 1 };
    counted.insert(reference, 0);
    let sum = places(root, target, counted);
    counted.insert(reference, sum);
    sum
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Definitions that each refer twice to the next.
    fn doubling(depth: usize) -> Value {
        let twice = |next: usize| {
            let reference = json!({ "$ref": format!("#/$defs/a{next}") });
            json!({ "allOf": [reference, reference] })
        };
        let mut definitions: serde_json::Map<String, Value> =
            (0..depth).map(|number| (format!("a{number}"), twice(number + 1))).collect();
        definitions.insert(format!("a{depth}"), json!(false));
        json!({ "$ref": "#/$defs/a0", "$defs": definitions })
    }

    #[test]
    fn a_schema_that_multiplies_itself_is_not_affordable() {
        assert!(is_affordable(&doubling(10)));
        assert!(!is_affordable(&doubling(30)));
        assert!(!is_affordable(&doubling(100)), "and it takes no time to see it");
    }

    #[test]
    fn ordinary_schemas_are_affordable() {
        let tree = json!({ "properties": { "left": { "$ref": "#" }, "right": { "$ref": "#" } } });
        let circle =
            json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } } });
        let elsewhere = json!({ "$ref": "https://example.com/schema.json" });
        let words: Vec<Value> = (0..10_000).map(|number| json!(format!("word-{number}"))).collect();
        for schema in [json!(true), json!({}), tree, circle, elsewhere, json!({ "enum": words })] {
            assert!(is_affordable(&schema), "{schema}");
        }
    }
}
