//! JSON as text: finds values in a document and inserts values without changing any other byte of it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;

/// A JSON Pointer (RFC 6901) with one extension: the token `*` stands for every element of a list or object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointer(String);

/// The token for every element.
const EVERY: &str = "*";

impl Pointer {
    /// Parses a pointer.
    ///
    /// # Errors
    /// What is wrong with it, in readable form.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        if !source.is_empty() && !source.starts_with('/') {
            return Err(format!("`{source}` is not a JSON Pointer: start it with `/`, as in `/{source}`"));
        }
        if source.split('~').skip(1).any(|tail| !tail.starts_with(['0', '1'])) {
            return Err(format!("`{source}` is not a JSON Pointer: write `~` in a name as `~0`, `/` as `~1`"));
        }
        Ok(Self(source.into()))
    }

    /// The pointer as a readable name: `subject` for `/subject`.
    pub(crate) fn label(&self) -> String {
        self.names().collect::<Vec<_>>().join("/")
    }

    /// The value at the pointer in readable form: a string without quotes and escapes, nothing for null and for an empty list
    /// or object, JSON text for anything else. Several values are separated by an empty line; blank ones are left out.
    pub(crate) fn read(&self, document: &str) -> String {
        let values = self.find(document).into_iter().map(readable);
        values.filter(|value| !value.trim().is_empty()).collect::<Vec<_>>().join("\n\n")
    }

    /// The values at the pointer: at most one, unless it has a `*`. Elements of a list keep their order, members of an
    /// object are sorted by name.
    fn find<'a>(&self, document: &'a str) -> Vec<&'a str> {
        let mut values = vec![document];
        for name in self.names() {
            values = values.into_iter().flat_map(|value| step(value, &name)).collect();
        }
        values
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.0.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~"))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The values one step below a value.
fn step<'a>(value: &'a str, name: &str) -> Vec<&'a str> {
    let texts = |values: Vec<&'a RawValue>| values.into_iter().map(RawValue::get).collect::<Vec<_>>();
    if value.starts_with('{') {
        let Ok(object) = Object::parse(value) else { return Vec::new() };
        return match name {
            EVERY => texts(object.members.into_values().collect()),
            _ => object.get(name).into_iter().collect(),
        };
    }
    let elements = serde_json::from_str(value).map(texts).unwrap_or_default();
    match name {
        EVERY => elements,
        _ => {
            let index = name.parse().ok().filter(|index: &usize| index.to_string() == name);
            index.and_then(|index| elements.get(index).copied()).into_iter().collect()
        }
    }
}

/// A JSON object together with its text.
#[derive(Debug, Clone)]
pub(crate) struct Object<'a> {
    text: &'a str,
    /// If a name is repeated, the last one.
    members: BTreeMap<String, &'a RawValue>,
    /// Position of the closing brace.
    end: usize,
}

impl Default for Object<'_> {
    fn default() -> Self {
        Self { text: "{}", members: BTreeMap::new(), end: 1 }
    }
}

impl<'a> Object<'a> {
    /// Parses an object, which may begin with a byte order mark.
    ///
    /// # Errors
    /// The text is not JSON, or (category "data") not an object.
    pub(crate) fn parse(text: &'a str) -> serde_json::Result<Self> {
        let members = serde_json::from_str(without_mark(text))?;
        Ok(Self { text, members, end: text.trim_end().len() - 1 })
    }

    /// The text it was parsed from, without a byte order mark.
    pub(crate) fn text(&self) -> &'a str {
        without_mark(self.text)
    }

    /// The JSON text of a member.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.members.get(name).map(|value| value.get())
    }

    /// The text with these members, each replacing one of the same name or added at the end; everything else stays the
    /// same byte for byte.
    pub(crate) fn with<'v>(&self, values: impl IntoIterator<Item = (&'v str, &'v str)>) -> String {
        let mut replaced = Vec::new();
        let mut added = String::new();
        for (name, value) in values {
            if let Some(old) = self.get(name) {
                // The old value is a slice of the text, so the difference of the addresses is its position.
                let start = old.as_ptr() as usize - self.text.as_ptr() as usize;
                replaced.push((start, old.len(), value));
            } else {
                let comma = if self.members.is_empty() && added.is_empty() { "" } else { "," };
                added.push_str(&format!("{comma}{}:{value}", serde_json::Value::from(name)));
            }
        }
        replaced.sort_unstable();
        let mut result = String::new();
        let mut copied = 0;
        for (start, length, value) in replaced {
            result.push_str(&self.text[copied..start]);
            result.push_str(value);
            copied = start + length;
        }
        let last = self.text[..self.end].trim_end().len();
        result.push_str(&self.text[copied..last]);
        result.push_str(&added);
        result.push_str(&self.text[last..]);
        result
    }
}

/// Whether a value is a list or an object without anything in it.
pub(crate) fn is_empty(value: &str) -> bool {
    let inside = [('[', ']'), ('{', '}')].map(|(open, close)| value.strip_prefix(open)?.strip_suffix(close));
    inside.into_iter().flatten().any(|inside| inside.trim_ascii().is_empty())
}

/// A text without a byte order mark.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn readable(value: &str) -> String {
    match value {
        "null" => String::new(),
        empty if is_empty(empty) => String::new(),
        _ => serde_json::from_str(value).unwrap_or_else(|_| value.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"a/b": [10, {"~": "x\ny"}], "n": 1E400, "e": null}"#;

    fn find(pointer: &str) -> Option<&'static str> {
        let found = Pointer::parse(pointer).unwrap().find(DOCUMENT);
        assert!(found.len() <= 1, "{pointer} finds {found:?}");
        found.first().copied()
    }

    fn read(pointer: &str, document: &str) -> String {
        Pointer::parse(pointer).unwrap().read(document)
    }

    #[test]
    fn a_pointer_goes_through_objects_and_lists() {
        assert_eq!(find("/a~1b/1/~0"), Some(r#""x\ny""#));
        assert_eq!(find("/n"), Some("1E400"));
        assert_eq!(find(""), Some(DOCUMENT));
    }

    #[test]
    fn a_pointer_to_nothing_finds_nothing() {
        for pointer in ["/x", "/a~1b/2", "/a~1b/00", "/a~1b/+1", "/n/0", "/"] {
            assert_eq!(find(pointer), None, "{pointer}");
        }
    }

    #[test]
    fn a_star_matches_every_element() {
        let document =
            r#"{"items": [{"t": "one"}, {"u": 0}, {"t": " "}, {"t": null}, {"t": ["x", 2]}], "o": {"b": 2, "a": 1}}"#;
        assert_eq!(read("/items/*/t", document), "one\n\n[\"x\", 2]");
        assert_eq!(read("/items/*/t/*", document), "x\n\n2");
        assert_eq!(read("/o/*", document), "1\n\n2", "members of an object are sorted by name");
        assert_eq!(read("/*/b", document), "2");
        for nothing in ["/items/0/t/*", "/none/*", "/*/*/*/*/*"] {
            assert_eq!(read(nothing, document), "", "{nothing}");
        }
    }

    #[test]
    fn a_malformed_pointer_is_a_fault() {
        assert!(Pointer::parse("a").unwrap_err().contains("`/a`"));
        assert!(Pointer::parse("/a~2").is_err());
        assert!(Pointer::parse("/a~").is_err());
    }

    #[test]
    fn strings_are_readable_and_other_values_stay_json() {
        assert_eq!(readable(r#""x\ny""#), "x\ny");
        assert_eq!(readable("1E400"), "1E400");
        for nothing in ["null", "[]", "{}", "[ \n]", "{\t}"] {
            assert_eq!(readable(nothing), "", "{nothing}");
        }
        assert_eq!(readable(r#""\ud800""#), r#""\ud800""#, "half a surrogate pair cannot be text");
    }

    fn with(object: &str, values: &[(&str, &str)]) -> String {
        Object::parse(object).unwrap().with(values.iter().copied())
    }

    #[test]
    fn a_new_member_goes_to_the_end_and_every_other_byte_stays() {
        let cases = [
            ("{}", r#"{"k":1}"#),
            ("{ }\n", "{\"k\":1 }\n"),
            (r#"{"z": 1E5, "a": 0.10, "a": "\u00e4"}"#, r#"{"z": 1E5, "a": 0.10, "a": "\u00e4","k":1}"#),
            ("{\n  \"a\": {}\n}\n", "{\n  \"a\": {},\"k\":1\n}\n"),
            (r#" {"a": "}"} "#, r#" {"a": "}","k":1} "#),
            ("\u{feff}{\"a\": 0}", "\u{feff}{\"a\": 0,\"k\":1}"),
        ];
        for (object, expected) in cases {
            assert_eq!(with(object, &[("k", "1")]), expected);
        }
    }

    #[test]
    fn an_old_member_is_replaced_in_its_place() {
        assert_eq!(with(r#" {"k" : [0] , "b": 2}"#, &[("k", "1")]), r#" {"k" : 1 , "b": 2}"#);
        assert_eq!(with("\u{feff}{\"k\": 0}", &[("k", "1")]), "\u{feff}{\"k\": 1}");
        assert_eq!(with(r#"{"\u006b": 0}"#, &[("k", "1")]), r#"{"\u006b": 1}"#);
    }

    #[test]
    fn replaced_and_new_members_can_come_in_any_order() {
        let values = [("c", "1"), ("b", "\"x\""), ("d", "{}"), ("a", "null")];
        assert_eq!(with(r#"{"a":0,"b":0}"#, &values), r#"{"a":null,"b":"x","c":1,"d":{}}"#);
        assert_eq!(Object::default().with(values).as_str(), r#"{"c":1,"b":"x","d":{},"a":null}"#);
    }

    #[test]
    fn a_name_is_escaped() {
        assert_eq!(with("{}", &[("a\"b", "1")]), r#"{"a\"b":1}"#);
    }

    #[test]
    fn deep_nesting_does_not_exhaust_the_stack() {
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(Object::parse(&deep).is_ok());
    }

    #[test]
    fn only_an_object_is_an_object() {
        for document in ["[]", "1", "", "{", "{} {}", "null"] {
            assert!(Object::parse(document).is_err(), "{document}");
        }
    }
}
