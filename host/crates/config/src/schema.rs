//! The schema of a type, and the validator for files of that type.

use std::str::FromStr;

use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError, Validator};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use gristmill_core::settings::{ByteSize, Span};

/// The JSON Schema of a configuration file, as editors read it. TOML has no null, so neither does the schema.
#[must_use]
pub fn schema<T: JsonSchema>() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    remove_null(&mut schema);
    schema
}

/// No validator can be built from the schema: a bug in the type.
#[derive(Debug, thiserror::Error)]
#[error("the schema of a configuration file cannot be used: {0}")]
pub struct BadSchema(String);

/// A schema and its validator, extension keywords included.
pub(super) struct Rules {
    pub(super) schema: Value,
    pub(super) validator: Validator,
}

impl Rules {
    pub(super) fn of<T: JsonSchema>() -> Result<Self, BadSchema> {
        let schema = schema::<T>();
        let mut strict = schema.clone();
        want_whole_numbers(&mut strict);
        let built = jsonschema::options()
            .with_keyword("x-min", |parent, value, _: Location| bound(parent, value, Side::Least))
            .with_keyword("x-max", |parent, value, _: Location| bound(parent, value, Side::Most))
            .with_keyword("x-whole", |_, _, _: Location| Ok(Box::new(Whole)))
            .build(&strict);
        match built {
            Ok(validator) => Ok(Self { schema, validator }),
            Err(error) => Err(BadSchema(error.to_string())),
        }
    }

    /// The target of a part of the schema if it is a reference, otherwise the part itself.
    pub(super) fn follow<'s>(&'s self, node: &'s Value) -> Option<&'s Value> {
        match node.get("$ref").and_then(Value::as_str) {
            Some(reference) if node.get("properties").is_none() => self.schema.pointer(reference.strip_prefix('#')?),
            _ => Some(node),
        }
    }

    /// The keys of the file whose tables may hold secrets.
    pub(super) fn tables_of_secrets(&self) -> Vec<String> {
        let properties = self.schema.get("properties").and_then(Value::as_object);
        let secret = |schema: &Value| schema.get("x-secrets") == Some(&Value::Bool(true));
        properties.into_iter().flatten().filter(|(_, schema)| secret(schema)).map(|(key, _)| key.clone()).collect()
    }
}

/// Removes `null` from a schema: in TOML, an optional key is simply left out.
fn remove_null(node: &mut Value) {
    match node {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(branches)) = object.get_mut("anyOf") {
                let null = serde_json::json!({ "type": "null" });
                branches.retain(|branch| *branch != null);
                if let [Value::Object(only)] = branches.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    for (key, value) in only {
                        object.entry(key).or_insert(value);
                    }
                }
            }
            if object.get("default") == Some(&Value::Null) {
                object.remove("default");
            }
            for (key, value) in object.iter_mut() {
                if key != "default" {
                    remove_null(value);
                }
            }
        }
        Value::Array(array) => array.iter_mut().for_each(remove_null),
        _ => {}
    }
}

/// Makes integers reject floats: for JSON Schema 8.0 is a whole number, but in TOML it is a float.
fn want_whole_numbers(node: &mut Value) {
    match node {
        Value::Object(object) => {
            let whole = match object.get("type") {
                Some(Value::String(name)) => name == "integer",
                Some(Value::Array(names)) => names.iter().any(|name| name == "integer"),
                _ => false,
            };
            if whole {
                object.insert("x-whole".to_owned(), Value::Bool(true));
            }
            object.iter_mut().filter(|(key, _)| *key != "default").for_each(|(_, value)| want_whole_numbers(value));
        }
        Value::Array(array) => array.iter_mut().for_each(want_whole_numbers),
        _ => {}
    }
}

#[derive(Clone, Copy)]
enum Side {
    Least,
    Most,
}

/// A bound on a quantity that is written as text.
struct Bound<Q> {
    side: Side,
    bound: Q,
    read: fn(&Value) -> Option<Q>,
}

type Boxed = Box<dyn for<'i> Keyword<'i>>;

fn bound<'a>(parent: &'a Map<String, Value>, value: &'a Value, side: Side) -> Result<Boxed, ValidationError<'a>> {
    let wrong = || ValidationError::schema("x-min and x-max need the format span or size, and a bound in that format");
    let format = parent.get("format").and_then(Value::as_str);
    match format {
        Some("span") => {
            let bound = span(value).ok_or_else(wrong)?;
            Ok(Box::new(Bound { side, bound, read: span }))
        }
        Some("size") => {
            let bound = size(value).ok_or_else(wrong)?;
            Ok(Box::new(Bound { side, bound, read: size }))
        }
        _ => Err(wrong()),
    }
}

fn span(value: &Value) -> Option<Span> {
    value.as_str().and_then(|text| Span::from_str(text).ok())
}

fn size(value: &Value) -> Option<ByteSize> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64().map(ByteSize::bytes),
    }
}

impl<'i, Q: Ord + Send + Sync> Keyword<'i> for Bound<Q> {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        match self.is_valid(instance) {
            true => Ok(()),
            false => Err(ValidationError::custom("out of range")),
        }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        // The pattern reports values that are not quantities.
        (self.read)(instance).is_none_or(|value| match self.side {
            Side::Least => value >= self.bound,
            Side::Most => value <= self.bound,
        })
    }
}

struct Whole;

impl<'i> Keyword<'i> for Whole {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        match self.is_valid(instance) {
            true => Ok(()),
            false => Err(ValidationError::custom("not a whole number")),
        }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        !instance.is_f64()
    }
}
