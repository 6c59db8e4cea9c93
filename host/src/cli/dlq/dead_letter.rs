//! Reads the records of the dead-letter topic, and creates the records that a replay writes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;

use gristmill_core::flow::names::{self, is_ours};
use gristmill_core::model::{Event, EventId, Header, Position, Timestamp};
use gristmill_core::ports::Record;

/// The place of a dead letter in its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    partition: u32,
    position: Position,
}

impl Place {
    pub(super) fn of(event: &Event) -> Self {
        Self { partition: event.id.partition.index, position: event.id.position }
    }

    pub(super) fn partition(self) -> u32 {
        self.partition
    }

    pub(super) fn position(self) -> Position {
        self.position
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.position)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(partition, offset)| {
            Some(Self { partition: partition.parse().ok()?, position: offset.parse().ok()? })
        });
        parsed.ok_or_else(|| "expected PARTITION/OFFSET, for example 0/17, or 0/1764150000000-7 on Redis".to_owned())
    }
}

/// A dead letter without its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DeadLetter {
    pub(super) place: Place,
    /// Empty if it has none: then Gristmill did not write it.
    pub(super) job: String,
    pub(super) reason: String,
    /// Empty if no stage was reached.
    pub(super) stage: String,
    pub(super) attempts: u32,
    /// How often it had been replayed before it failed again.
    pub(super) replays: u32,
    /// In milliseconds since the Unix epoch.
    pub(super) first_attempt: Option<i64>,
    /// In milliseconds since the Unix epoch; the record's timestamp if the header is missing.
    pub(super) last_attempt: i64,
    pub(super) error: String,
    /// The place of the job's first event, with the pipeline before it, if its id does not name that: the job was submitted.
    pub(super) first_place: Option<String>,
}

impl DeadLetter {
    /// The pipeline and the place of the job's first event.
    pub(super) fn named_place(&self) -> &str {
        self.first_place.as_deref().unwrap_or(&self.job)
    }

    /// The partition of the job's event, if that is in this topic. Records of one document must stay in one partition, and
    /// not every producer chooses partitions as we would.
    fn partition_in(&self, source: &str) -> Option<u32> {
        let (_, place) = self.named_place().split_once('/')?;
        let event: EventId = place.parse().ok()?;
        (&*event.partition.topic == source).then_some(event.partition.index)
    }
}

/// What a record of the dead-letter topic is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A failed job.
    DeadLetter(DeadLetter),
    /// The mark that the dead letter at this place was replayed.
    Replayed(Place),
    /// Something that Gristmill did not write.
    Other,
}

impl Entry {
    pub(super) fn of(event: &Event) -> Self {
        let text = |name: &str| {
            let header = event.headers.iter().rev().find(|header| header.name == name)?;
            std::str::from_utf8(header.value.as_deref()?).ok()
        };
        if let Some(place) = text(names::REPLAYED) {
            return place.parse().map_or(Self::Other, Self::Replayed);
        }
        let (job, reason) = (text(names::JOB_ID), text(names::FAILURE_REASON));
        if reason.is_none() {
            return Self::Other;
        }
        let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let number = |name| text(name).and_then(|number| number.parse::<u32>().ok()).unwrap_or_default();
        let time = |name| text(name).and_then(|time| time.parse::<i64>().ok());
        Self::DeadLetter(DeadLetter {
            place: Place::of(event),
            job: owned(job),
            reason: owned(reason),
            stage: owned(text(names::STAGE)),
            attempts: number(names::ATTEMPTS),
            replays: number(names::REPLAYS),
            first_attempt: time(names::FIRST_ATTEMPT),
            last_attempt: time(names::LAST_ATTEMPT).unwrap_or(event.timestamp.0),
            error: owned(text(names::ERROR)),
            first_place: text(names::FIRST_PLACE).map(str::to_owned),
        })
    }
}

/// Where a replay writes to, and where the job resumes.
#[derive(Debug, Clone)]
pub(super) struct Replaying {
    pub(super) source: Arc<str>,
    pub(super) dead_letters: Arc<str>,
    pub(super) from_stage: Option<String>,
    pub(super) now: i64,
}

impl Replaying {
    /// The original event, with a header that names its dead letter, from which the pipeline reads which job it resumes.
    pub(super) fn event(&self, dead_letter: &DeadLetter, event: &Event) -> Record {
        let mut headers: Vec<Header> = event.headers.iter().filter(|header| !is_ours(header)).cloned().collect();
        // Where the payload is belongs to the event.
        headers.extend(event.headers.iter().filter(|header| header.name == names::PAYLOAD).cloned());
        headers.push(header(names::REPLAY_OF, format!("{}/{}", self.dead_letters, dead_letter.place)));
        headers.extend(self.from_stage.clone().map(|stage| header(names::FROM_STAGE, stage)));
        // Proves nothing. It gives the job to the same version again while one is on trial.
        headers.push(header(names::JOB_ID, dead_letter.job.clone()));
        Record {
            topic: Arc::clone(&self.source),
            partition: dead_letter.partition_in(&self.source),
            key: event.key.clone(),
            payload: event.payload.clone(),
            headers,
            timestamp: event.timestamp,
        }
    }

    /// The mark that keeps the dead letter from being listed and replayed again.
    pub(super) fn mark(&self, dead_letter: &DeadLetter, key: Option<Bytes>) -> Record {
        Record {
            topic: Arc::clone(&self.dead_letters),
            partition: None,
            key,
            payload: None,
            headers: vec![
                header(names::REPLAYED, dead_letter.place.to_string()),
                header(names::REPLAYED_AT, self.now.to_string()),
                header(names::JOB_ID, dead_letter.job.clone()),
            ],
            timestamp: Timestamp(self.now),
        }
    }
}

fn header(name: &str, value: String) -> Header {
    Header { name: name.to_owned().into(), value: Some(Bytes::from(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gristmill_core::model::{EventId, Generation, Partition, Position};

    fn event(headers: &[(&str, &str)]) -> Event {
        Event {
            id: EventId { partition: Partition { topic: "dead".into(), index: 2 }, position: Position(7) },
            generation: Generation::default(),
            key: Some(Bytes::from_static(b"k")),
            payload: Some(Bytes::from_static(b"v")),
            headers: headers.iter().map(|(name, value)| header(name, (*value).to_owned())).collect(),
            timestamp: Timestamp(5),
            deliveries: None,
            fault: None,
        }
    }

    const FAILED: [(&str, &str); 11] = [
        ("content-type", "text/plain"),
        ("gristmill-attribute-kind", "contract"),
        ("failure_reason", "llm-timeout"),
        ("gristmill-error", "too slow"),
        ("gristmill-stage", "enrich"),
        ("gristmill-attempts", "3"),
        ("gristmill-job-id", "p/in/0/4"),
        ("gristmill-first-attempt", "100"),
        ("gristmill-last-attempt", "200"),
        ("gristmill-replays", "1"),
        ("__connect.errors.topic", "in"),
    ];

    fn dead_letter() -> DeadLetter {
        let Entry::DeadLetter(dead_letter) = Entry::of(&event(&FAILED)) else { panic!() };
        dead_letter
    }

    #[test]
    fn a_dead_letter_is_read_from_its_headers() {
        let expected = DeadLetter {
            place: "2/7".parse().unwrap(),
            job: "p/in/0/4".into(),
            reason: "llm-timeout".into(),
            stage: "enrich".into(),
            attempts: 3,
            replays: 1,
            first_attempt: Some(100),
            last_attempt: 200,
            error: "too slow".into(),
            first_place: None,
        };
        assert_eq!(dead_letter(), expected);
    }

    #[test]
    fn marks_and_foreign_records_are_not_dead_letters() {
        assert_eq!(Entry::of(&event(&[])), Entry::Other);
        assert_eq!(Entry::of(&event(&[("gristmill-replayed", "2/7")])), Entry::Replayed("2/7".parse().unwrap()));
        assert_eq!(Entry::of(&event(&[("gristmill-replayed", "here")])), Entry::Other);
        let Entry::DeadLetter(dead_letter) =
            Entry::of(&event(&[("failure_reason", "x"), ("gristmill-attempts", "many")]))
        else {
            panic!()
        };
        assert_eq!((dead_letter.attempts, dead_letter.last_attempt), (0, 5), "bad numbers do not hide the dead letter");
    }

    #[test]
    fn a_replay_is_the_original_event_and_names_its_dead_letter() {
        let replaying =
            Replaying { source: "in".into(), dead_letters: "dead".into(), from_stage: Some("chunk".into()), now: 900 };
        let record = replaying.event(&dead_letter(), &event(&FAILED));
        assert_eq!((&*record.topic, record.partition, record.timestamp), ("in", Some(0), Timestamp(5)));
        let elsewhere = Replaying { source: "other".into(), ..replaying.clone() };
        assert_eq!(elsewhere.event(&dead_letter(), &event(&FAILED)).partition, None, "it was never in that topic");
        assert_eq!((record.key.as_deref(), record.payload.as_deref()), (Some(&b"k"[..]), Some(&b"v"[..])));
        let headers: Vec<(&str, &str)> = record
            .headers
            .iter()
            .map(|header| (&*header.name, std::str::from_utf8(header.value.as_deref().unwrap()).unwrap()))
            .collect();
        let expected = [
            ("content-type", "text/plain"),
            ("gristmill-attribute-kind", "contract"),
            ("gristmill-replay-of", "dead/2/7"),
            ("gristmill-from-stage", "chunk"),
            ("gristmill-job-id", "p/in/0/4"),
        ];
        assert_eq!(headers, expected);
    }

    #[test]
    fn a_mark_names_the_dead_letter_and_is_read_back() {
        let replaying = Replaying { source: "in".into(), dead_letters: "dead".into(), from_stage: None, now: 900 };
        let mark = replaying.mark(&dead_letter(), Some(Bytes::from_static(b"k")));
        assert_eq!((&*mark.topic, mark.payload, mark.timestamp), ("dead", None, Timestamp(900)));
        let read = Event { headers: mark.headers, payload: None, ..event(&[]) };
        assert_eq!(Entry::of(&read), Entry::Replayed("2/7".parse().unwrap()));
    }

    #[test]
    fn a_place_is_partition_and_offset() {
        assert_eq!("3/18446744073709551615".parse::<Place>().unwrap().position(), Position(u64::MAX.into()));
        let of_redis = "0/1764150000000-7";
        assert_eq!(of_redis.parse::<Place>().unwrap().to_string(), of_redis);
        for text in ["", "/", "1", "1/", "/1", "a/1", "1/2/3", "-1/2"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
