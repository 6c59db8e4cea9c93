//! A JSON document as text: values are found, replaced and added without changing any other byte.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::pointer::Pointer;

/// The members of an object, in order.
#[derive(Debug)]
pub(crate) struct Members<'a>(pub Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The members of an object; `None` if the text is none.
    pub(crate) fn of(object: &'a str) -> Option<Self> {
        serde_json::from_str(object).ok()
    }

    /// The only member of this name; `None` if there is none, or more than one.
    fn only(&self, name: &str) -> Option<&'a str> {
        let mut found = self.0.iter().filter(|(other, _)| other == name);
        let (_, value) = found.next()?;
        found.next().is_none().then(|| value.get())
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

/// The value at a place; `None` if there is none, or if a name on the way is given twice.
pub(crate) fn find<'a>(document: &'a str, at: &Pointer) -> Option<&'a str> {
    at.steps().iter().try_fold(document.trim_start_matches('\u{feff}').trim(), |value, step| {
        match value.starts_with('{') {
            true => Members::of(value)?.only(step),
            false => {
                let elements: Vec<&RawValue> = serde_json::from_str(value).ok()?;
                let index = step.parse().ok().filter(|index: &usize| index.to_string() == *step)?;
                elements.get(index).map(|element| element.get())
            }
        }
    })
}

/// The document with another value at a place; `None` if there is no value.
pub(crate) fn replaced(document: &str, at: &Pointer, value: &str) -> Option<String> {
    find(document, at).map(|old| spliced(document, old, value))
}

/// The document with one more member in the object at a place; `None` if there is no object, or it has
/// one of this name.
pub(crate) fn added(document: &str, at: &Pointer, name: &str, value: &str) -> Option<String> {
    let object = find(document, at)?;
    let members = Members::of(object)?.0;
    if members.iter().any(|(other, _)| other == name) {
        return None;
    }
    let comma = if members.is_empty() { "" } else { "," };
    let inside = object.strip_suffix('}')?;
    let kept = inside.trim_end();
    let space = &inside[kept.len()..];
    Some(spliced(document, object, &format!("{kept}{comma}{}:{value}{space}}}", Value::from(name))))
}

/// The document with another name for a member of the object at a place; `None` if there is no such member.
pub(crate) fn renamed(document: &str, at: &Pointer, from: &str, to: &str) -> Option<String> {
    let object = find(document, at)?;
    let members = Members::of(object)?;
    members.only(from)?;
    let index = members.0.iter().position(|(name, _)| name == from)?;
    let begin = match index.checked_sub(1).and_then(|before| members.0.get(before)) {
        Some((_, before)) => offset(object, before.get()) + before.get().len(),
        None => 1,
    };
    let between = object.get(begin..offset(object, members.0.get(index)?.1.get()))?;
    let name = between.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
    let name = name.trim_end().strip_suffix(':')?.trim_end();
    Some(spliced(document, name, &Value::from(to).to_string()))
}

/// The text with another one in place of a part of it.
fn spliced(text: &str, part: &str, other: &str) -> String {
    let start = offset(text, part);
    [&text[..start], other, &text[start + part.len()..]].concat()
}

/// Where a part of a text begins. The part is a slice of the text, so the difference of the addresses is its position.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr() as usize - text.as_ptr() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "\n{\"z\" : 1E5, \"l\": [ 1, {\"a/b\":\"x\" } ], \"e\": { }, \"d\": 1, \"d\": 2}\n";

    fn at(pointer: &str) -> Pointer {
        Pointer::parse(pointer).unwrap()
    }

    #[test]
    fn a_value_is_found_unless_its_name_is_given_twice() {
        for (pointer, expected) in [
            ("/z", Some("1E5")),
            ("/l/1/a~1b", Some("\"x\"")),
            ("/e", Some("{ }")),
            ("/d", None),
            ("/l/01", None),
            ("/z/0", None),
        ] {
            assert_eq!(find(DOCUMENT, &at(pointer)), expected, "{pointer}");
        }
        assert_eq!(find(DOCUMENT, &at("")), Some(DOCUMENT.trim()));
    }

    #[test]
    fn every_other_byte_stays() {
        let with = |old: &str, new: &str| DOCUMENT.replacen(old, new, 1);
        assert_eq!(replaced(DOCUMENT, &at("/l/1/a~1b"), "2").unwrap(), with("\"x\"", "2"));
        assert_eq!(added(DOCUMENT, &at("/e"), "n", "1").unwrap(), with("{ }", "{\"n\":1 }"));
        assert_eq!(added(DOCUMENT, &at("/l/1"), "n\"", "1").unwrap(), with("\"x\" }", "\"x\",\"n\\\"\":1 }"));
        assert_eq!(renamed(DOCUMENT, &at("/l/1"), "a/b", "n").unwrap(), with("\"a/b\"", "\"n\""));
        assert_eq!(renamed(DOCUMENT, &at(""), "e", "n").unwrap(), with("\"e\"", "\"n\""));
        assert_eq!(renamed(DOCUMENT, &at(""), "z", "n").unwrap(), with("\"z\"", "\"n\""));
        assert_eq!(renamed(DOCUMENT, &at(""), "d", "n"), None);
        assert_eq!(added(DOCUMENT, &at("/l"), "n", "1"), None);
        assert_eq!(added(DOCUMENT, &at(""), "d", "1"), None);
    }
}
