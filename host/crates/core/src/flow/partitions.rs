//! The partitions we own, and those that are being taken away.

use std::collections::HashMap;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::outbox::Outbox;
use crate::model::{Generation, Partition, Progress};

/// A partition we own.
pub(super) struct PartitionState {
    pub(super) progress: Progress,
    /// Jobs whose stages run.
    pub(super) running: usize,
    pub(super) outbox: Outbox,
}

impl PartitionState {
    fn new(generation: Generation) -> Self {
        Self { progress: Progress::new(generation), running: 0, outbox: Outbox::default() }
    }

    pub(super) fn generation(&self) -> Generation {
        self.progress.generation()
    }

    fn is_busy(&self) -> bool {
        self.running > 0 || self.outbox.ready() > 0
    }
}

/// Partitions that are being taken away: their jobs may finish until the deadline.
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
}

impl Partitions {
    /// Begins a span of ownership. Returns the earlier one's state if it was not over.
    pub(super) fn open(&mut self, partition: Partition, generation: Generation) -> Option<PartitionState> {
        // One that was lost and came back before the flow was done with it is new from now on, and stays.
        for revocation in &mut self.revocations {
            revocation.partitions.retain(|leaving| *leaving != partition);
        }
        self.owned.insert(partition, PartitionState::new(generation))
    }

    /// Ends the ownership.
    pub(super) fn close(&mut self, partition: &Partition) -> Option<PartitionState> {
        self.owned.remove(partition)
    }

    /// The partition, if it is ours in this generation. A late result of an earlier one belongs to another owner.
    pub(super) fn of(&mut self, partition: &Partition, generation: Generation) -> Option<&mut PartitionState> {
        self.owned.get_mut(partition).filter(|state| state.generation() == generation)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Partition, &PartitionState)> {
        self.owned.iter()
    }

    /// Whether the partition is ours, but not for long.
    pub(super) fn is_leaving(&self, partition: &Partition) -> bool {
        self.revocations.iter().any(|revocation| revocation.partitions.contains(partition))
    }

    /// Whether any partition waits for the end of its jobs to be given away.
    pub(super) fn is_revoking(&self) -> bool {
        !self.revocations.is_empty()
    }

    /// Notes that partitions are being taken away; what runs for them may finish until the deadline.
    pub(super) fn revoke(&mut self, partitions: Vec<Partition>, ack: oneshot::Sender<()>, deadline: Instant) {
        self.revocations.push(Revocation { partitions, ack, deadline });
    }

    /// The next deadline of a revocation.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.revocations.iter().map(|revocation| revocation.deadline).min()
    }

    /// The partitions whose time to finish is over.
    pub(super) fn overdue(&self) -> Vec<Partition> {
        let now = Instant::now();
        let overdue = self.revocations.iter().filter(|revocation| revocation.deadline <= now);
        overdue.flat_map(|revocation| revocation.partitions.iter().cloned()).collect()
    }

    /// Takes out every revoked set of partitions whose jobs have all ended, with whom to tell.
    pub(super) fn released(&mut self) -> Vec<(Vec<Partition>, oneshot::Sender<()>)> {
        let owned = &self.owned;
        let busy = |partition: &Partition| owned.get(partition).is_some_and(PartitionState::is_busy);
        let done = self.revocations.extract_if(.., |revocation| !revocation.partitions.iter().any(busy));
        done.map(|revocation| (revocation.partitions, revocation.ack)).collect()
    }
}
