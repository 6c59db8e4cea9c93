//! Jobs that are done and wait for a transaction, in the order of their partition: a transaction settles events without
//! gaps, so the outputs it writes must not have gaps either.

use std::collections::{BTreeMap, VecDeque};

use super::done::Done;
use crate::model::{Next, Position, Size};
use crate::ports::Record;

/// The finished jobs of one partition under one assignment.
#[derive(Default)]
pub(super) struct Outbox {
    /// Jobs after one that is still unfinished.
    waiting: BTreeMap<Position, Done>,
    /// Jobs that a transaction may take, because everything before them is done.
    ready: VecDeque<Done>,
    /// The first position that is not settled once all ready jobs are.
    below: Option<Next>,
}

/// What a transaction took from an outbox.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    /// The positions of its events, oldest first.
    pub(super) events: Vec<Position>,
    /// The first position that is not settled after it.
    pub(super) below: Next,
    /// How many records it wrote.
    pub(super) records: usize,
}

impl Outbox {
    /// Adds a finished job. `below` is what its partition's progress returned.
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

    /// How many jobs it holds, and the bytes of their events.
    pub(super) fn held(&self) -> (usize, usize) {
        let all = self.ready.iter().chain(self.waiting.values());
        all.fold((0, 0), |(jobs, bytes), done| (jobs + 1, bytes + done.event.size()))
    }

    /// Appends the records of all ready jobs, in order. `None` if no job is ready. The jobs stay here until
    /// [`Outbox::remove`].
    pub(super) fn take(&self, records: &mut Vec<Record>) -> Option<Taken> {
        let below = self.below.filter(|_| !self.ready.is_empty())?;
        let before = records.len();
        records.extend(self.ready.iter().flat_map(|done| done.records.iter().cloned()));
        let events = self.ready.iter().map(|done| done.event.id.position).collect();
        Some(Taken { events, below, records: records.len() - before })
    }

    /// The job whose record has this index among the records of all ready jobs.
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

    /// Removes and returns the jobs that were committed.
    pub(super) fn remove(&mut self, taken: &Taken) -> Vec<Done> {
        self.ready.drain(..taken.events.len().min(self.ready.len())).collect()
    }
}
