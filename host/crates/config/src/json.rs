//! Converts a TOML file to JSON, and finds the values that JSON cannot hold.

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::member;

/// Marks a date for the schema check, so that dates are accepted only where any value is. No file has such a key.
const DATE: &str = "\0date";

/// Why JSON cannot hold a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoNumber {
    /// An integer beyond 64 bits.
    TooLarge,
    /// Infinite, or not a number.
    NotFinite,
}

/// The JSON of a table with dates marked, and the JSON Pointers of numbers that JSON cannot hold.
pub(super) fn json(table: &DeTable<'_>) -> (Value, Vec<(String, NoNumber)>) {
    let mut bad = Vec::new();
    let value = object("", table, &mut bad);
    (value, bad)
}

fn object(pointer: &str, table: &DeTable<'_>, bad: &mut Vec<(String, NoNumber)>) -> Value {
    let mut object = Map::new();
    for (key, value) in table {
        let key: &str = key.get_ref();
        object.insert(key.to_owned(), of(&member(pointer, key), value, bad));
    }
    Value::Object(object)
}

fn of(pointer: &str, value: &Spanned<DeValue<'_>>, bad: &mut Vec<(String, NoNumber)>) -> Value {
    match value.get_ref() {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(boolean) => Value::from(*boolean),
        DeValue::Datetime(date) => Value::Object(Map::from_iter([(DATE.to_owned(), date.to_string().into())])),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Value::from(number),
            Err(_) => {
                bad.push((pointer.to_owned(), NoNumber::TooLarge));
                Value::Null
            }
        },
        DeValue::Float(float) => match float.as_str().parse().ok().and_then(Number::from_f64) {
            Some(number) => Value::Number(number),
            None => {
                bad.push((pointer.to_owned(), NoNumber::NotFinite));
                Value::Null
            }
        },
        DeValue::Array(array) => {
            let element = |(index, value)| of(&format!("{pointer}/{index}"), value, bad);
            Value::Array(array.iter().enumerate().map(element).collect())
        }
        DeValue::Table(table) => object(pointer, table, bad),
    }
}

/// Whether a value is a marked date.
pub(super) fn is_date(value: &Value) -> bool {
    matches!(value, Value::Object(object) if object.len() == 1 && object.contains_key(DATE))
}

/// The same value with dates as text.
pub(super) fn with_dates_as_text(value: Value) -> Value {
    match value {
        Value::Object(mut object) => {
            if object.len() == 1
                && let Some(date) = object.remove(DATE)
            {
                return date;
            }
            Value::Object(object.into_iter().map(|(key, value)| (key, with_dates_as_text(value))).collect())
        }
        Value::Array(array) => Value::Array(array.into_iter().map(with_dates_as_text).collect()),
        value => value,
    }
}
