//! One record from a source, and where it sits.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;

use super::{Failure, Size, TRACEPARENT, TraceContext};

/// A part of a topic whose events are settled in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The topic's (or stream's) name.
    pub topic: Arc<str>,
    /// Its number; 0 where the broker has no partitions.
    pub index: u32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.index)
    }
}

/// The place of one event in its partition: a Kafka offset, or a Redis entry id as `milliseconds << 64 | sequence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(pub u128);

impl Position {
    /// The first place behind this one.
    #[must_use]
    pub fn next(self) -> Next {
        Next(self.0.saturating_add(1))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 >> 64 {
            0 => write!(f, "{}", self.0),
            milliseconds => write!(f, "{milliseconds}-{}", self.0 & u128::from(u64::MAX)),
        }
    }
}

/// The first place of a partition that is not settled yet: what a broker remembers as "committed". A type of its own,
/// because "the last one done" and "the first one not done" differ by one and both are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Next(pub u128);

/// Where an event sits; the same after every redelivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventId {
    /// Its partition.
    pub partition: Partition,
    /// Its place there.
    pub position: Position,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.position)
    }
}

/// One span of owning partitions. What was begun under an earlier one must not be settled under a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Generation(pub u64);

/// Milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Timestamp(pub i64);

/// One header of a record. `None` is a null value, which differs from an empty one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name; need not be unique.
    pub name: String,
    /// The value.
    pub value: Option<Bytes>,
}

/// One record taken from a source.
#[derive(Debug, Clone)]
pub struct Event {
    /// Where it sits.
    pub id: EventId,
    /// The span of ownership it was read in.
    pub generation: Generation,
    /// The record's key.
    pub key: Option<Bytes>,
    /// The record's value; `None` is a tombstone.
    pub payload: Option<Bytes>,
    /// The record's headers, in order.
    pub headers: Vec<Header>,
    /// The record's time, or that of its arrival.
    pub timestamp: Timestamp,
    /// How often the broker has handed it out before and this time, where it knows.
    pub deliveries: Option<NonZeroU32>,
    /// Why the record cannot be used at all, if the source saw that already.
    pub fault: Option<Failure>,
}

impl Size for Header {
    fn size(&self) -> usize {
        self.name.size() + self.value.size()
    }
}

impl Size for Event {
    fn size(&self) -> usize {
        let Self { id: _, generation: _, key, payload, headers, timestamp: _, deliveries: _, fault: _ } = self;
        key.size() + payload.size() + headers.size()
    }
}

impl Event {
    /// The trace that its `traceparent` header names, if it has a readable one.
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
