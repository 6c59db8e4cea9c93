//! The schema of a place in a document.

use serde_json::{Map, Value};

use crate::pointer::Pointer;

/// How many references are followed on the way to a place: a schema can refer to itself.
const MOST_REFERENCES: usize = 64;

/// The schema of a place, without references at its root; `None` if the schema does not say which one it is.
pub(crate) fn at<'a>(root: &'a Value, place: &Pointer) -> Option<&'a Value> {
    place.steps().iter().try_fold(resolved(root, root)?, |schema, step| child(root, schema, step))
}

/// The schema of a member or an element.
pub(crate) fn child<'a>(root: &'a Value, schema: &'a Value, step: &str) -> Option<&'a Value> {
    let parts = || schema.get("allOf")?.as_array()?.iter().find_map(|part| own(resolved(root, part)?, step));
    resolved(root, own(schema, step).or_else(parts)?)
}

/// The schema that the keywords of this one give a member or an element.
fn own<'a>(schema: &'a Value, step: &str) -> Option<&'a Value> {
    let member = schema.get("properties").and_then(|properties| properties.get(step));
    let index = || step.parse::<usize>().ok();
    let first = || schema.get("prefixItems")?.as_array()?.get(index()?);
    let any = || schema.get("items").filter(|items| items.is_object() && index().is_some());
    let other = || schema.get("additionalProperties").filter(|other| other.is_object());
    member.or_else(first).or_else(any).or_else(other)
}

/// A schema, or what its reference leads to.
fn resolved<'a>(root: &'a Value, mut schema: &'a Value) -> Option<&'a Value> {
    for _ in 0..MOST_REFERENCES {
        let Some(target) = schema.get("$ref").and_then(Value::as_str) else { return Some(schema) };
        schema = definition(root, target)?;
    }
    None
}

/// What a reference to `$defs`, or its older name, leads to.
fn definition<'a>(root: &'a Value, target: &str) -> Option<&'a Value> {
    let path = target.strip_prefix('#')?;
    let is_definition = DEFINITIONS.iter().any(|name| path.starts_with(&format!("/{name}/")));
    root.pointer(path).filter(|_| is_definition)
}

const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];

/// A reference that leads to no definition of the schema; `None` if there is none.
pub(crate) fn elsewhere(schema: &Map<String, Value>) -> Option<String> {
    let root = Value::Object(schema.clone());
    let mut targets = Vec::new();
    collect(&root, &mut targets);
    targets.into_iter().find(|target| definition(&root, target).is_none()).map(Into::into)
}

fn collect<'a>(schema: &'a Value, targets: &mut Vec<&'a str>) {
    match schema {
        Value::Object(keywords) => {
            for (keyword, value) in keywords {
                match (keyword.as_str(), value) {
                    ("$ref" | "$dynamicRef", Value::String(target)) => targets.push(target),
                    ("const" | "enum" | "default" | "examples", _) => {}
                    (_, value) => collect(value, targets),
                }
            }
        }
        Value::Array(schemas) => schemas.iter().for_each(|schema| collect(schema, targets)),
        _ => {}
    }
}

/// The definitions of a schema, for one that is made from parts of it.
pub(crate) fn definitions(root: &Value) -> impl Iterator<Item = (&'static str, &Value)> {
    DEFINITIONS.into_iter().filter_map(|name| Some((name, root.get(name)?)))
}

/// The names of the types that a schema allows; none if it does not say.
pub(crate) fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether a value has one of these types.
pub(crate) fn is_of(value: &Value, types: &[&str]) -> bool {
    types.iter().any(|name| match *name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    })
}

/// The values that a schema lists; none if it lists none.
pub(crate) fn choices(schema: &Value) -> &[Value] {
    match (schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(listed)), _) => listed,
        (_, Some(only)) => std::slice::from_ref(only),
        _ => &[],
    }
}

/// The names of the members that a schema requires.
pub(crate) fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_schema_of_a_place_is_found_through_references_lists_and_parts() {
        let root = json!({
            "properties": {
                "a": {"$ref": "#/$defs/a"},
                "l": {"items": {"properties": {"n": {"type": "integer"}}}, "prefixItems": [{"type": "null"}]},
                "m": {"additionalProperties": {"type": "boolean"}},
                "loop": {"$ref": "#/$defs/loop"},
            },
            "allOf": [{"properties": {"p": {"type": "number"}}}],
            "$defs": {"a": {"type": "string"}, "loop": {"$ref": "#/$defs/loop"}},
        });
        let found = |place: &str| at(&root, &Pointer::parse(place).unwrap()).map(|schema| schema["type"].clone());
        for (place, expected) in [
            ("/a", json!("string")),
            ("/l/0", json!("null")),
            ("/l/1/n", json!("integer")),
            ("/m/any", json!("boolean")),
            ("/p", json!("number")),
        ] {
            assert_eq!(found(place), Some(expected), "{place}");
        }
        for nowhere in ["/x", "/a/b", "/loop"] {
            assert_eq!(found(nowhere), None, "{nowhere}");
        }
    }
}
