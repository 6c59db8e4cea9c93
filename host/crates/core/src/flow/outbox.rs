//! Jobs that are done and wait for a transaction, in the order of their partition: what a transaction settles has no
//! gaps, so neither may what it writes.

use std::collections::{BTreeMap, VecDeque};

use super::done::Done;
use crate::model::{Next, Position, Size};
use crate::ports::Record;

/// The done jobs of one partition under one assignment.
#[derive(Default)]
pub(super) struct Outbox {
    /// Those above an unfinished one.
    waiting: BTreeMap<Position, Done>,
    /// Those that a transaction may take, with all before them.
    ready: VecDeque<Done>,
    /// The first place that is not settled when all that is ready is.
    below: Option<Next>,
}

/// What a transaction took of an outbox.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    /// The places of its events, from the oldest.
    pub(super) events: Vec<Position>,
    /// The first place that is not settled then.
    pub(super) below: Next,
    /// How many records it wrote.
    pub(super) records: usize,
}

impl Outbox {
    /// Takes in a done job. `below` is what its partition's progress said.
    pub(super) fn put(&mut self, done: Done, below: Option<Next>) {
        self.waiting.insert(done.event.id.position, done);
        let Some(below) = below else { return };
        let above = self.waiting.split_off(&Position(below.0));
        self.ready.extend(std::mem::replace(&mut self.waiting, above).into_values());
        self.below = Some(below);
    }

    /// How many jobs a transaction may take.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// How many jobs are here, and the bytes of their events.
    pub(super) fn held(&self) -> (usize, usize) {
        let all = self.ready.iter().chain(self.waiting.values());
        all.fold((0, 0), |(jobs, bytes), done| (jobs + 1, bytes + done.event.size()))
    }

    /// The records of everything ready, in order; `None` if nothing is. It stays here until [`Outbox::remove`].
    pub(super) fn take(&self, records: &mut Vec<Record>) -> Option<Taken> {
        let below = self.below.filter(|_| !self.ready.is_empty())?;
        let before = records.len();
        records.extend(self.ready.iter().flat_map(|done| done.records.iter().cloned()));
        let events = self.ready.iter().map(|done| done.event.id.position).collect();
        Some(Taken { events, below, records: records.len() - before })
    }

    /// The job whose record has this index among those of everything ready.
    pub(super) fn job_of_record(&mut self, record: usize) -> Option<&mut Done> {
        let mut before = 0;
        self.ready.iter_mut().find(|done| {
            before += done.records.len();
            record < before
        })
    }

    /// All jobs, when their partition is no longer ours.
    pub(super) fn into_jobs(self) -> impl Iterator<Item = Done> {
        self.ready.into_iter().chain(self.waiting.into_values())
    }

    /// Takes out what was committed.
    pub(super) fn remove(&mut self, taken: &Taken) -> Vec<Done> {
        self.ready.drain(..taken.events.len().min(self.ready.len())).collect()
    }
}
