//! Entries that are no records: `XADD stream * json '{…}'`, `XADD stream * user 7 action buy`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gristmill_core::flow::names;
use gristmill_core::model::{Failure, Header, Timestamp};
use serde_json::{Map, Value, json};

use super::content::Content;
use super::entry::Fields;

const JSON: &str = "application/json";

/// The value of the only field, whatever its name; or all fields as an object of JSON.
pub(super) fn content(mut fields: Fields, arrived: Timestamp) -> Content {
    let mut content = Content::at(arrived);
    if fields.len() == 1
        && let Some((_, value)) = fields.pop()
    {
        content.payload = Some(value);
        return content;
    }
    let mut object = Map::new();
    for (name, value) in fields {
        let text = String::from_utf8_lossy(&name);
        if matches!(text, std::borrow::Cow::Owned(_)) {
            let reason = format!("the name of field {} is not UTF-8", object.len());
            content.fault.get_or_insert(Failure::new("field-name-not-utf8", reason));
        }
        add(&mut object, text.into_owned(), shown(&value));
    }
    content.payload = Some(Value::Object(object).to_string().into());
    content.headers.push(Header { name: names::CONTENT_TYPE.into(), value: Some(Bytes::from_static(JSON.as_bytes())) });
    content
}

/// Text as it is, anything else so that nothing of it is lost.
fn shown(value: &Bytes) -> Value {
    match std::str::from_utf8(value) {
        Ok(text) => text.into(),
        Err(_) => json!({ "base64": STANDARD.encode(value) }),
    }
}

/// The values of a name that comes more than once become a list, in order.
fn add(object: &mut Map<String, Value>, name: String, value: Value) {
    match object.get_mut(&name) {
        None => {
            object.insert(name, value);
        }
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = json!([first.take(), value]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &'static [u8])]) -> (String, Option<String>) {
        let fields = pairs.iter().map(|(name, value)| (Bytes::from(*name), Bytes::from(*value))).collect();
        let content = content(fields, Timestamp(7));
        assert_eq!((&content.key, content.timestamp, &content.fault), (&None, Timestamp(7), &None));
        let value =
            |header: &Header| format!("{}: {}", header.name, String::from_utf8_lossy(header.value.as_ref().unwrap()));
        let payload = String::from_utf8(content.payload.unwrap().to_vec()).unwrap();
        (payload, content.headers.first().map(value))
    }

    #[test]
    fn the_only_field_is_the_payload() {
        assert_eq!(read(&[("json", br#"{"a": 1}"#)]), (r#"{"a": 1}"#.to_owned(), None));
    }

    #[test]
    fn several_fields_are_an_object() {
        let (payload, header) = read(&[("user", b"7"), ("action", b"buy"), ("action", b"pay"), ("action", b"go")]);
        let expected: Value = json!({ "user": "7", "action": ["buy", "pay", "go"] });
        assert_eq!(serde_json::from_str::<Value>(&payload).unwrap(), expected);
        assert_eq!(header.as_deref(), Some("content-type: application/json"));
    }

    #[test]
    fn what_is_no_text_is_kept() {
        let (payload, _) = read(&[("image", b"\xff\x00"), ("name", b"x")]);
        assert_eq!(
            serde_json::from_str::<Value>(&payload).unwrap(),
            json!({ "image": { "base64": "/wA=" }, "name": "x" })
        );
    }

    #[test]
    fn a_name_that_is_no_text_is_a_fault_that_keeps_the_values() {
        let fields = vec![(Bytes::from_static(b"\xff"), Bytes::from("1")), (Bytes::from("a"), Bytes::from("2"))];
        let content = content(fields, Timestamp(7));
        assert_eq!(content.fault.unwrap().code, "field-name-not-utf8");
        assert!(content.payload.unwrap().ends_with(b"}"));
    }
}
