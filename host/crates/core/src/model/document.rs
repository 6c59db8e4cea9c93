//! What an event is a version of: the id of its document, and the generation that the event is.

use std::fmt::{self, Write};
use std::sync::Arc;

use super::event::Timestamp;
use super::ids::EventId;

/// Identifies a document across all of its generations, in every pipeline and on every host.
///
/// `docs/records.md` specifies the format. Do not change it: consumers find the items of a document by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(Arc<str>);

/// The longest id in bytes that is spelled out; longer ones are digests.
const LONGEST_SPELLED: usize = 255;

impl DocumentId {
    /// The document with this name, for example the key of its record: the bytes, percent-encoded as in RFC 3986 except
    /// for its unreserved characters. If that is longer than 255 bytes, `sha256:` and the digest of the bytes.
    #[must_use]
    pub fn named(name: &[u8]) -> Self {
        let encoded = percent_encode(name);
        if encoded.len() <= LONGEST_SPELLED {
            return Self(encoded.into());
        }
        let digest = <sha2::Sha256 as sha2::Digest>::digest(name);
        let mut id = "sha256:".to_owned();
        for byte in digest {
            let _ = write!(id, "{byte:02x}");
        }
        Self(id.into())
    }

    /// The document of an event without a name of its own: no other event is a version of it. The colons cannot stand in
    /// the id of a named document.
    #[must_use]
    pub fn unnamed(place: &EventId) -> Self {
        let topic = percent_encode(place.partition.topic.as_bytes());
        Self(format!("{topic}:{}:{}", place.partition.index, place.position).into())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text, shared.
    pub(super) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn percent_encode(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(*byte)),
            other => {
                let _ = write!(encoded, "%{other:02X}");
            }
        }
    }
    encoded
}

/// A generation of a document. Later records of a document have greater ones, also after their topic was created anew.
///
/// As text it is `milliseconds-sequence`: normally the time of the record and its position. Compare both parts as
/// numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentGeneration {
    /// Milliseconds since the Unix epoch; 0 for records of an earlier time.
    pub milliseconds: u64,
    /// Distinguishes the records of one millisecond.
    pub sequence: u128,
}

impl DocumentGeneration {
    /// The generation of a record, as far as the record alone can tell.
    #[must_use]
    pub fn of(record: &Stamp) -> Self {
        Self { milliseconds: u64::try_from(record.time.0).unwrap_or_default(), sequence: record.place.position.0 }
    }

    fn after(self) -> Self {
        Self { sequence: self.sequence.saturating_add(1), ..self }
    }
}

impl fmt::Display for DocumentGeneration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.milliseconds, self.sequence)
    }
}

/// What tells records apart: where a record is, and its time. A record of a topic that was created anew can have the
/// place of an earlier one, but hardly its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Where it is. For a replay: where the event was first.
    pub place: EventId,
    /// Its time.
    pub time: Timestamp,
}

/// The last generation of a document that is in the sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastGeneration {
    /// The generation.
    pub generation: DocumentGeneration,
    /// Its record.
    pub record: Stamp,
}

/// What a record is to its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Its newest generation, or the same again.
    Newest(DocumentGeneration),
    /// A generation before the one in the sink: a late redelivery, or a replay.
    Superseded,
}

impl Version {
    /// Decides what a record is to its document, given the last generation in the sink.
    ///
    /// In one partition the later record is the one at the later position, whatever the clocks of the producers say. A
    /// record at an earlier position with a later time is of a topic that was created anew. Across partitions, which a
    /// key can change when partitions are added, the time decides.
    #[must_use]
    pub fn of(record: &Stamp, last: Option<&LastGeneration>) -> Self {
        let alone = DocumentGeneration::of(record);
        let Some(last) = last else { return Self::Newest(alone) };
        if last.record == *record {
            return Self::Newest(last.generation);
        }
        let (new, old) = (&record.place, &last.record.place);
        let is_later = match new.partition == old.partition {
            // The same place at another time can only be another record.
            true => new.position >= old.position || record.time > last.record.time,
            false => record.time >= last.record.time,
        };
        match is_later {
            true => Self::Newest(alone.max(last.generation.after())),
            false => Self::Superseded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Partition, Position};

    fn record(index: u32, position: u128, time: i64) -> Stamp {
        let partition = Partition { topic: "in".into(), index };
        Stamp { place: EventId { partition, position: Position(position) }, time: Timestamp(time) }
    }

    fn last(record: Stamp) -> LastGeneration {
        LastGeneration { generation: DocumentGeneration::of(&record), record }
    }

    #[test]
    fn ids_of_documents_stay() {
        let named = |name: &[u8]| DocumentId::named(name).to_string();
        assert_eq!(named(b"contract-7"), "contract-7");
        assert_eq!(named("Verträge/2026 50%.pdf".as_bytes()), "Vertr%C3%A4ge%2F2026%2050%25.pdf");
        assert_eq!(named(b"\xff\x00"), "%FF%00");
        assert_eq!(named(b""), "");
        assert_eq!(named(&[b'a'; 255]).len(), 255);
        assert_eq!(named(&[b'a'; 256]), "sha256:02d7160d77e18c6447be80c2e355c7ed4388545271702c50253b0914c65ce5fe");
        assert_eq!(DocumentId::unnamed(&record(3, 42, 0).place).to_string(), "in:3:42");
    }

    #[test]
    fn generations_stay() {
        assert_eq!(DocumentGeneration::of(&record(0, 42, 1_764_150_000_000)).to_string(), "1764150000000-42");
        assert_eq!(DocumentGeneration::of(&record(0, 42, -1)).to_string(), "0-42");
    }

    #[test]
    fn a_record_is_judged_by_its_place_and_time() {
        let old = last(record(0, 10, 100));
        let judged = |record: Stamp| match Version::of(&record, Some(&old)) {
            Version::Newest(generation) => generation.to_string(),
            Version::Superseded => "superseded".into(),
        };
        assert_eq!(judged(record(0, 10, 100)), "100-10", "the same again");
        assert_eq!(judged(record(0, 11, 101)), "101-11", "the next");
        assert_eq!(judged(record(0, 11, 90)), "100-11", "the next, by a producer whose clock is slow");
        assert_eq!(judged(record(0, 9, 99)), "superseded", "an earlier one again");
        assert_eq!(judged(record(0, 2, 200)), "200-2", "of a topic that was created anew");
        assert_eq!(
            judged(record(0, 10, 200)),
            "200-10",
            "of a topic that was created anew, by chance at the same place"
        );
        assert_eq!(judged(record(1, 0, 101)), "101-0", "of another partition, because partitions were added");
        assert_eq!(judged(record(1, 50, 99)), "superseded", "an earlier one of another partition");
    }

    #[test]
    fn later_records_have_greater_generations_whatever_the_clocks_say() {
        let times = [5, 5, 3, 9, 0, 9, 9, 1];
        let mut before: Option<LastGeneration> = None;
        for (position, time) in times.into_iter().enumerate() {
            let record = record(0, position as u128, time);
            let Version::Newest(generation) = Version::of(&record, before.as_ref()) else { panic!("superseded") };
            assert!(before.as_ref().is_none_or(|before| before.generation < generation), "{generation} at {position}");
            before = Some(LastGeneration { generation, record });
        }
    }
}
