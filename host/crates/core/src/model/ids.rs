//! The positions of events, and the ids of jobs.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use uuid::{Builder, Uuid};

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

/// The position of one event in its partition: a Kafka offset, or a Redis entry id as `milliseconds << 64 | sequence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(pub u128);

impl Position {
    /// The first position after this one.
    #[must_use]
    pub fn next(self) -> Next {
        Next(self.0.saturating_add(1))
    }

    /// Writes it at the end of a text, as `Display` does.
    pub(super) fn push_to(self, text: &mut String) {
        match u64::try_from(self.0) {
            Ok(offset) => push_number(text, offset),
            Err(_) => {
                push_number(text, self.0 >> 64);
                text.push('-');
                push_number(text, self.0 & u128::from(u64::MAX));
            }
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(LONGEST_NUMBERS);
        self.push_to(&mut text);
        f.write_str(&text)
    }
}

impl FromStr for Position {
    type Err = ();

    /// Parses what `Display` writes.
    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |text: &str| text.parse::<u64>().map_err(|_| ());
        match text.split_once('-') {
            None => text.parse().map(Self).map_err(|_| ()),
            Some((milliseconds, sequence)) => {
                Ok(Self(u128::from(number(milliseconds)?) << 64 | u128::from(number(sequence)?)))
            }
        }
    }
}

/// Writes a number at the end of a text. Not by a formatter: ids are made for each event.
pub(super) fn push_number(text: &mut String, number: impl itoa::Integer) {
    text.push_str(itoa::Buffer::new().format(number));
}

/// The first position of a partition that is not settled yet: what a broker stores as "committed". It has its own type
/// because "the last one done" and "the first one not done" are both numbers and differ by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Next(pub u128);

/// Identifies an event by its position; the same after every redelivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventId {
    /// Its partition.
    pub partition: Partition,
    /// Its position there.
    pub position: Position,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.position)
    }
}

impl FromStr for EventId {
    type Err = ();

    /// Parses what `Display` writes, and no other spelling.
    fn from_str(text: &str) -> Result<Self, ()> {
        let [topic, index, position] = text.split('/').collect::<Vec<_>>().try_into().map_err(|_| ())?;
        let partition = Partition { topic: topic.into(), index: index.parse().map_err(|_| ())? };
        let id = Self { partition, position: position.parse()? };
        let is_topic = topic.len() <= LONGEST_TOPIC && topic.bytes().all(|byte| byte.is_ascii_graphic());
        (is_topic && id.to_string() == text).then_some(id).ok_or(())
    }
}

/// Numbers the assignments of partitions. Events started under an earlier one must not be settled under a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Generation(pub u64);

/// Names one job by pipeline and event, so it is the same after every redelivery. Consumers deduplicate outputs by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(ByteString);

impl JobId {
    /// The job of this event in this pipeline. Do not change the format: consumers deduplicate by it.
    #[must_use]
    pub fn new(pipeline: &str, event: &EventId) -> Self {
        // Ids are made for each event: with room for all of it, the text does not move while it grows.
        let mut id = String::with_capacity(pipeline.len() + event.partition.topic.len() + LONGEST_NUMBERS);
        id.push_str(pipeline);
        id.push('/');
        id.push_str(&event.partition.topic);
        id.push('/');
        push_number(&mut id, event.partition.index);
        id.push('/');
        event.position.push_to(&mut id);
        Self(id.into())
    }

    /// The job with this id, and the place of its event, if it belongs to this pipeline.
    #[must_use]
    pub fn replayed(pipeline: &str, id: &str) -> Option<(Self, EventId)> {
        let place = id.strip_prefix(pipeline)?.strip_prefix('/')?;
        // Only the spelling that we write ourselves: two spellings of one id would be two jobs.
        let event = place.parse().ok()?;
        Some((Self::new(pipeline, &event), event))
    }

    /// The job that is submitted at this moment, in milliseconds since the Unix epoch: a UUID of version 7, with these
    /// random bytes.
    #[must_use]
    pub fn submitted(milliseconds: u64, random: &[u8; 10]) -> Self {
        let id = Builder::from_unix_timestamp_millis(milliseconds, random).into_uuid();
        Self(id.hyphenated().to_string().into())
    }

    /// The job with this id, as clients and stores write it: submitted, or `pipeline/topic/partition/position`. `None` for any
    /// other text, and for another spelling of an id.
    #[must_use]
    pub fn read(id: &str) -> Option<Self> {
        let is_uuid = Uuid::try_parse(id).is_ok_and(|uuid| uuid.hyphenated().to_string() == id);
        let of_event = || id.split_once('/').and_then(|(pipeline, _)| Self::replayed(pipeline, id)).map(|(job, _)| job);
        if is_uuid { Some(Self(id.into())) } else { of_event() }
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text as bytes, shared.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.0.as_bytes().clone()
    }
}

/// The numbers of a place and what stands between them, in bytes; some positions are longer.
pub(super) const LONGEST_NUMBERS: usize = 32;
/// Longer than any topic's name.
const LONGEST_TOPIC: usize = 400;

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_jobs_stay() {
        let kafka = EventId { partition: Partition { topic: "in".into(), index: 3 }, position: Position(42) };
        let redis = EventId { position: Position((1_764_150_000_000 << 64) | 7), ..kafka.clone() };
        assert_eq!(JobId::new("p", &kafka).as_str(), "p/in/3/42");
        assert_eq!(JobId::new("p", &redis).as_str(), "p/in/3/1764150000000-7");
    }

    #[test]
    fn an_id_is_read_in_its_own_spelling_only() {
        let submitted = JobId::submitted(1_764_150_000_000, &[0xff; 10]);
        assert_eq!(submitted.as_str(), "019abf88-b980-7fff-bfff-ffffffffffff");
        for id in [submitted.as_str(), "p/in/3/42"] {
            assert_eq!(JobId::read(id).unwrap().as_str(), id);
        }
        let upper = submitted.as_str().to_uppercase();
        for id in [
            "",
            "p",
            "p/in/03/42",
            &upper,
            "{019abf88-b980-7fff-bfff-ffffffffffff}",
            "019abf88b9807fffbfffffffffffffff",
        ] {
            assert_eq!(JobId::read(id), None, "{id:?}");
        }
    }

    #[test]
    fn a_replay_continues_only_a_job_of_this_pipeline_in_its_own_spelling() {
        for place in ["in/3/42", "in/3/1764150000000-7"] {
            let id = format!("p/{place}");
            let (job, event) = JobId::replayed("p", &id).unwrap();
            assert_eq!((job.as_str(), event.to_string()), (&*id, place.to_owned()));
        }
        for id in [
            "q/in/3/42",
            "p/in/3",
            "p/in/3/42/x",
            "p/in/03/42",
            "p/in/3/+42",
            "p/in/-1/42",
            "p/\u{7f}/3/42",
            "pin/3/42",
        ] {
            assert_eq!(JobId::replayed("p", id), None, "{id:?}");
        }
    }
}
