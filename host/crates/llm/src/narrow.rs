//! Rewrites a JSON Schema to the keywords that a provider takes. What it does not take is said in the description of its
//! place, and answers are checked against the whole schema in any case. Pure.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// What becomes of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The provider takes it.
    Kept,
    /// The provider does not, so it is said in words.
    Said,
    /// It says nothing that a model must know.
    Dropped,
    /// Without it the form would exclude good answers.
    Needed,
}

/// The provider's form cannot hold a schema: then the whole schema has to be said in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotHeld;

/// What of a schema a target has no field for. The answer is checked against the whole schema in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unheld {
    /// The target holds the model to all of it.
    Nothing,
    /// These keywords are said in words.
    Keywords(BTreeSet<String>),
    /// The whole schema is said in words.
    Whole,
}

/// What a provider takes.
pub(crate) trait Keywords {
    /// What becomes of a keyword with this value. The schemas in it are looked at by themselves.
    fn fate(&self, keyword: &str, value: &Value) -> Fate;

    /// Last changes to a part of which only taken keywords are left.
    fn finish(&self, part: &mut Map<String, Value>) -> Result<(), NotHeld>;
}

/// Keywords that are about the schema and not about what it describes.
const ABOUT: [&str; 8] =
    ["$anchor", "$comment", "$id", "$schema", "$vocabulary", "deprecated", "readOnly", "writeOnly"];
/// A part without any of these describes any value, which no provider promises to take.
const SUBSTANCE: [&str; 6] = ["$ref", "anyOf", "const", "enum", "oneOf", "type"];
/// Where definitions are kept.
const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];

/// The schema in the provider's keywords.
pub(crate) fn narrow(keywords: &impl Keywords, schema: &Value) -> Result<Value, NotHeld> {
    let whole = schema.as_object().ok_or(NotHeld)?;
    let mut kept = Map::new();
    let mut said = Vec::new();
    for (keyword, value) in whole {
        match keywords.fate(keyword, value) {
            _ if ABOUT.contains(&keyword.as_str()) => {}
            Fate::Dropped => {}
            Fate::Needed => return Err(NotHeld),
            Fate::Said => said.push(format!("{keyword} = {value}")),
            Fate::Kept => {
                kept.insert(keyword.clone(), within(keywords, keyword, value)?);
            }
        }
    }
    if !SUBSTANCE.iter().any(|keyword| kept.contains_key(*keyword)) {
        return Err(NotHeld);
    }
    if !said.is_empty() {
        // The order of keywords depends on how serde_json was built, and equal requests must be equal texts.
        said.sort();
        let rule = format!("Must also satisfy: {}.", said.join(", "));
        let description = match kept.get("description").and_then(Value::as_str) {
            Some(description) => format!("{description} {rule}"),
            None => rule,
        };
        kept.insert("description".into(), json!(description));
    }
    alone(&mut kept);
    keywords.finish(&mut kept)?;
    Ok(Value::Object(kept))
}

/// What a provider does not take of a schema.
pub(crate) fn unheld(keywords: &impl Keywords, schema: &Value) -> Unheld {
    let noting = Noting { keywords, said: RefCell::default() };
    match narrow(&noting, schema) {
        Err(NotHeld) => Unheld::Whole,
        Ok(_) => match noting.said.into_inner() {
            said if said.is_empty() => Unheld::Nothing,
            said => Unheld::Keywords(said),
        },
    }
}

/// Notes which keywords are said.
struct Noting<'k, K> {
    keywords: &'k K,
    said: RefCell<BTreeSet<String>>,
}

impl<K: Keywords> Keywords for Noting<'_, K> {
    fn fate(&self, keyword: &str, value: &Value) -> Fate {
        let fate = self.keywords.fate(keyword, value);
        if fate == Fate::Said && !ABOUT.contains(&keyword) {
            self.said.borrow_mut().insert(keyword.to_owned());
        }
        fate
    }

    fn finish(&self, part: &mut Map<String, Value>) -> Result<(), NotHeld> {
        self.keywords.finish(part)
    }
}

/// The value of a taken keyword with the schemas in it narrowed.
fn within(keywords: &impl Keywords, keyword: &str, value: &Value) -> Result<Value, NotHeld> {
    Ok(match (keyword, value) {
        ("properties" | "$defs" | "definitions", Value::Object(parts)) => {
            let mut narrowed = Map::new();
            for (name, part) in parts {
                narrowed.insert(name.clone(), narrow(keywords, part)?);
            }
            Value::Object(narrowed)
        }
        ("items" | "additionalProperties", Value::Object(_)) => narrow(keywords, value)?,
        ("anyOf" | "oneOf" | "prefixItems", Value::Array(parts)) => {
            Value::Array(parts.iter().map(|part| narrow(keywords, part)).collect::<Result<_, NotHeld>>()?)
        }
        ("$ref", value) => {
            // Only what stands in a list of definitions is found again by everyone.
            let (list, _) = target(value).ok_or(NotHeld)?;
            if keywords.fate(list, &Value::Null) != Fate::Kept {
                return Err(NotHeld);
            }
            value.clone()
        }
        (_, value) => value.clone(),
    })
}

/// Moves a reference that is not alone into a list of its own: providers ignore or refuse what stands beside one.
fn alone(part: &mut Map<String, Value>) {
    let beside = part.keys().any(|keyword| keyword != "$ref" && !DEFINITIONS.contains(&keyword.as_str()));
    if beside
        && !part.contains_key("anyOf")
        && let Some(reference) = part.remove("$ref")
    {
        part.insert("anyOf".into(), json!([{ "$ref": reference }]));
    }
}

/// The list and the name of a reference: `#/$defs/NAME`.
fn target(reference: &Value) -> Option<(&'static str, &str)> {
    let (list, name) = reference.as_str()?.strip_prefix("#/")?.split_once('/')?;
    let list = DEFINITIONS.into_iter().find(|known| *known == list)?;
    (!name.contains('/')).then_some((list, name))
}

/// Whether a part of the schema contains itself by its references.
pub(crate) fn is_recursive(schema: &Value) -> bool {
    let mut refers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for list in DEFINITIONS {
        for (name, part) in schema.get(list).and_then(Value::as_object).into_iter().flatten() {
            let names = refers.entry(name).or_default();
            references(part, names);
        }
    }
    refers.keys().any(|name| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![*name]);
        while let Some(next) = open.pop() {
            for target in refers.get(next).into_iter().flatten() {
                if seen.insert(*target) {
                    open.push(target);
                }
            }
        }
        seen.contains(name)
    })
}

fn references<'s>(part: &'s Value, names: &mut BTreeSet<&'s str>) {
    match part {
        Value::Object(keywords) => {
            names.extend(keywords.get("$ref").and_then(target).map(|(_, name)| name));
            keywords.values().for_each(|value| references(value, names));
        }
        Value::Array(parts) => parts.iter().for_each(|part| references(part, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes types, properties and definitions, and no free objects.
    struct Few;

    impl Keywords for Few {
        fn fate(&self, keyword: &str, _: &Value) -> Fate {
            match keyword {
                "type" | "properties" | "items" | "anyOf" | "$defs" | "$ref" | "description" => Fate::Kept,
                "patternProperties" => Fate::Needed,
                "default" => Fate::Dropped,
                _ => Fate::Said,
            }
        }

        fn finish(&self, _: &mut Map<String, Value>) -> Result<(), NotHeld> {
            Ok(())
        }
    }

    fn few(schema: Value) -> Result<Value, NotHeld> {
        narrow(&Few, &schema)
    }

    #[test]
    fn what_is_not_taken_is_said_in_its_place() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
            "properties": {
                "name": {"type": "string", "description": "Of the client.", "maxLength": 40, "pattern": "^\\w"},
                "ages": {"type": "array", "items": {"type": "integer", "minimum": 0, "default": 1}},
            },
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "name": {
                    "type": "string",
                    "description": "Of the client. Must also satisfy: maxLength = 40, pattern = \"^\\\\w\"."
                },
                "ages": {
                    "type": "array",
                    "items": {"type": "integer", "description": "Must also satisfy: minimum = 0."}
                },
            },
        });
        assert_eq!(few(schema), Ok(expected));
    }

    #[test]
    fn properties_that_are_called_as_keywords_are_no_keywords() {
        let schema =
            json!({"type": "object", "properties": {"maxLength": {"type": "string"}, "$id": {"type": "null"}}});
        assert_eq!(few(schema.clone()), Ok(schema));
    }

    #[test]
    fn a_schema_that_would_exclude_good_answers_or_says_nothing_is_not_held() {
        for schema in [
            json!(true),
            json!(false),
            json!({}),
            json!({"not": {"type": "string"}}),
            json!({"type": "object", "patternProperties": {"^x": {"type": "string"}}}),
            json!({"type": "object", "properties": {"any": {}}}),
            json!({"anyOf": [{"type": "string"}, true]}),
            json!({"$ref": "#/properties/a"}),
            json!({"$ref": "https://example.com/schema"}),
            json!({"$ref": "#/definitions/a", "definitions": {"a": {"type": "string"}}}),
        ] {
            assert_eq!(few(schema.clone()), Err(NotHeld), "{schema}");
        }
    }

    #[test]
    fn a_reference_stands_alone() {
        let schema = json!({"$defs": {"a": {"type": "string"}}, "$ref": "#/$defs/a"});
        assert_eq!(few(schema.clone()), Ok(schema));
        let schema = json!({"description": "The name.", "$ref": "#/$defs/a", "maxLength": 3});
        let expected =
            json!({"description": "The name. Must also satisfy: maxLength = 3.", "anyOf": [{"$ref": "#/$defs/a"}]});
        assert_eq!(few(schema), Ok(expected));
    }

    #[test]
    fn a_schema_that_contains_itself_is_recognized() {
        let list = json!({"$defs": {
            "list": {"type": "object", "properties": {"next": {"$ref": "#/$defs/cell"}}},
            "cell": {"anyOf": [{"$ref": "#/$defs/list"}, {"type": "null"}]},
        }});
        assert!(is_recursive(&list));
        let chain = json!({"$defs": {
            "a": {"$ref": "#/$defs/b"}, "b": {"items": {"$ref": "#/$defs/c"}}, "c": {"type": "string"},
        }, "$ref": "#/$defs/a"});
        assert!(!is_recursive(&chain));
    }
}
