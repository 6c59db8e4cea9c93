//! Rules on single values of a JSON item: shorter to write than a schema.

use std::collections::BTreeMap;
use std::fmt;

use gristmill_sdk::ConfigFault;
use serde::Deserialize;
use serde_json::Value;

use crate::fault::Faults;

/// The rules. All but `require` say nothing about a value that is absent or null.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// Pointers to values that must be there and not be empty.
    pub require: Vec<String>,
    /// The values allowed at a pointer.
    pub allowed: BTreeMap<String, Vec<Value>>,
    /// The numbers allowed at a pointer.
    pub range: BTreeMap<String, Bounds<f64>>,
    /// The length allowed at a pointer: characters of a string, items of a list.
    pub length: BTreeMap<String, Bounds<usize>>,
}

/// A closed interval; either end may be open.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds<T> {
    /// The least allowed.
    pub min: Option<T>,
    /// The most allowed.
    pub max: Option<T>,
}

impl<T: PartialOrd> Bounds<T> {
    pub(crate) fn contain(&self, value: &T) -> bool {
        self.min.as_ref().is_none_or(|min| value >= min) && self.max.as_ref().is_none_or(|max| value <= max)
    }

    /// What is wrong with the bounds themselves.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match (&self.min, &self.max) {
            (None, None) => Some("there is neither `min` nor `max`: give at least one"),
            (Some(min), Some(max)) if min > max => Some("`min` is greater than `max`: nothing could pass"),
            _ => None,
        }
    }
}

impl<T: fmt::Display> fmt::Display for Bounds<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.min, &self.max) {
            (Some(min), Some(max)) => write!(f, "from {min} to {max}"),
            (Some(min), None) => write!(f, "at least {min}"),
            (None, Some(max)) => write!(f, "at most {max}"),
            (None, None) => f.write_str("anything"),
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
                add(format!("/require/{index}"), NO_POINTER);
            }
        }
        let tables = [
            ("allowed", self.allowed.keys().collect::<Vec<_>>()),
            ("range", self.range.keys().collect()),
            ("length", self.length.keys().collect()),
        ];
        for (table, pointers) in tables {
            for pointer in pointers.into_iter().filter(|pointer| !is_pointer(pointer)) {
                add(format!("/{table}/{}", escaped(pointer)), NO_POINTER);
            }
        }
        for (pointer, values) in &self.allowed {
            if values.is_empty() {
                add(format!("/allowed/{}", escaped(pointer)), "the list is empty: nothing could pass");
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

    /// Adds what does not fit.
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
                faults.add(pointer, || format!("must be a number: {bounds}"));
            }
        }
        for (pointer, bounds) in &self.length {
            let fits = |value: &Value| length(value).is_some_and(|length| bounds.contain(&length));
            if present(pointer).is_some_and(|value| !fits(value)) {
                faults.add(pointer, || format!("must be a string or a list with a length of {bounds}"));
            }
        }
    }
}

const NO_POINTER: &str = "this is no JSON Pointer: start it with `/`, and write `~` in a name as `~0`, `/` as `~1`";

fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|tail| tail.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escapes
}

/// A pointer as one name inside another pointer.
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

/// Equality of JSON, where 1 and 1.0 are one number.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        _ => one == other,
    }
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
