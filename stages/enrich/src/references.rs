//! References of an answer schema that lead nowhere. Every request with one would fail.

use serde_json::{Map, Value};

/// A reference that does not lead to a place inside the schema; `None` if there is none. What a part with an identifier of
/// its own refers to is left to the host.
pub(crate) fn unresolved(schema: &Map<String, Value>) -> Option<&str> {
    let root = Value::Object(schema.clone());
    let id = schema.get("$id").and_then(Value::as_str);
    let mut found = References::default();
    for (keyword, value) in schema {
        found.read_keyword(keyword, value);
    }
    let resolves = |target: &str| {
        let inside = id.and_then(|id| target.strip_prefix(id.trim_end_matches('#'))).unwrap_or(target);
        match inside.strip_prefix('#') {
            None => inside.is_empty() || found.has_identifiers || target.starts_with("https://json-schema.org/"),
            Some("") => true,
            Some(pointer) if pointer.starts_with('/') => root.pointer(&decoded(pointer)).is_some(),
            Some(anchor) => found.anchors.contains(&anchor),
        }
    };
    found.targets.iter().find(|target| !resolves(target)).copied()
}

/// What a schema refers to, and what it names.
#[derive(Default)]
struct References<'a> {
    targets: Vec<&'a str>,
    anchors: Vec<&'a str>,
    /// Whether a part of the schema has an identifier of its own.
    has_identifiers: bool,
}

impl<'a> References<'a> {
    fn read(&mut self, schema: &'a Value) {
        match schema {
            Value::Object(keywords) if keywords.get("$id").is_some_and(Value::is_string) => self.has_identifiers = true,
            Value::Object(keywords) => keywords.iter().for_each(|(keyword, value)| self.read_keyword(keyword, value)),
            Value::Array(schemas) => schemas.iter().for_each(|schema| self.read(schema)),
            _ => {}
        }
    }

    fn read_keyword(&mut self, keyword: &'a str, value: &'a Value) {
        match (keyword, value) {
            ("$ref" | "$dynamicRef", Value::String(target)) => self.targets.push(target),
            ("$anchor" | "$dynamicAnchor", Value::String(anchor)) => self.anchors.push(anchor),
            (keyword, Value::Object(schemas)) if crate::schema::holds_names(keyword) => {
                schemas.values().for_each(|schema| self.read(schema));
            }
            (keyword, _) if crate::schema::holds_data(keyword) => {}
            (_, value) => self.read(value),
        }
    }
}

/// A fragment without its percent signs; what is not valid stays.
fn decoded(fragment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = fragment.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match after {
            [high, low, after @ ..] if *first == b'%' => match hex(*high).zip(hex(*low)) {
                Some((high, low)) => {
                    bytes.push(high * 16 + low);
                    rest = after;
                    continue;
                }
                None => bytes.push(*first),
            },
            _ => bytes.push(*first),
        }
        rest = after;
    }
    String::from_utf8(bytes).unwrap_or_else(|_| fragment.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(schema: Value) -> Option<String> {
        unresolved(schema.as_object().unwrap()).map(Into::into)
    }

    #[test]
    fn a_reference_to_nowhere_is_found() {
        for target in ["#/$defs/none", "#none", "other.json", "https://example.org/v#/$defs/v"] {
            assert_eq!(found(json!({"items": [{"$ref": target}], "$defs": {"v": {}}})).as_deref(), Some(target));
        }
        assert_eq!(found(json!({"properties": {"default": {"$ref": "#/x"}}})).as_deref(), Some("#/x"));
    }

    #[test]
    fn references_inside_the_schema_and_data_are_not_found() {
        for schema in [
            json!({"$ref": "#/$defs/a%20b~1c", "$defs": {"a b/c": {"$ref": "#"}}}),
            json!({"$id": "v.json", "$ref": "v.json#/$defs/v", "$defs": {"v": {"$anchor": "a"}, "w": {"$ref": "#a"}}}),
            json!({"$ref": "https://example.org/v", "$defs": {"v": {"$id": "https://example.org/v", "$ref": "#/own"}}}),
            json!({"const": {"$ref": "#/x"}, "properties": {"$ref": {"enum": [{"$ref": "#/y"}]}}}),
            json!({"$ref": "https://json-schema.org/draft/2020-12/schema"}),
        ] {
            assert_eq!(found(schema.clone()), None, "{schema}");
        }
    }
}
