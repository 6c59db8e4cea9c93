//! What became of the events of a topic, by the records that Gristmill writes (docs/records.md).
//!
//! Outputs and dead letters are counted first, then the events. Only ids of jobs and items are remembered, as digests, so
//! the memory needed depends on the number of outputs and not on their size.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use gristmill_core::flow::names;
use gristmill_core::model::{Event, EventId, JobId};
use sha2::{Digest, Sha256};

use super::expected::Expected;

/// More reasons than these are counted as one: a stage chooses them.
const REASONS: usize = 1_000;
/// What the others are called.
const OTHER: &str = "other";

/// The first half of a SHA-256: of ten million of them, no two are the same.
type Id = u128;

/// What is known of a job from its records.
#[derive(Debug, Clone, Copy, Default)]
struct Job {
    outputs: bool,
    /// The index of its reason, if it is in the dead letters.
    dead: Option<u16>,
}

/// What was found so far.
#[derive(Debug)]
pub(super) struct Count<'e> {
    pipeline: String,
    bounds: Bounds,
    expected: &'e [Expected],
    jobs: HashMap<Id, Job>,
    /// The digest of the value that each item had when it came first.
    items: HashMap<Id, u64>,
    /// The places of the dead letters.
    letters: HashSet<Id>,
    reasons: Vec<String>,
    totals: Totals,
}

/// What is remembered at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Outputs, and as many dead letters.
    pub(super) outputs: usize,
    /// The places of missing events.
    pub(super) missing: usize,
}

/// There is more to remember than is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are more than {0} outputs or dead letters; allow more with --max-outputs, which takes memory")]
pub(super) struct TooMany(usize);

/// What became of the events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Totals {
    /// Without replays, without deletes of documents, and without those that were dropped as expected.
    pub(super) events: u64,
    /// How many of them have an output.
    pub(super) enriched: u64,
    /// How many have none and are in the dead letters, by reason.
    pub(super) dead_lettered: BTreeMap<String, u64>,
    /// How many have neither.
    pub(super) missing: u64,
    /// Where the first of these are.
    pub(super) missing_events: Vec<EventId>,
    /// Events without output and dead letter that were expected to be dropped.
    pub(super) dropped: u64,
    /// Records that delete a document. No output is expected of them.
    pub(super) deletes: u64,
    /// Records that replay a dead letter, whose event is counted already.
    pub(super) replays: u64,
    /// Records with a value, each copy counted.
    pub(super) outputs: u64,
    /// Further copies of an output, with the same value.
    pub(super) repeats: u64,
    /// Further copies with another value.
    pub(super) differing_repeats: u64,
    /// Jobs that have outputs and whose event is not in the source topic any more.
    pub(super) gone: u64,
}

impl Totals {
    /// The share of events that have an output. `None` if there are none.
    pub(super) fn rate(&self) -> Option<f64> {
        (self.events > 0).then(|| self.enriched as f64 / self.events as f64)
    }
}

impl<'e> Count<'e> {
    pub(super) fn new(pipeline: &str, bounds: Bounds, expected: &'e [Expected]) -> Self {
        Self {
            pipeline: pipeline.to_owned(),
            bounds,
            expected,
            jobs: HashMap::new(),
            items: HashMap::new(),
            letters: HashSet::new(),
            reasons: Vec::new(),
            totals: Totals::default(),
        }
    }

    /// A record of a topic that outputs go to. Those of other pipelines, and tombstones, do not count.
    pub(super) fn output(&mut self, record: &Event) -> Result<(), TooMany> {
        let Some(payload) = &record.payload else { return Ok(()) };
        let Some(job) = self.own_job(record) else { return Ok(()) };
        self.totals.outputs += 1;
        self.jobs.entry(id(&[&job])).or_default().outputs = true;
        let Some(item) = value(record, names::ITEM_ID) else { return Ok(()) };
        let digest = match value(record, names::OUTPUT_SHA256) {
            Some(digest) => id(&[digest]),
            None => id(&[payload]),
        };
        let digest = digest as u64;
        match self.items.entry(id(&[record.id.partition.topic.as_bytes(), &job, item])) {
            Entry::Vacant(entry) => {
                entry.insert(digest);
            }
            Entry::Occupied(first) if *first.get() == digest => self.totals.repeats += 1,
            Entry::Occupied(_) => self.totals.differing_repeats += 1,
        }
        self.check()
    }

    /// A record of the topic of dead letters.
    pub(super) fn dead_letter(&mut self, record: &Event) -> Result<(), TooMany> {
        let Some(job) = self.own_job(record) else { return Ok(()) };
        let Some(reason) = text(record, names::FAILURE_REASON) else { return Ok(()) };
        let index = self.index_of(reason);
        self.jobs.entry(id(&[&job])).or_default().dead = Some(u16::try_from(index).unwrap_or(u16::MAX));
        self.letters.insert(id(&[record.id.to_string().as_bytes()]));
        self.check()
    }

    /// A record of the source topic. To be called after everything else.
    pub(super) fn event(&mut self, event: &Event) {
        let totals = &mut self.totals;
        let replayed = value(event, names::REPLAY_OF).is_some_and(|place| self.letters.contains(&id(&[place])));
        if replayed {
            totals.replays += 1;
            return;
        }
        let job = JobId::new(&self.pipeline, &event.id);
        // Taken out: what is left in the end belongs to events that are gone.
        let job = self.jobs.remove(&id(&[job.as_str().as_bytes()])).unwrap_or_default();
        if event.payload.is_none() && event.key.is_some() && job.dead.is_none() {
            totals.deletes += 1;
            return;
        }
        let left_nothing = !job.outputs && job.dead.is_none();
        if left_nothing && self.expected.iter().any(|expected| expected.matches(event)) {
            totals.dropped += 1;
            return;
        }
        totals.events += 1;
        match job {
            Job { outputs: true, .. } => totals.enriched += 1,
            Job { dead: Some(reason), .. } => {
                let reason = self.reasons.get(usize::from(reason)).map_or(OTHER, String::as_str);
                *totals.dead_lettered.entry(reason.to_owned()).or_default() += 1;
            }
            Job { .. } => {
                totals.missing += 1;
                if totals.missing_events.len() < self.bounds.missing {
                    totals.missing_events.push(event.id.clone());
                }
            }
        }
    }

    /// What became of the events.
    pub(super) fn end(mut self) -> Totals {
        self.totals.gone = self.jobs.values().filter(|job| job.outputs).count() as u64;
        self.totals
    }

    /// The place of a reason among those that are told apart.
    fn index_of(&mut self, reason: &str) -> usize {
        let find = |reasons: &[String], reason: &str| reasons.iter().position(|known| known == reason);
        if let Some(index) = find(&self.reasons, reason) {
            return index;
        }
        let reason = if self.reasons.len() < REASONS { reason } else { OTHER };
        find(&self.reasons, reason).unwrap_or_else(|| {
            self.reasons.push(reason.to_owned());
            self.reasons.len() - 1
        })
    }

    /// The id of the record's job, if it is one of this pipeline.
    fn own_job(&self, record: &Event) -> Option<Vec<u8>> {
        let job = text(record, names::JOB_ID)?;
        JobId::replayed(&self.pipeline, job).map(|(job, _)| job.as_str().as_bytes().to_vec())
    }

    fn check(&self) -> Result<(), TooMany> {
        let most = self.bounds.outputs;
        let is_full = self.items.len().max(self.jobs.len()).max(self.letters.len()) > most;
        if is_full { Err(TooMany(most)) } else { Ok(()) }
    }
}

/// The last header of this name, as consumers read it.
fn value<'e>(event: &'e Event, name: &str) -> Option<&'e [u8]> {
    let header = event.headers.iter().rev().find(|header| header.name == name)?;
    header.value.as_deref()
}

fn text<'e>(event: &'e Event, name: &str) -> Option<&'e str> {
    std::str::from_utf8(value(event, name)?).ok()
}

/// The digest of several texts, each with its length.
fn id(parts: &[&[u8]]) -> Id {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&digest.finalize()[..16]);
    Id::from_be_bytes(half)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gristmill_core::model::{Generation, Header, Partition, Position, Timestamp};

    use super::*;

    const BOUNDS: Bounds = Bounds { outputs: 100, missing: 2 };

    fn record(topic: &str, offset: u128, headers: &[(&'static str, &str)]) -> Event {
        let header = |(name, value): &(&'static str, &str)| Header {
            name: (*name).into(),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
        };
        Event {
            id: EventId { partition: Partition { topic: topic.into(), index: 0 }, position: Position(offset) },
            generation: Generation::default(),
            key: Some(Bytes::from_static(b"k")),
            payload: Some(Bytes::from_static(b"v")),
            headers: headers.iter().map(header).collect(),
            timestamp: Timestamp(0),
            deliveries: None,
            fault: None,
        }
    }

    fn output(job: &str, item: &str, digest: &str) -> Event {
        record("out", 0, &[("gristmill-job-id", job), ("gristmill-item-id", item), ("gristmill-output-sha256", digest)])
    }

    fn dead(offset: u128, job: &str, reason: &str) -> Event {
        record("dead", offset, &[("gristmill-job-id", job), ("failure_reason", reason)])
    }

    fn count(outputs: &[Event], letters: &[Event], events: &[Event]) -> Totals {
        counted(&[], outputs, letters, events)
    }

    fn counted(expected: &[Expected], outputs: &[Event], letters: &[Event], events: &[Event]) -> Totals {
        let mut count = Count::new("p", BOUNDS, expected);
        outputs.iter().for_each(|record| count.output(record).unwrap());
        letters.iter().for_each(|record| count.dead_letter(record).unwrap());
        events.iter().for_each(|record| count.event(record));
        count.end()
    }

    #[test]
    fn every_event_is_enriched_dead_or_missing() {
        let outputs = [output("p/in/0/1", "a", "1"), output("p/in/0/1", "b", "1"), output("p/in/0/2", "c", "1")];
        let letters = [dead(0, "p/in/0/3", "trap"), dead(1, "p/in/0/2", "trap")];
        let events: Vec<Event> = (1..=7).map(|offset| record("in", offset, &[])).collect();
        let totals = count(&outputs, &letters, &events);
        assert_eq!((totals.events, totals.enriched, totals.missing, totals.outputs), (7, 2, 4, 3));
        assert_eq!(totals.dead_lettered, BTreeMap::from([("trap".into(), 1)]), "one of the two has outputs since");
        let missing: Vec<String> = totals.missing_events.iter().map(ToString::to_string).collect();
        assert_eq!(missing, ["in/0/4", "in/0/5"], "only so many are named");
        assert!((totals.rate().unwrap() - 2.0 / 7.0).abs() < 1e-9);
        assert_eq!(count(&[], &[], &[]).rate(), None);
    }

    #[test]
    fn what_is_expected_to_be_dropped_is_not_missing_but_counts_if_it_has_left_something() {
        let beat = |offset| record("in", offset, &[("kind", "heartbeat")]);
        let events = [record("in", 0, &[]), beat(1), beat(2), beat(3), record("in", 4, &[])];
        let (outputs, letters) =
            ([output("p/in/0/0", "a", "1"), output("p/in/0/2", "b", "1")], [dead(0, "p/in/0/3", "trap")]);
        let totals = counted(&["kind=heartbeat".parse().unwrap()], &outputs, &letters, &events);
        assert_eq!((totals.events, totals.enriched, totals.dropped, totals.missing), (4, 2, 1, 1));
        assert_eq!(totals.dead_lettered.get("trap"), Some(&1));
    }

    #[test]
    fn a_repeat_is_the_same_item_of_the_same_job() {
        let outputs = [
            output("p/in/0/1", "a", "1"),
            output("p/in/0/1", "a", "1"),
            output("p/in/0/1", "a", "2"),
            // A later generation of the same document.
            output("p/in/0/2", "a", "1"),
        ];
        let totals = count(&outputs, &[], &[]);
        assert_eq!((totals.outputs, totals.repeats, totals.differing_repeats), (4, 1, 1));
        assert_eq!(totals.gone, 2, "their events are not in the topic");
    }

    #[test]
    fn values_are_compared_where_there_is_no_digest() {
        let item = |payload: &'static [u8]| {
            let record = record("out", 0, &[("gristmill-job-id", "p/in/0/1"), ("gristmill-item-id", "a")]);
            Event { payload: Some(Bytes::from_static(payload)), ..record }
        };
        let totals = count(&[item(b"x"), item(b"x"), item(b"y")], &[], &[]);
        assert_eq!((totals.repeats, totals.differing_repeats), (1, 1));
    }

    #[test]
    fn deletes_and_replays_are_no_events_of_their_own() {
        let delete = Event { payload: None, ..record("in", 1, &[]) };
        let replay = record("in", 2, &[("gristmill-replay-of", "dead/0/5")]);
        let claimed = record("in", 3, &[("gristmill-replay-of", "dead/0/6")]);
        let totals = count(
            &[output("p/in/0/0", "a", "1")],
            &[dead(5, "p/in/0/0", "trap")],
            &[record("in", 0, &[]), delete, replay, claimed],
        );
        assert_eq!((totals.events, totals.enriched, totals.deletes, totals.replays, totals.missing), (2, 1, 1, 1, 1));
    }

    #[test]
    fn what_others_wrote_does_not_count() {
        let foreign = [output("q/in/0/1", "a", "1"), record("out", 1, &[]), output("p/in/0/01", "a", "1")];
        let tombstone = Event { payload: None, ..output("p/in/0/1", "a", "1") };
        let letters = [dead(0, "q/in/0/1", "trap"), record("dead", 1, &[("gristmill-replayed", "0/0")])];
        let totals = count(&[&foreign[..], &[tombstone]].concat(), &letters, &[record("in", 1, &[])]);
        assert_eq!((totals.outputs, totals.missing, totals.enriched), (0, 1, 0));
    }

    #[test]
    fn memory_is_bounded() {
        let mut count = Count::new("p", Bounds { outputs: 2, missing: 0 }, &[]);
        for item in ["a", "b"] {
            count.output(&output("p/in/0/1", item, "1")).unwrap();
        }
        assert_eq!(count.output(&output("p/in/0/1", "c", "1")), Err(TooMany(2)));
        let mut count = Count::new("p", Bounds { outputs: 1_000_000, missing: 0 }, &[]);
        for offset in 0..3 * REASONS as u128 {
            count.dead_letter(&dead(offset, &format!("p/in/0/{offset}"), &format!("r{offset}"))).unwrap();
        }
        assert!(count.reasons.len() <= REASONS + 1, "{}", count.reasons.len());
    }
}
