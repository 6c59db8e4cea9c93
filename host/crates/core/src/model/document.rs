//! What an event is a version of: the id of its document, and the generation that the event is.

use std::fmt::{self, Write};

use bytes::Bytes;
use bytestring::ByteString;

use super::digest::push_sha256;
use super::event::Timestamp;
use super::ids::{EventId, LONGEST_NUMBERS, push_number};

/// Identifies a document across all of its generations, in every pipeline and on every host.
///
/// `docs/records.md` specifies the format. Do not change it: consumers find the items of a document by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(ByteString);

/// The longest id in bytes that is spelled out; longer ones are digests.
const LONGEST_SPELLED: usize = 255;

impl DocumentId {
    /// The document with this name, for example the key of its record: the bytes, percent-encoded as in RFC 3986 except
    /// for its unreserved characters. If that is longer than 255 bytes, `sha256:` and the digest of the bytes.
    #[must_use]
    pub fn named(name: &[u8]) -> Self {
        let mut encoded = String::with_capacity(name.len());
        percent_encode(name, &mut encoded);
        if encoded.len() <= LONGEST_SPELLED {
            return Self(encoded.into());
        }
        let mut id = "sha256:".to_owned();
        push_sha256(name, &mut id);
        Self(id.into())
    }

    /// The document of an event without a name of its own: no other event is a version of it. The colons cannot stand in
    /// the id of a named document.
    #[must_use]
    pub fn unnamed(place: &EventId) -> Self {
        let mut id = String::with_capacity(place.partition.topic.len() + LONGEST_NUMBERS);
        percent_encode(place.partition.topic.as_bytes(), &mut id);
        id.push(':');
        push_number(&mut id, place.partition.index);
        id.push(':');
        place.position.push_to(&mut id);
        Self(id.into())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text, shared.
    pub(super) fn shared(&self) -> ByteString {
        self.0.clone()
    }

    /// The same text as bytes, shared.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.0.as_bytes().clone()
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn percent_encode(bytes: &[u8], encoded: &mut String) {
    let is_unreserved = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    // Names of topics, and most keys, are so as a whole.
    if let Ok(text) = std::str::from_utf8(bytes)
        && bytes.iter().all(is_unreserved)
    {
        return encoded.push_str(text);
    }
    for byte in bytes {
        match is_unreserved(byte) {
            true => encoded.push(char::from(*byte)),
            false => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
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

    /// As text, as `Display` writes it.
    #[must_use]
    pub fn text(self) -> String {
        let mut text = String::with_capacity(LONGEST_NUMBERS);
        push_number(&mut text, self.milliseconds);
        text.push('-');
        push_number(&mut text, self.sequence);
        text
    }

    fn after(self) -> Self {
        Self { sequence: self.sequence.saturating_add(1), ..self }
    }
}

impl fmt::Display for DocumentGeneration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
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

/// A record of a document, and the generation that it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordGeneration {
    /// The generation.
    pub generation: DocumentGeneration,
    /// Its record.
    pub record: Stamp,
}

/// What is known of the records of a document that came before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The last one that is in the sink as a whole.
    pub last: Option<RecordGeneration>,
    /// The last one that was about to be written. It may be there in part, in whole or not at all.
    pub begun: Option<RecordGeneration>,
}

/// Where a record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// Its place in the topic, for the first time or again.
    Topic,
    /// A dead letter that is replayed: later records may have been processed since.
    DeadLetter,
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
    /// Decides what a record is to its document.
    ///
    /// In one partition the later record is the one at the later position, whatever the clocks of the producers say. A
    /// record at an earlier position with a later time is of a topic that was created anew, unless it is replayed. Across
    /// partitions, which a key can change when partitions are added, the time decides.
    ///
    /// A later record gets a greater generation than all before it, also than one of which it is not known yet how it
    /// ended. The same record gets the same generation again, unless a later one was begun meanwhile.
    #[must_use]
    pub fn of(record: &Stamp, provenance: Provenance, history: &History) -> Self {
        let follows = |earlier: &RecordGeneration| is_later(record, &earlier.record, provenance);
        let (last, begun) = (history.last.as_ref(), history.begun.as_ref());
        if let Some(same) = last.filter(|last| last.record == *record) {
            return Self::Newest(same.generation);
        }
        // A replay comes so late that what was begun since must be taken for written.
        let begun_since = begun.filter(|begun| provenance == Provenance::DeadLetter && begun.record != *record);
        if last.into_iter().chain(begun_since).any(|later| !follows(later)) {
            return Self::Superseded;
        }
        if let Some(same) = begun.filter(|begun| begun.record == *record) {
            return Self::Newest(same.generation);
        }
        let earlier = last.into_iter().chain(begun).filter(|earlier| follows(earlier));
        let above = earlier.map(|earlier| earlier.generation.after());
        Self::Newest(above.fold(DocumentGeneration::of(record), DocumentGeneration::max))
    }
}

fn is_later(new: &Stamp, old: &Stamp, provenance: Provenance) -> bool {
    if new.place.partition != old.place.partition {
        return new.time >= old.time;
    }
    // The same place at another time can only be another record.
    new.place.position >= old.place.position || (provenance == Provenance::Topic && new.time > old.time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Partition, Position};

    fn record(index: u32, position: u128, time: i64) -> Stamp {
        let partition = Partition { topic: "in".into(), index };
        Stamp { place: EventId { partition, position: Position(position) }, time: Timestamp(time) }
    }

    fn given(record: Stamp) -> RecordGeneration {
        RecordGeneration { generation: DocumentGeneration::of(&record), record }
    }

    fn judged(record: Stamp, provenance: Provenance, history: &History) -> String {
        match Version::of(&record, provenance, history) {
            Version::Newest(generation) => generation.to_string(),
            Version::Superseded => "superseded".into(),
        }
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
        let history = History { last: Some(given(record(0, 10, 100))), begun: None };
        for (what, new, read, replayed) in [
            ("the same again", record(0, 10, 100), "100-10", "100-10"),
            ("the next", record(0, 11, 101), "101-11", "101-11"),
            ("the next, by a producer whose clock is slow", record(0, 11, 90), "100-11", "100-11"),
            ("an earlier one again", record(0, 9, 99), "superseded", "superseded"),
            ("of a topic that was created anew, or of a fast clock", record(0, 2, 200), "200-2", "superseded"),
            ("of a topic that was created anew, by chance at the same place", record(0, 10, 200), "200-10", "200-10"),
            ("of another partition, because partitions were added", record(1, 0, 101), "101-0", "101-0"),
            ("an earlier one of another partition", record(1, 50, 99), "superseded", "superseded"),
        ] {
            assert_eq!(judged(new.clone(), Provenance::Topic, &history), read, "{what}");
            assert_eq!(judged(new, Provenance::DeadLetter, &history), replayed, "{what}, replayed");
        }
    }

    #[test]
    fn a_record_that_was_begun_counts_although_its_end_is_not_known() {
        let begun =
            RecordGeneration { generation: DocumentGeneration::of(&record(0, 12, 300)), record: record(0, 12, 200) };
        let history = History { last: Some(given(record(0, 10, 100))), begun: Some(begun) };
        for (what, new, read, replayed) in [
            ("the same again", record(0, 12, 200), "300-12", "300-12"),
            ("the next, with a slow clock", record(0, 13, 7), "300-13", "300-13"),
            ("one before it, which is not settled yet", record(0, 11, 101), "101-11", "superseded"),
            ("one before it, with a slow clock", record(0, 11, 1), "100-11", "superseded"),
            ("one before the last", record(0, 9, 1), "superseded", "superseded"),
        ] {
            assert_eq!(judged(new.clone(), Provenance::Topic, &history), read, "{what}");
            assert_eq!(judged(new, Provenance::DeadLetter, &history), replayed, "{what}, replayed");
        }
    }

    #[test]
    fn later_records_have_greater_generations_whatever_the_clocks_say() {
        let times = [5, 5, 3, 9, 0, 9, 9, 1];
        let mut history = History::default();
        let mut before: Option<DocumentGeneration> = None;
        for (position, time) in times.into_iter().enumerate() {
            let record = record(0, position as u128, time);
            let Version::Newest(generation) = Version::of(&record, Provenance::Topic, &history) else {
                panic!("superseded")
            };
            assert!(before.is_none_or(|before| before < generation), "{generation} at {position}");
            before = Some(generation);
            let now = RecordGeneration { generation, record };
            // How every other one ended is not known yet.
            history.begun = Some(now.clone());
            if position % 2 == 0 {
                history.last = Some(now);
            }
        }
    }
}
