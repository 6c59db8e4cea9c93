//! Formats a record for humans and for programs.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use gristmill_core::model::{Event, Position, printable};

/// The record on a few lines: id, key, headers, text. Of bytes that are not UTF-8, only the size is shown. Control
/// characters are replaced, because a record must not control the terminal.
pub(super) fn text(event: &Event, coloured: bool) -> String {
    let (bold, dim, off) = if coloured { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    let mut text = format!("{bold}{}{off}", event.id);
    if let Some(key) = &event.key {
        let _ = write!(text, "  key {}", line(key));
    }
    for header in &event.headers {
        let value = header.value.as_ref().map_or_else(|| "(null)".into(), line);
        let _ = write!(text, "\n{dim}  {}: {value}{off}", printable(&header.name));
    }
    match &event.payload {
        None => text.push_str("\n  (no value)"),
        Some(payload) => {
            let _ = write!(text, "\n{}", body(payload));
        }
    }
    text.push('\n');
    text
}

/// A position as JSON: a number where it is an offset, text where it is the id of an entry.
pub(super) fn offset(position: Position) -> Value {
    match u64::try_from(position.0) {
        Ok(offset) => json!(offset),
        Err(_) => json!(position.to_string()),
    }
}

/// The record as one JSON object on one line. Bytes that are not UTF-8 are base64 in a field with the suffix `_base64`.
pub(super) fn json(event: &Event) -> String {
    let mut object = Map::new();
    object.insert("topic".into(), json!(&*event.id.partition.topic));
    object.insert("partition".into(), json!(event.id.partition.index));
    object.insert("offset".into(), offset(event.id.position));
    object.insert("timestamp".into(), json!(event.timestamp.0));
    insert(&mut object, "key", event.key.as_ref());
    let headers = event.headers.iter().map(|header| {
        let mut pair = Map::from_iter([("name".to_owned(), json!(header.name))]);
        insert(&mut pair, "value", header.value.as_ref());
        Value::Object(pair)
    });
    object.insert("headers".into(), headers.collect());
    insert(&mut object, "value", event.payload.as_ref());
    Value::Object(object).to_string()
}

fn insert(object: &mut Map<String, Value>, name: &str, bytes: Option<&Bytes>) {
    match bytes.map(|bytes| std::str::from_utf8(bytes).map_err(|_| STANDARD.encode(bytes))) {
        None => object.insert(name.into(), Value::Null),
        Some(Ok(text)) => object.insert(name.into(), json!(text)),
        Some(Err(encoded)) => object.insert(format!("{name}_base64"), json!(encoded)),
    };
}

fn body(payload: &Bytes) -> String {
    match std::str::from_utf8(payload) {
        Ok(text) => {
            let lines: Vec<String> = text.lines().map(|line| format!("  {}", printable(line))).collect();
            lines.join("\n")
        }
        Err(_) => format!("  ({} bytes that are not text)", payload.len()),
    }
}

fn line(bytes: &Bytes) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => printable(text),
        Err(_) => format!("({} bytes that are not text)", bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gristmill_core::model::{EventId, Generation, Header, Partition, Position, Timestamp};

    fn event(payload: &'static [u8]) -> Event {
        Event {
            id: EventId { partition: Partition { topic: "out".into(), index: 1 }, position: Position(7) },
            generation: Generation::default(),
            key: Some(Bytes::from_static(b"k")),
            payload: Some(Bytes::from_static(payload)),
            headers: vec![Header { name: "empty".into(), value: None }],
            timestamp: Timestamp(5),
            deliveries: None,
            fault: None,
        }
    }

    #[test]
    fn a_record_cannot_control_the_terminal() {
        let shown = text(&event(b"a\x1b[2Jb\nc"), false);
        assert_eq!(shown, "out/1/7  key k\n  empty: (null)\n  a\u{fffd}[2Jb\n  c\n");
    }

    #[test]
    fn json_keeps_every_byte() {
        let shown: Value = serde_json::from_str(&json(&event(b"\xff\x00"))).unwrap();
        assert_eq!(shown["value_base64"], "/wA=");
        assert_eq!(shown["key"], "k");
        assert_eq!(shown["headers"][0], json!({ "name": "empty", "value": null }));
        assert_eq!(shown["offset"], 7);
    }
}
