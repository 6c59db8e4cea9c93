//! Reads a JSON item strictly: a member that is given twice is a fault, because readers differ in which one they take, and
//! so is a number that is too large to be compared.

use std::cell::RefCell;
use std::fmt;

use gristmill_sdk::Failure;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::fault::Faults;

/// The value of an item, which may begin with a byte order mark. Members given twice are added to the faults.
///
/// # Errors
/// The text is not JSON, or a number in it is too large.
pub(crate) fn read(text: &str, faults: &mut Faults) -> Result<Value, Failure> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let reading = Reading { path: RefCell::default(), faults: RefCell::new(faults) };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = At(&reading).deserialize(&mut deserializer);
    let error = match value.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    if is_too_large(number_at(text, error.line(), error.column())) {
        let mut too_large = Faults::default();
        too_large.add(&reading.pointer(), || "is a number too large to be compared: the largest is 1.7e308".into());
        if let Some(failure) = too_large.rejection() {
            return Err(failure);
        }
    }
    // Of a syntax error serde reports the kind and the position, never a piece of the data.
    Err(Failure::new("invalid-json", format!("the payload is not JSON: {error}")))
}

/// What is known while an item is read.
struct Reading<'a> {
    /// The steps to the value that is being read. After an error they lead to where it is.
    path: RefCell<Vec<Step>>,
    faults: RefCell<&'a mut Faults>,
}

enum Step {
    Member(String),
    Element(usize),
}

impl Reading<'_> {
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in self.path.borrow().iter() {
            match step {
                Step::Member(name) => pointer.push_str(&format!("/{}", name.replace('~', "~0").replace('/', "~1"))),
                Step::Element(index) => pointer.push_str(&format!("/{index}")),
            }
        }
        pointer
    }
}

/// Reads the value at the path. The parser bounds how deep values may be.
struct At<'a, 'f>(&'a Reading<'f>);

impl<'de> DeserializeSeed<'de> for At<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_, '_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            self.0.path.borrow_mut().push(Step::Element(list.len()));
            match elements.next_element_seed(At(self.0))? {
                Some(element) => list.push(element),
                None => break,
            }
            self.0.path.borrow_mut().pop();
        }
        self.0.path.borrow_mut().pop();
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            self.0.path.borrow_mut().push(Step::Member(name.clone()));
            if object.contains_key(&name) {
                let message = || "is given more than once".into();
                self.0.faults.borrow_mut().add(&self.0.pointer(), message);
            }
            object.insert(name, members.next_value_seed(At(self.0))?);
            self.0.path.borrow_mut().pop();
        }
        Ok(Value::Object(object))
    }
}

/// The number that ends at a position as the parser reports it: the line from 1, the column in bytes from 0 or 1.
fn number_at(text: &str, line: usize, column: usize) -> &str {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let Some(line) = text.split('\n').nth(line.saturating_sub(1)) else {
        return "";
    };
    let bytes = line.as_bytes();
    let known = column.min(bytes.len());
    let before = bytes[..known].iter().rev().take_while(|byte| is_part(byte)).count();
    let after = bytes[known..].iter().take_while(|byte| is_part(byte)).count();
    line.get(known - before..known + after).unwrap_or_default()
}

/// Whether a number is well-formed and beyond what a double can hold.
fn is_too_large(number: &str) -> bool {
    let is_json = || serde_json::from_str::<&serde_json::value::RawValue>(number).is_ok();
    number.ends_with(|last: char| last.is_ascii_digit()) && number.parse().is_ok_and(f64::is_infinite) && is_json()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message of the rejection; empty if there is none.
    fn message(text: &str) -> String {
        let mut faults = Faults::default();
        let read = read(text, &mut faults);
        let failure = read.err().or_else(|| faults.rejection());
        failure.map_or_else(String::new, |failure| format!("{}: {}", failure.code, failure.message))
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert_eq!(message("\u{feff}{\"a\": 1}"), "");
        assert!(message("\u{feff}\u{feff}{}").starts_with("invalid-json"));
    }

    #[test]
    fn a_member_that_is_given_twice_is_a_fault_at_its_place() {
        let twice = "validation-failed: 1 fault: /l/1/a~1b: is given more than once";
        assert_eq!(message(r#"{"l": [{"a/b": 1, "b": 1}, {"a/b": "x", "c": {}, "a\/b": 1}]}"#), twice);
        assert_eq!(message(r#"{"a": {"n": 1}, "b": {"n": 1}, "n": 1}"#), "");
    }

    #[test]
    fn a_number_that_no_double_holds_is_a_fault_at_its_place() {
        let fault = |pointer: &str| {
            format!(
                "validation-failed: 1 fault: {pointer}: is a number too large to be compared: the largest is 1.7e308"
            )
        };
        for number in ["1e400", "-1E+400", &format!("1{}", "0".repeat(400)), &format!("{}.5", "9".repeat(400))] {
            assert_eq!(message(&format!("{{\"a\": [1, {{\"n\": {number}}}]}}")), fault("/a/1/n"), "{number}");
            assert_eq!(message(&format!("[\n  1,\n  {number}\n]")), fault("/1"), "{number}");
            assert_eq!(message(number), fault("the item"), "{number}");
        }
    }

    #[test]
    fn other_numbers_are_read() {
        for number in ["1e308", "-0", "1e-400", "18446744073709551616", "0.1", "12345678901234567890123"] {
            assert_eq!(message(&format!("{{\"n\": {number}}}")), "", "{number}");
        }
        for number in ["1e", "01", "-", "+1e400", ".5"] {
            assert!(message(&format!("{{\"n\": {number}}}")).starts_with("invalid-json"), "{number}");
        }
    }

    #[test]
    fn values_are_those_of_the_text() {
        let text = r#"{"s": "a\u00e4\n", "t": true, "n": null, "l": [], "o": {}, "i": -1, "f": 1.5}"#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(read(text, &mut Faults::default()).unwrap(), expected);
    }
}
