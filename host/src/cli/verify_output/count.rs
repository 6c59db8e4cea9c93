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
    outputs: u64,
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
    /// The same of those that were submitted: their ids do not name a pipeline, only their events do.
    submitted: HashMap<Id, Job>,
    /// Those of them of which an event has come.
    come: HashSet<Id>,
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
            submitted: HashMap::new(),
            come: HashSet::new(),
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
        self.known(&job).outputs += 1;
        let job = job.as_str().as_bytes();
        let Some(item) = value(record, names::ITEM_ID) else { return Ok(()) };
        let digest = match value(record, names::OUTPUT_SHA256) {
            Some(digest) => id(&[digest]),
            None => id(&[payload]),
        };
        let digest = digest as u64;
        match self.items.entry(id(&[record.id.partition.topic.as_bytes(), job, item])) {
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
        let is_elsewhere = |place: &str| JobId::replayed(&self.pipeline, place).is_none();
        if text(record, names::FIRST_PLACE).is_some_and(is_elsewhere) {
            return Ok(());
        }
        let Some(reason) = text(record, names::FAILURE_REASON) else { return Ok(()) };
        let index = self.index_of(reason);
        self.known(&job).dead = Some(u16::try_from(index).unwrap_or(u16::MAX));
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
        let own = JobId::new(&self.pipeline, &event.id);
        // Taken out: what is left in the end belongs to events that are gone.
        let own = self.jobs.remove(&id(&[own.as_str().as_bytes()]));
        let job = match (own, submitted(event)) {
            (Some(own), _) => own,
            (None, None) => Job::default(),
            // Retries of a job are further events of it; so is one that was published twice.
            (None, Some(named)) if !self.come.insert(named) => {
                self.totals.replays += 1;
                return;
            }
            (None, Some(named)) => self.submitted.remove(&named).unwrap_or_default(),
        };
        let totals = &mut self.totals;
        if event.payload.is_none() && event.key.is_some() && job.dead.is_none() {
            totals.deletes += 1;
            return;
        }
        let left_nothing = job.outputs == 0 && job.dead.is_none();
        if left_nothing && self.expected.iter().any(|expected| expected.matches(event)) {
            totals.dropped += 1;
            return;
        }
        totals.events += 1;
        match job {
            Job { outputs: 1.., .. } => totals.enriched += 1,
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
        self.totals.gone = self.jobs.values().filter(|job| job.outputs > 0).count() as u64;
        // Jobs that no event of ours names are those of other pipelines.
        self.totals.outputs -= self.submitted.values().map(|job| job.outputs).sum::<u64>();
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

    /// What is known of a job.
    fn known(&mut self, job: &JobId) -> &mut Job {
        let jobs = if is_submitted(job) { &mut self.submitted } else { &mut self.jobs };
        jobs.entry(id(&[job.as_str().as_bytes()])).or_default()
    }

    /// The record's job, if it may be one of this pipeline.
    fn own_job(&self, record: &Event) -> Option<JobId> {
        let job = text(record, names::JOB_ID)?;
        match JobId::replayed(&self.pipeline, job) {
            Some((job, _)) => Some(job),
            None => JobId::read(job).filter(is_submitted),
        }
    }

    fn check(&self) -> Result<(), TooMany> {
        let most = self.bounds.outputs;
        let jobs = self.jobs.len() + self.submitted.len();
        let is_full = self.items.len().max(jobs).max(self.letters.len()) > most;
        if is_full { Err(TooMany(most)) } else { Ok(()) }
    }
}

/// Whether a job was submitted: then its id does not name its event.
fn is_submitted(job: &JobId) -> bool {
    !job.as_str().contains('/')
}

/// The submitted job that an event names.
fn submitted(event: &Event) -> Option<Id> {
    let (job, _) = text(event, names::SUBMITTED)?.split_once(';')?;
    let job = JobId::read(job).filter(is_submitted)?;
    Some(id(&[job.as_str().as_bytes()]))
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
mod tests;
