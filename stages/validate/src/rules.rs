//! Rules for single values of a JSON item: shorter to write than a schema.

use std::collections::BTreeMap;
use std::fmt;

use gristmill_sdk::ConfigFault;
use serde::Deserialize;
use serde_json::{Number, Value};

use crate::fault::Faults;

/// The rules. All but `require` ignore a value that is absent or null.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// Pointers to values that must exist and be neither null nor empty.
    pub require: Vec<String>,
    /// Allowed values, by pointer.
    pub allowed: BTreeMap<String, Vec<Value>>,
    /// Allowed range of numbers, by pointer.
    pub range: BTreeMap<String, Bounds<f64>>,
    /// Allowed length, by pointer: characters of a string, elements of a list.
    pub length: BTreeMap<String, Bounds<usize>>,
}

/// Inclusive bounds; either may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds<T> {
    /// The minimum.
    pub min: Option<T>,
    /// The maximum.
    pub max: Option<T>,
}

impl<T: PartialOrd> Bounds<T> {
    pub(crate) fn contain(&self, value: &T) -> bool {
        self.min.as_ref().is_none_or(|min| value >= min) && self.max.as_ref().is_none_or(|max| value <= max)
    }

    /// What is wrong with the bounds themselves.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match (&self.min, &self.max) {
            (None, None) => Some("neither `min` nor `max` is set: set at least one"),
            (Some(min), Some(max)) if min > max => Some("`min` is greater than `max`: no value can pass"),
            _ => None,
        }
    }
}

impl<T: fmt::Display> fmt::Display for Bounds<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.min, &self.max) {
            (Some(min), Some(max)) => write!(f, "{min} to {max}"),
            (Some(min), None) => write!(f, "at least {min}"),
            (None, Some(max)) => write!(f, "at most {max}"),
            (None, None) => f.write_str("any"),
        }
    }
}

impl Rules {
    /// Whether there is no rule.
    pub(crate) fn is_empty(&self) -> bool {
        self.require.is_empty() && self.allowed.is_empty() && self.range.is_empty() && self.length.is_empty()
    }

    /// What is wrong with the rules themselves.
    pub(crate) fn config_faults(&self) -> Vec<ConfigFault> {
        let mut faults = Vec::new();
        let mut add = |place: String, fault: &str| faults.push(ConfigFault::new(&place, fault));
        for (index, pointer) in self.require.iter().enumerate() {
            if !is_pointer(pointer) {
                add(format!("/require/{index}"), NOT_A_POINTER);
            }
        }
        let tables = [
            ("allowed", self.allowed.keys().collect::<Vec<_>>()),
            ("range", self.range.keys().collect()),
            ("length", self.length.keys().collect()),
        ];
        for (table, pointers) in tables {
            for pointer in pointers.into_iter().filter(|pointer| !is_pointer(pointer)) {
                add(format!("/{table}/{}", escaped(pointer)), NOT_A_POINTER);
            }
        }
        for (pointer, values) in &self.allowed {
            if values.is_empty() {
                add(format!("/allowed/{}", escaped(pointer)), "the list is empty: no value can pass");
            }
        }
        let ranges = self.range.iter().map(|(pointer, bounds)| ("range", pointer, bounds.fault()));
        let lengths = self.length.iter().map(|(pointer, bounds)| ("length", pointer, bounds.fault()));
        for (table, pointer, fault) in ranges.chain(lengths) {
            if let Some(fault) = fault {
                add(format!("/{table}/{}", escaped(pointer)), fault);
            }
        }
        faults
    }

    /// Adds the faults of an item.
    pub(crate) fn check(&self, item: &Value, faults: &mut Faults) {
        let present = |pointer: &str| item.pointer(pointer).filter(|value| !value.is_null());
        for pointer in &self.require {
            match present(pointer) {
                None => faults.add(pointer, || "is required".into()),
                Some(value) if is_empty(value) => faults.add(pointer, || "is required and must not be empty".into()),
                Some(_) => {}
            }
        }
        for (pointer, values) in &self.allowed {
            if present(pointer).is_some_and(|value| !values.iter().any(|allowed| equal(allowed, value))) {
                faults.add(pointer, || format!("must be one of {}", Value::from(values.clone())));
            }
        }
        for (pointer, bounds) in &self.range {
            let fits = |value: &Value| value.as_f64().is_some_and(|number| bounds.contain(&number));
            if present(pointer).is_some_and(|value| !fits(value)) {
                faults.add(pointer, || format!("must be a number ({bounds})"));
            }
        }
        for (pointer, bounds) in &self.length {
            let fits = |value: &Value| length(value).is_some_and(|length| bounds.contain(&length));
            if present(pointer).is_some_and(|value| !fits(value)) {
                faults.add(pointer, || format!("must be a string or list with a length of {bounds}"));
            }
        }
    }
}

const NOT_A_POINTER: &str = "not a JSON Pointer: start it with `/`, and write `~` in a name as `~0`, `/` as `~1`";

fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|tail| tail.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escapes
}

/// A pointer, escaped as one name inside another pointer.
fn escaped(pointer: &str) -> String {
    pointer.replace('~', "~0").replace('/', "~1")
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Equality of JSON values, where 1 and 1.0 are the same number, in lists and objects too.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => same_number(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let is_same = |(name, one)| other.get(name).is_some_and(|other| equal(one, other));
            one.len() == other.len() && one.iter().all(is_same)
        }
        _ => one == other,
    }
}

/// Two integers are compared as such: as doubles, large ones that differ would be equal.
fn same_number(one: &Number, other: &Number) -> bool {
    let are_integers = !one.is_f64() && !other.is_f64();
    one == other || (!are_integers && one.as_f64() == other.as_f64())
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(items) => Some(items.len()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
