//! One record from a source, and its position there.

use std::num::NonZeroU32;

use bytes::Bytes;

use super::failure::Failure;
use super::header::Header;
use super::ids::{EventId, Generation};
use super::size::Size;
use super::trace::{TRACEPARENT, TraceContext};

/// Milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Timestamp(pub i64);

/// One record taken from a source.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its partition and position.
    pub id: EventId,
    /// The generation of the assignment it was read under.
    pub generation: Generation,
    /// The record's key.
    pub key: Option<Bytes>,
    /// The record's value; `None` is a tombstone.
    pub payload: Option<Bytes>,
    /// The record's headers, in order.
    pub headers: Vec<Header>,
    /// The record's timestamp, or its time of arrival.
    pub timestamp: Timestamp,
    /// How many times the broker has delivered it, this time included; `None` if the broker does not count.
    pub deliveries: Option<NonZeroU32>,
    /// Why the record is unusable, if the source has already found that it is.
    pub fault: Option<Failure>,
}

impl Size for Event {
    fn size(&self) -> usize {
        let Self { id: _, generation: _, key, payload, headers, timestamp: _, deliveries: _, fault: _ } = self;
        key.size() + payload.size() + headers.size()
    }
}

impl Event {
    /// The trace in its `traceparent` header, if it has a readable one.
    #[must_use]
    pub fn trace(&self) -> Option<TraceContext> {
        self.text(TRACEPARENT)?.parse().ok()
    }

    /// The first readable `content-type` header, whatever the case of its name.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.text("content-type")
    }

    fn text(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        named.find_map(|header| std::str::from_utf8(header.value.as_deref()?).ok())
    }
}
