//! The partitions we own, and those being taken away.

use std::collections::HashMap;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::handle::PartitionStatus;
use super::outbox::Outbox;
use crate::model::{Generation, Partition, Portion, Progress};

/// A partition we own.
pub(super) struct PartitionState {
    pub(super) progress: Progress,
    /// How many jobs are running their stages.
    pub(super) running: usize,
    pub(super) outbox: Outbox,
    has_begun: bool,
}

impl PartitionState {
    fn new(generation: Generation) -> Self {
        Self { progress: Progress::new(generation), running: 0, outbox: Outbox::default(), has_begun: false }
    }

    pub(super) fn generation(&self) -> Generation {
        self.progress.generation()
    }

    /// Whether its first event is arriving.
    pub(super) fn begins(&mut self) -> bool {
        !std::mem::replace(&mut self.has_begun, true)
    }

    fn is_busy(&self) -> bool {
        self.running > 0 || self.outbox.ready() > 0
    }
}

/// Partitions being taken away. Their jobs may finish until the deadline.
struct Revocation {
    partitions: Vec<Partition>,
    ack: oneshot::Sender<()>,
    deadline: Instant,
}

/// All partitions of one pipeline.
#[derive(Default)]
pub(super) struct Partitions {
    owned: HashMap<Partition, PartitionState>,
    revocations: Vec<Revocation>,
    /// How many there are in all, as the source said last.
    all: usize,
}

impl Partitions {
    /// Begins a span of ownership. Returns the state of an earlier span that had not ended.
    pub(super) fn open(&mut self, partition: Partition, generation: Generation) -> Option<PartitionState> {
        // A partition that was taken away and came back before the flow was done with it starts afresh and is kept.
        for revocation in &mut self.revocations {
            revocation.partitions.retain(|leaving| *leaving != partition);
        }
        self.owned.insert(partition, PartitionState::new(generation))
    }

    /// Notes how many partitions there are in all.
    pub(super) fn count(&mut self, all: usize) {
        self.all = all;
    }

    /// How much of the group's work is ours. Partitions that are being taken away are ours until they are given.
    pub(super) fn portion(&self) -> Portion {
        Portion::new(self.owned.len(), self.all)
    }

    /// Those we own, in order.
    pub(super) fn statuses(&self) -> Vec<PartitionStatus> {
        let status = |(partition, state): (&Partition, &PartitionState)| PartitionStatus {
            partition: partition.clone(),
            generation: state.generation(),
            settled: state.progress.settled(),
        };
        let mut all: Vec<PartitionStatus> = self.owned.iter().map(status).collect();
        all.sort();
        all
    }

    /// Ends the ownership.
    pub(super) fn close(&mut self, partition: &Partition) -> Option<PartitionState> {
        self.owned.remove(partition)
    }

    /// The partition, if we own it in this generation. A late result from an earlier one belongs to another owner.
    pub(super) fn of(&mut self, partition: &Partition, generation: Generation) -> Option<&mut PartitionState> {
        self.owned.get_mut(partition).filter(|state| state.generation() == generation)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Partition, &PartitionState)> {
        self.owned.iter()
    }

    /// Whether the partition is being taken away.
    pub(super) fn is_leaving(&self, partition: &Partition) -> bool {
        self.revocations.iter().any(|revocation| revocation.partitions.contains(partition))
    }

    /// Whether any partition waits for its jobs to end before it is given away.
    pub(super) fn is_revoking(&self) -> bool {
        !self.revocations.is_empty()
    }

    /// Notes that partitions are being taken away. Their running jobs may finish until the deadline.
    pub(super) fn revoke(&mut self, partitions: Vec<Partition>, ack: oneshot::Sender<()>, deadline: Instant) {
        self.revocations.push(Revocation { partitions, ack, deadline });
    }

    /// The earliest deadline of a revocation.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.revocations.iter().map(|revocation| revocation.deadline).min()
    }

    /// The revoked partitions that are past their deadline.
    pub(super) fn overdue(&self) -> Vec<Partition> {
        let now = Instant::now();
        let overdue = self.revocations.iter().filter(|revocation| revocation.deadline <= now);
        overdue.flat_map(|revocation| revocation.partitions.iter().cloned()).collect()
    }

    /// Removes and returns every revoked set of partitions whose jobs have all ended, each with the channel for its
    /// acknowledgement.
    pub(super) fn released(&mut self) -> Vec<(Vec<Partition>, oneshot::Sender<()>)> {
        let owned = &self.owned;
        let busy = |partition: &Partition| owned.get(partition).is_some_and(PartitionState::is_busy);
        let done = self.revocations.extract_if(.., |revocation| !revocation.partitions.iter().any(busy));
        done.map(|revocation| (revocation.partitions, revocation.ack)).collect()
    }
}
