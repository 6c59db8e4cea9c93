//! Whether values of one JSON Schema are values of another. In general nobody can tell; here only what is certain is told: types,
//! required properties, and values listed one by one.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// How deep two schemas are compared.
const DEEPEST: usize = 32;
/// The most pairs of parts that are compared.
const MOST_PAIRS: usize = 10_000;

/// How values of the one schema fit the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fit {
    /// Nothing speaks against it.
    Unknown,
    /// Some may not fit, for this reason.
    Sometimes(String),
    /// None fits, for this reason.
    Never(String),
}

/// How values of `output` fit `input`.
pub(super) fn fit(output: &Value, input: &Value) -> Fit {
    Comparison { roots: (output, input), pairs: 0 }.of(output, input, "", 0)
}

struct Comparison<'s> {
    roots: (&'s Value, &'s Value),
    pairs: usize,
}

impl<'s> Comparison<'s> {
    fn of(&mut self, output: &'s Value, input: &'s Value, pointer: &str, depth: usize) -> Fit {
        self.pairs += 1;
        if depth > DEEPEST || self.pairs > MOST_PAIRS {
            return Fit::Unknown;
        }
        let (output, input) = (followed(self.roots.0, output), followed(self.roots.1, input));
        let (Some(output), Some(input)) = (output.as_object(), input.as_object()) else { return Fit::Unknown };
        let (given, wanted) = (types(output), types(input));
        if given.is_disjoint(&wanted) {
            let (given, wanted) = (listed(&given), listed(&wanted));
            return Fit::Never(format!("{} is {given} there, and must be {wanted} here", shown(pointer)));
        }
        if let (Some(given), Some(wanted)) = (values(output), values(input)) {
            let is_wanted = |given: &&Value| wanted.iter().any(|wanted| is_same(given, wanted));
            if !given.iter().any(&is_wanted) {
                return Fit::Never(format!("{} has other values there than are allowed here", shown(pointer)));
            }
            if let Some(refused) = given.iter().find(|given| !is_wanted(given)) {
                return Fit::Sometimes(format!("{} may be {refused} there, which is not allowed here", shown(pointer)));
            }
        }
        let only_object = given.iter().all(|kind| *kind == "object");
        match self.of_objects(output, input, pointer, depth) {
            // Another type of value may fit.
            Fit::Never(why) if !only_object => Fit::Sometimes(why),
            fit => fit,
        }
    }

    fn of_objects(
        &mut self,
        output: &'s Map<String, Value>,
        input: &'s Map<String, Value>,
        pointer: &str,
        depth: usize,
    ) -> Fit {
        let (promised, required) = (names(output), names(input));
        let (given, wanted) = (properties(output), properties(input));
        let is_closed = output.get("additionalProperties") == Some(&Value::Bool(false))
            && !output.contains_key("patternProperties")
            && !["allOf", "anyOf", "oneOf", "$dynamicRef"].iter().any(|more| output.contains_key(*more));
        let mut doubt = None;
        for name in &required {
            let at = shown(&format!("{pointer}/{name}"));
            match given.and_then(|given| given.get(*name)) {
                None if is_closed && !promised.contains(name) => {
                    return Fit::Never(format!("{at} is required here, and never there"));
                }
                Some(_) if !promised.contains(name) => {
                    doubt = doubt.or(Some(format!("{at} is required here, and may be missing there")));
                }
                Some(_) | None => {}
            }
        }
        for (name, wanted) in wanted.into_iter().flatten() {
            let Some(given) = given.and_then(|given| given.get(name)) else { continue };
            let always = promised.contains(name.as_str()) || required.contains(name.as_str());
            match self.of(given, wanted, &format!("{pointer}/{name}"), depth + 1) {
                Fit::Unknown => {}
                Fit::Never(why) if always => return Fit::Never(why),
                Fit::Never(why) | Fit::Sometimes(why) => doubt = doubt.or(Some(why)),
            }
        }
        doubt.map_or(Fit::Unknown, Fit::Sometimes)
    }
}

/// The schema that a reference within it leads to; other references are left as they are.
fn followed<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let mut schema = schema;
    for _ in 0..DEEPEST {
        let reference = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        match reference.and_then(|pointer| root.pointer(pointer)) {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

const ALL: [&str; 6] = ["array", "boolean", "null", "number", "object", "string"];

/// The types that a schema allows; an integer is a number.
fn types(schema: &Map<String, Value>) -> BTreeSet<&str> {
    if let Some(values) = values(schema) {
        return values.iter().map(|value| type_of(value)).collect();
    }
    let number = |kind| if kind == "integer" { "number" } else { kind };
    match schema.get("type") {
        Some(Value::String(kind)) => BTreeSet::from([number(kind.as_str())]),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).map(number).collect(),
        _ => BTreeSet::from(ALL),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// 1 and 1.0 are one number.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other).is_eq(),
        _ => one == other,
    }
}

/// The values that a schema lists, if it lists them.
fn values(schema: &Map<String, Value>) -> Option<Vec<&Value>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(one), _) => Some(vec![one]),
        (None, Some(Value::Array(several))) => Some(several.iter().collect()),
        (None, _) => None,
    }
}

fn names(schema: &Map<String, Value>) -> BTreeSet<&str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn properties(schema: &Map<String, Value>) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

fn listed(types: &BTreeSet<&str>) -> String {
    types.iter().copied().collect::<Vec<_>>().join(" or ")
}

fn shown(pointer: &str) -> String {
    if pointer.is_empty() { "the payload".to_owned() } else { format!("\"{pointer}\"") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(properties: Value, required: &[&str]) -> Value {
        json!({ "type": "object", "properties": properties, "required": required })
    }

    #[track_caller]
    fn assert_fit(output: &Value, input: &Value, expected: &str) {
        let told = match fit(output, input) {
            Fit::Unknown => String::new(),
            Fit::Sometimes(why) => format!("sometimes: {why}"),
            Fit::Never(why) => format!("never: {why}"),
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn what_can_never_fit_is_told() {
        assert_fit(
            &json!({ "type": "array" }),
            &json!({ "type": "object" }),
            "never: the payload is array there, and must be object here",
        );
        let text = object(json!({ "total": { "type": "string" } }), &["total"]);
        let number = object(json!({ "total": { "type": ["integer", "null"] } }), &[]);
        assert_fit(&text, &number, "never: \"/total\" is string there, and must be null or number here");
        let closed = json!({ "type": "object", "properties": { "a": {} }, "additionalProperties": false });
        assert_fit(&closed, &object(json!({}), &["b"]), "never: \"/b\" is required here, and never there");
        let states = |states: Value| object(json!({ "state": { "enum": states } }), &["state"]);
        assert_fit(
            &states(json!(["a"])),
            &states(json!(["b"])),
            "never: \"/state\" has other values there than are allowed here",
        );
    }

    #[test]
    fn what_may_not_fit_is_a_doubt() {
        let a = json!({ "a": { "type": "string" } });
        assert_fit(
            &object(a.clone(), &[]),
            &object(a, &["a"]),
            "sometimes: \"/a\" is required here, and may be missing there",
        );
        let states = |states: Value| json!({ "enum": states });
        assert_fit(
            &states(json!(["a", "b"])),
            &states(json!(["b"])),
            "sometimes: the payload may be \"a\" there, which is not allowed here",
        );
        let optional = |kind: &str| object(json!({ "a": { "type": kind } }), &[]);
        assert_fit(
            &optional("string"),
            &optional("number"),
            "sometimes: \"/a\" is string there, and must be number here",
        );
    }

    #[test]
    fn what_is_not_known_is_no_fault() {
        let open = json!({ "type": "object" });
        assert_fit(&open, &object(json!({ "b": {} }), &["b"]), "");
        assert_fit(&json!({ "type": "integer" }), &json!({ "type": "number" }), "");
        assert_fit(&json!(true), &open, "");
        assert_fit(&json!({ "anyOf": [{ "type": "string" }] }), &open, "");
        let tree =
            json!({ "$ref": "#/$defs/t", "$defs": { "t": { "properties": { "next": { "$ref": "#/$defs/t" } } } } });
        assert_fit(&tree, &tree, "");
        assert_fit(&json!({ "$ref": "#" }), &json!({ "$ref": "#" }), "");
    }
}
