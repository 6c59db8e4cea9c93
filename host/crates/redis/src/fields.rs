//! A record as the fields of an entry, and an entry as an event. The names are a contract: `docs/records.md`.

use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use gristmill_core::model::{Event, EventId, Generation, Header, Partition, Position, Timestamp};
use gristmill_core::ports::Record;
use redis::Cmd;

use super::content::Content;
use super::entry::{Fields, milliseconds};
use super::foreign;

const KEY: &str = "key";
const VALUE: &str = "value";
/// In place of the value of a record that has none.
const TOMBSTONE: &str = "tombstone";
/// In milliseconds since the Unix epoch.
const TIMESTAMP: &str = "timestamp";
/// The prefix of a header's field.
const HEADER: &str = "header:";
/// The prefix of a header that has a null value, which differs from an empty one.
const NULL_HEADER: &str = "null-header:";

/// Where an entry is read, and how often it has been delivered.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) stream: Arc<str>,
    pub(super) position: Position,
    pub(super) generation: Generation,
    pub(super) deliveries: Option<NonZeroU32>,
}

/// Adds the fields of a record to an `XADD`.
pub(super) fn write(record: &Record, to: &mut Cmd) {
    if let Some(key) = &record.key {
        to.arg(KEY).arg(&key[..]);
    }
    match &record.payload {
        Some(payload) => to.arg(VALUE).arg(&payload[..]),
        None => to.arg(TOMBSTONE).arg(""),
    };
    to.arg(TIMESTAMP).arg(record.timestamp.0);
    for Header { name, value } in &record.headers {
        match value {
            Some(value) => to.arg([HEADER, name].concat()).arg(&value[..]),
            None => to.arg([NULL_HEADER, name].concat()).arg(""),
        };
    }
}

/// The largest of the fields in bytes: Redis limits each.
pub(super) fn largest(record: &Record) -> usize {
    let sizes = |header: &Header| {
        let name = header.name.len() + NULL_HEADER.len();
        name.max(header.value.as_ref().map_or(0, Bytes::len))
    };
    let headers = record.headers.iter().map(sizes).max().unwrap_or_default();
    let size = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
    size(&record.key).max(size(&record.payload)).max(headers)
}

/// An entry as an event: a record, or whatever else somebody has added.
pub(super) fn event(fields: Fields, origin: Origin) -> Event {
    let arrived = Timestamp(i64::try_from(milliseconds(origin.position)).unwrap_or(i64::MAX));
    let content = match is_record(&fields) {
        true => record(fields, arrived),
        false => foreign::content(fields, arrived),
    };
    let Origin { stream, position, generation, deliveries } = origin;
    let Content { key, payload, headers, timestamp, fault } = content;
    let id = EventId { partition: Partition { topic: stream, index: 0 }, position };
    Event { id, generation, key, payload, headers, timestamp, deliveries, fault }
}

/// Whether the fields are those of a record: no other names, none twice but headers, and a value or that there is none.
fn is_record(fields: &Fields) -> bool {
    let (mut keys, mut values, mut times) = (0, 0, 0);
    for (name, value) in fields {
        match &name[..] {
            name if name == KEY.as_bytes() => keys += 1,
            name if name == VALUE.as_bytes() || name == TOMBSTONE.as_bytes() => values += 1,
            name if name == TIMESTAMP.as_bytes() && time(value).is_some() => times += 1,
            name if name.starts_with(HEADER.as_bytes()) || name.starts_with(NULL_HEADER.as_bytes()) => {}
            _ => return false,
        }
    }
    values == 1 && keys <= 1 && times <= 1
}

fn time(value: &Bytes) -> Option<Timestamp> {
    std::str::from_utf8(value).ok()?.parse().ok().map(Timestamp)
}

fn record(fields: Fields, arrived: Timestamp) -> Content {
    let mut content = Content::at(arrived);
    for (name, value) in fields {
        if name == KEY {
            content.key = Some(value);
        } else if name == VALUE {
            content.payload = Some(value);
        } else if name == TIMESTAMP {
            content.timestamp = time(&value).unwrap_or(arrived);
        } else if let Some(name) = name.strip_prefix(NULL_HEADER.as_bytes()) {
            content.header(name, None);
        } else if let Some(name) = name.strip_prefix(HEADER.as_bytes()) {
            content.header(name, Some(value));
        }
    }
    content
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use redis::Arg;

    use super::*;

    fn origin() -> Origin {
        Origin {
            stream: "s".into(),
            position: Position((1_700_000_000_000 << 64) | 3),
            generation: Generation(1),
            deliveries: None,
        }
    }

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        pairs.iter().map(|(name, value)| (bytes(name), bytes(value))).collect()
    }

    /// The fields of a record as they would be sent.
    fn sent(record: &Record) -> Fields {
        let mut command = Cmd::new();
        write(record, &mut command);
        let arguments: Vec<Bytes> = command
            .args_iter()
            .map(|argument| match argument {
                Arg::Simple(bytes) => Bytes::copy_from_slice(bytes),
                _ => panic!("only plain arguments are written"),
            })
            .collect();
        arguments.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
    }

    fn read_back(fields: Fields) -> Record {
        let event = event(fields, origin());
        assert_eq!(event.fault, None);
        Record {
            topic: event.id.partition.topic,
            partition: None,
            key: event.key,
            payload: event.payload,
            headers: event.headers,
            timestamp: event.timestamp,
        }
    }

    fn bytes() -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 0..8).prop_map(Bytes::from)
    }

    proptest! {
        #[test]
        fn a_record_comes_back_with_everything_it_has(
            key in prop::option::of(bytes()),
            payload in prop::option::of(bytes()),
            headers in prop::collection::vec((".{0,4}", prop::option::of(bytes())), 0..4),
            timestamp in any::<i64>(),
        ) {
            let headers = headers.into_iter().map(|(name, value)| Header { name: name.into(), value }).collect();
            let record =
                Record { topic: "s".into(), partition: None, key, payload, headers, timestamp: Timestamp(timestamp) };
            let sent = sent(&record);
            let longest = sent.iter().flat_map(|(name, value)| [name.len(), value.len()]).max().unwrap();
            prop_assert!(largest(&record) >= longest.saturating_sub(TIMESTAMP.len() + 20));
            prop_assert_eq!(read_back(sent), record);
        }
    }

    #[test]
    fn a_record_is_plain_to_read() {
        let header = |name: &'static str, value: Option<&'static str>| Header {
            name: name.into(),
            value: value.map(Bytes::from),
        };
        let record = Record {
            topic: "s".into(),
            partition: None,
            key: Some("contract-7".into()),
            payload: Some("{}".into()),
            headers: vec![header("content-type", Some("application/json")), header("none", None)],
            timestamp: Timestamp(5),
        };
        let expected = [
            ("key", "contract-7"),
            ("value", "{}"),
            ("timestamp", "5"),
            ("header:content-type", "application/json"),
            ("null-header:none", ""),
        ];
        assert_eq!(sent(&record), fields(&expected));
        let tombstone = Record { payload: None, headers: Vec::new(), ..record };
        assert_eq!(sent(&tombstone), fields(&[("key", "contract-7"), ("tombstone", ""), ("timestamp", "5")]));
    }

    #[test]
    fn a_record_that_others_write_needs_only_a_value() {
        let event = event(fields(&[("value", "x")]), origin());
        assert_eq!((event.key, event.payload), (None, Some("x".into())));
        assert_eq!(event.timestamp, Timestamp(1_700_000_000_000), "the time in its id");
        assert_eq!(event.id.to_string(), "s/0/1700000000000-3");
    }

    #[test]
    fn a_lone_key_deletes_nothing() {
        let event = event(fields(&[("key", "k")]), origin());
        assert_eq!((event.key, event.payload), (None, Some("k".into())));
    }

    #[test]
    fn other_names_make_it_no_record() {
        for pairs in [
            &[("value", "1"), ("unit", "C")][..],
            &[("value", "1"), ("value", "2")],
            &[("value", "1"), ("tombstone", "")],
            &[("value", "1"), ("timestamp", "2026-01-01")],
            &[("key", "a"), ("key", "b"), ("value", "1")],
        ] {
            assert!(!is_record(&fields(pairs)), "{pairs:?}");
        }
    }

    #[test]
    fn the_name_of_a_header_must_be_text() {
        let mut fields = fields(&[("value", "1")]);
        fields.push((Bytes::from_static(b"header:\xff"), Bytes::new()));
        let event = event(fields, origin());
        assert_eq!(event.fault.unwrap().code, "header-name-not-utf8");
        assert_eq!(event.payload, Some("1".into()));
    }
}
