//! What a stage declares in the schema of its configuration, under `x-gristmill`: beside what the contract's descriptor has
//! room for, and without a new version of it.
//!
//! At a property, a word says what its value is: `"model-alias"`, or `"output-schema"`. At the root, a table says what the stage
//! does with payloads: `emits`, a list of media types, where `"unchanged"` stands for that of the item; `input` and `output`,
//! JSON Schemas of JSON payloads.

use gristmill_wasm::Described;
use serde_json::{Map, Value};

const KEY: &str = "x-gristmill";
const MODEL_ALIAS: &str = "model-alias";
const OUTPUT_SCHEMA: &str = "output-schema";
/// In the place of a media type: that of the item.
pub(super) const UNCHANGED: &str = "unchanged";
/// The most parts of a schema that are looked at, so that references in it cannot make it endless.
const MOST_PARTS: usize = 10_000;
/// How deep a schema is looked into.
const DEEPEST: usize = 64;

/// What a stage declares, with this configuration.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Media types of what it emits without naming a branch.
    pub(super) emits: Option<Vec<String>>,
    /// What JSON payloads it takes.
    pub(super) input: Option<Value>,
    /// What JSON payloads it emits.
    pub(super) output: Option<Value>,
    /// The models that it names.
    pub(super) aliases: Vec<Alias>,
    /// What is no annotation.
    pub(super) unknown: Vec<String>,
}

/// A place in the configuration where a model can be named.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Alias {
    /// A JSON Pointer into the configuration.
    pub(super) pointer: String,
    /// `None` if the configuration names none there.
    pub(super) name: Option<String>,
}

impl Said {
    /// What a stage declares. A schema that cannot be read declares nothing.
    pub(super) fn of(described: &Described, config: &Value) -> Self {
        let schema = described.schema.as_deref().and_then(|schema| serde_json::from_str::<Value>(schema).ok());
        schema.map_or_else(Self::default, |schema| Self::read(&schema, config))
    }

    fn read(schema: &Value, config: &Value) -> Self {
        let mut said = Self::default();
        if let Some(Value::Object(table)) = schema.get(KEY) {
            said.of_root(table);
        }
        let mut search = Search { root: schema, said: &mut said, parts: 0 };
        search.at(schema, Some(config), "", 0);
        said
    }

    fn of_root(&mut self, table: &Map<String, Value>) {
        for (key, value) in table {
            match (key.as_str(), value) {
                ("emits", Value::Array(types)) if types.iter().all(Value::is_string) => {
                    let types = types.iter().filter_map(Value::as_str);
                    self.emits = Some(types.map(str::to_ascii_lowercase).collect());
                }
                ("input", schema) => self.input = Some(schema.clone()),
                ("output", schema) => self.output = Some(schema.clone()),
                (key, _) => self.unknown.push(key.to_owned()),
            }
        }
    }
}

/// A walk through a schema and the configuration that it describes.
struct Search<'s> {
    root: &'s Value,
    said: &'s mut Said,
    parts: usize,
}

impl<'s> Search<'s> {
    fn at(&mut self, schema: &'s Value, value: Option<&Value>, pointer: &str, depth: usize) {
        self.parts += 1;
        if self.parts > MOST_PARTS || depth > DEEPEST {
            return;
        }
        let Some(schema) = schema.as_object() else { return };
        self.annotation(schema, value, pointer);
        let reference = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        if let Some(target) = reference.and_then(|pointer| self.root.pointer(pointer)) {
            self.at(target, value, pointer, depth + 1);
        }
        for every in ["allOf", "anyOf", "oneOf"] {
            for part in schema.get(every).and_then(Value::as_array).into_iter().flatten() {
                self.at(part, value, pointer, depth + 1);
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        if let Some(Value::Object(members)) = value {
            for (name, part) in properties.into_iter().flatten() {
                self.at(part, members.get(name), &below(pointer, name), depth + 1);
            }
            let Some(others) = schema.get("additionalProperties") else { return };
            for (name, member) in
                members.iter().filter(|(name, _)| properties.is_none_or(|known| !known.contains_key(*name)))
            {
                self.at(others, Some(member), &below(pointer, name), depth + 1);
            }
        }
        if let (Some(Value::Array(elements)), Some(items)) = (value, schema.get("items")) {
            for (index, element) in elements.iter().enumerate() {
                self.at(items, Some(element), &format!("{pointer}/{index}"), depth + 1);
            }
        }
    }

    fn annotation(&mut self, schema: &Map<String, Value>, value: Option<&Value>, pointer: &str) {
        match schema.get(KEY) {
            None => {}
            Some(Value::Object(_)) if pointer.is_empty() => {}
            Some(Value::String(word)) if word == MODEL_ALIAS => {
                let named = value.or_else(|| schema.get("default")).and_then(Value::as_str);
                let alias = Alias { pointer: pointer.to_owned(), name: named.map(str::to_owned) };
                if !self.said.aliases.contains(&alias) {
                    self.said.aliases.push(alias);
                }
            }
            Some(Value::String(word)) if word == OUTPUT_SCHEMA => {
                if let Some(schema) = value {
                    self.said.output = Some(schema.clone());
                }
            }
            Some(other) => self.said.unknown.push(other.to_string()),
        }
    }
}

fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn annotations_are_found_wherever_the_configuration_has_their_place() {
        let schema = json!({
            "x-gristmill": { "emits": ["Text/Plain", "unchanged"], "input": { "type": "object" } },
            "properties": {
                "model": { "$ref": "#/$defs/alias" },
                "steps": { "items": { "properties": { "model": { "$ref": "#/$defs/alias" } } } },
                "by/name": { "additionalProperties": { "$ref": "#/$defs/alias" } },
                "absent": { "properties": { "model": { "$ref": "#/$defs/alias" } } },
                "schema": { "x-gristmill": "output-schema" },
            },
            "$defs": { "alias": { "x-gristmill": "model-alias" } },
        });
        let config = json!({ "steps": [{ "model": "a" }, {}], "by/name": { "x": "b" }, "schema": { "type": "array" } });
        let said = Said::read(&schema, &config);
        let alias =
            |pointer: &str, name: Option<&str>| Alias { pointer: pointer.into(), name: name.map(str::to_owned) };
        let mut expected = [
            alias("/model", None),
            alias("/steps/0/model", Some("a")),
            alias("/steps/1/model", None),
            alias("/by~1name/x", Some("b")),
        ];
        let mut found = said.aliases;
        found.sort_by(|one, other| one.pointer.cmp(&other.pointer));
        expected.sort_by(|one, other| one.pointer.cmp(&other.pointer));
        assert_eq!(found, expected);
        assert_eq!(said.emits.unwrap(), ["text/plain", UNCHANGED]);
        assert_eq!((said.input, said.output), (Some(json!({ "type": "object" })), Some(json!({ "type": "array" }))));
        assert!(said.unknown.is_empty());
    }

    #[test]
    fn what_is_no_annotation_is_told() {
        let schema = json!({ "x-gristmill": { "emit": [] }, "properties": { "a": { "x-gristmill": "alias" } } });
        assert_eq!(Said::read(&schema, &json!({})).unknown, ["emit", "\"alias\""]);
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({ "allOf": [{ "$ref": "#" }, { "$ref": "#" }, { "$ref": "#" }] });
        assert!(Said::read(&schema, &json!({})).aliases.is_empty());
    }
}
