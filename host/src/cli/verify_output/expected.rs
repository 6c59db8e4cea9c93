//! Events that are expected to be dropped, as the user of `verify-output` names them.

use std::str::FromStr;

use gristmill_core::model::Event;
use serde_json::Value;

/// Which events stages drop on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Those whose last header of this name has this value.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// Those whose payload is JSON and has this value at this JSON Pointer.
    Pointer {
        /// Begins with a slash.
        pointer: String,
        /// A text as it is, anything else as JSON writes it.
        value: String,
    },
}

/// A text that names no events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected NAME=VALUE for a header or /POINTER=VALUE for JSON, for example kind=heartbeat or /user/role=bot")]
pub struct NamesNone;

impl FromStr for Expected {
    type Err = NamesNone;

    fn from_str(text: &str) -> Result<Self, NamesNone> {
        match text.split_once('=') {
            None | Some(("", _)) => Err(NamesNone),
            Some((place, value)) if place.starts_with('/') => {
                Ok(Self::Pointer { pointer: place.to_owned(), value: value.to_owned() })
            }
            Some((name, value)) => Ok(Self::Header { name: name.to_owned(), value: value.to_owned() }),
        }
    }
}

impl Expected {
    /// Whether this is such an event.
    pub(super) fn matches(&self, event: &Event) -> bool {
        match self {
            Self::Header { name, value } => {
                let header = event.headers.iter().rev().find(|header| header.name == name.as_str());
                header.and_then(|header| header.value.as_deref()) == Some(value.as_bytes())
            }
            Self::Pointer { pointer, value } => {
                let payload = event.payload.as_deref().unwrap_or_default();
                let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
                payload.pointer(pointer).is_some_and(|found| match found {
                    Value::String(text) => text == value,
                    other => {
                        let text = other.to_string();
                        text == *value
                    }
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gristmill_core::model::{EventId, Generation, Header, Partition, Position, Timestamp};

    use super::*;

    fn event(payload: Option<&'static str>) -> Event {
        let header = |value: &'static str| Header { name: "kind".into(), value: Some(value.into()) };
        Event {
            id: EventId { partition: Partition { topic: "in".into(), index: 0 }, position: Position(0) },
            generation: Generation::default(),
            key: None,
            payload: payload.map(Bytes::from),
            headers: vec![header("order"), header("heartbeat")],
            timestamp: Timestamp(0),
            deliveries: None,
            fault: None,
        }
    }

    fn matches(text: &str, payload: Option<&'static str>) -> bool {
        text.parse::<Expected>().unwrap().matches(&event(payload))
    }

    #[test]
    fn a_header_is_named_by_its_last_value() {
        assert!(matches("kind=heartbeat", None));
        assert!(!matches("kind=order", None) && !matches("kind=", None) && !matches("sort=heartbeat", None));
    }

    #[test]
    fn a_place_in_json_is_named_by_a_pointer() {
        let payload = Some(r#"{"user": {"role": "bot", "age": 3, "note": "a=b"}, "ok": true}"#);
        for text in ["/user/role=bot", "/user/age=3", "/ok=true", "/user/note=a=b"] {
            assert!(matches(text, payload), "{text}");
        }
        assert!(!matches("/user/role=human", payload) && !matches("/role=bot", payload));
        assert!(!matches("/user/role=bot", Some("no JSON")) && !matches("/user/role=bot", None));
    }

    #[test]
    fn a_text_that_names_no_events_is_refused_with_an_example() {
        for text in ["", "kind", "=x"] {
            assert_eq!(text.parse::<Expected>(), Err(NamesNone), "{text}");
        }
        assert!(NamesNone.to_string().contains("kind=heartbeat"));
    }
}
