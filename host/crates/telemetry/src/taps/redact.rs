//! What is shown of a payload. No rule finds everything that is secret or personal, so the redacted form shows none of the
//! contents at all: only the shape of JSON and the length of text.

use serde_json::{Map, Value};

/// The most of a payload that is shown, in bytes.
const LONGEST: usize = 4 << 10;
/// The largest payload whose shape is looked at.
const LARGEST: usize = 64 << 10;
/// The longest key of an object that is taken for a name, and not for contents.
const LONGEST_KEY: usize = 64;

/// What is shown of payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Their shape: keys and types of JSON, and the length of text.
    Shape,
    /// All of it, cut at 4 KiB.
    Contents,
}

pub(super) fn payload(payload: &[u8], shown: Shown) -> String {
    let Ok(text) = std::str::from_utf8(payload) else { return format!("({} bytes)", payload.len()) };
    match shown {
        Shown::Contents => cut(text.to_owned()),
        Shown::Shape if payload.len() > LARGEST => format!("({} bytes)", payload.len()),
        Shown::Shape => match serde_json::from_str(text) {
            Ok(value) => cut(shape(value).to_string()),
            Err(_) => length(text),
        },
    }
}

fn shape(value: Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => "(boolean)".into(),
        Value::Number(_) => "(number)".into(),
        Value::String(text) => length(&text).into(),
        Value::Array(values) => values.into_iter().map(shape).collect(),
        Value::Object(members) => {
            let mut shapes = Map::new();
            for (key, value) in members {
                shapes.insert(if is_name(&key) { key } else { length(&key) }, shape(value));
            }
            Value::Object(shapes)
        }
    }
}

/// Whether a key is the name of a member: some objects have contents for keys, an address of somebody for example.
fn is_name(key: &str) -> bool {
    key.len() <= LONGEST_KEY
        && key.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn length(text: &str) -> String {
    format!("({} characters)", text.chars().count())
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_json_the_shape_is_shown_and_nothing_else() {
        let canary = r#"{"name": "canary", "age": 17, "paid": true, "none": null, "tags": ["canary"],
            "canary@example.com": {"_id": 1}, "1234": 5}"#;
        let shown = payload(canary.as_bytes(), Shown::Shape);
        let expected = serde_json::json!({
            "name": "(6 characters)", "age": "(number)", "paid": "(boolean)", "none": null, "tags": ["(6 characters)"],
            "(18 characters)": {"_id": "(number)"}, "(4 characters)": "(number)",
        });
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), expected);
    }

    #[test]
    fn of_text_the_length_is_shown() {
        assert_eq!(payload("schöne canary".as_bytes(), Shown::Shape), "(13 characters)");
        assert_eq!(payload(&[0xff, 0], Shown::Contents), "(2 bytes)");
        assert_eq!(payload("a".repeat(70_000).as_bytes(), Shown::Shape), "(70000 bytes)");
    }

    #[test]
    fn contents_are_cut_between_characters() {
        assert_eq!(payload("as it is".as_bytes(), Shown::Contents), "as it is");
        let long = payload("ä".repeat(4_000).as_bytes(), Shown::Contents);
        assert_eq!(long.chars().count(), 2_049);
        assert!(long.ends_with('…'));
    }
}
