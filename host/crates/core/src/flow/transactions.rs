//! Exactly-once: outputs and offsets are committed in one transaction at a time, for all partitions together.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::done::Done;
use super::error::FlowError;
use super::outbox::Taken;
use super::partitions::Partitions;
use super::pipeline::{Delivery, Pipeline};
use super::settings::Transactions as Bounds;
use crate::model::{Generation, Partition};
use crate::ports::{Batch, CommitOutcome, Settlement, TransactionError, Transactor};

/// How long to wait before the next transaction after one was aborted.
const AFTER_ABORT: Duration = Duration::from_millis(200);

/// The running transaction, and when the next one is due. Without exactly-once delivery, none ever is.
#[derive(Default)]
pub(super) struct Transactions {
    by: Option<(Arc<dyn Transactor>, Bounds)>,
    running: Option<JoinHandle<Result<(), TransactionError>>>,
    /// What the running transaction took, in the order of its records.
    taken: Vec<(Partition, Generation, Taken)>,
    /// When the oldest ready job became ready.
    ready_since: Option<Instant>,
    not_before: Option<Instant>,
}

/// Whether the next transaction waits for more jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Haste {
    /// Yes: until it is due, or enough jobs are ready.
    Usual,
    /// No: something else waits for the ready jobs.
    AtOnce,
}

/// How many jobs a transaction may take: they and everything before them are done.
pub(super) fn ready(partitions: &Partitions) -> usize {
    partitions.iter().map(|(_, partition)| partition.outbox.ready()).sum()
}

/// How observers are told that a transaction ended.
pub(super) fn outcome(result: &Result<(), TransactionError>) -> CommitOutcome {
    match result {
        Ok(()) => CommitOutcome::Done,
        Err(TransactionError::Aborted(_)) => CommitOutcome::Aborted,
        Err(TransactionError::Refused { .. } | TransactionError::Unavailable(_)) => CommitOutcome::Failed,
    }
}

impl Transactions {
    pub(super) fn new(delivery: &Delivery) -> Self {
        match delivery {
            Delivery::AtLeastOnce(_) => Self::default(),
            Delivery::ExactlyOnce { transactor, bounds } => {
                Self { by: Some((Arc::clone(transactor), *bounds)), ..Self::default() }
            }
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Notes that a job is ready, or might be.
    pub(super) fn note_ready(&mut self) {
        self.ready_since.get_or_insert_with(Instant::now);
    }

    /// When the next transaction is due. `None` while one runs or nothing is ready.
    pub(super) fn due(&self, partitions: &Partitions, haste: Haste) -> Option<Instant> {
        let (_, bounds) = self.by.as_ref()?;
        let since = self.ready_since?;
        let ready = ready(partitions);
        if self.is_running() || ready == 0 {
            return None;
        }
        let hurry = ready >= bounds.max_jobs.get() as usize || haste == Haste::AtOnce;
        let due = if hurry { since } else { since + bounds.max_wait };
        Some(self.not_before.map_or(due, |not_before| not_before.max(due)))
    }

    /// Begins a transaction with everything that is ready, if one is due.
    pub(super) fn begin_when_due(&mut self, partitions: &Partitions, haste: Haste) {
        let Some((transactor, ..)) = &self.by else { return };
        if self.due(partitions, haste).is_none_or(|due| due > Instant::now()) {
            return;
        }
        let mut batch = Batch::default();
        let mut all = Vec::new();
        for (partition, state) in partitions.iter() {
            if let Some(taken) = state.outbox.take(&mut batch.records) {
                let (partition, generation) = (partition.clone(), state.generation());
                let (below, events) = (taken.below, taken.events.clone());
                batch.settled.push(Settlement { partition: partition.clone(), generation, below, events });
                all.push((partition, generation, taken));
            }
        }
        let transactor = Arc::clone(transactor);
        self.taken = all;
        self.running = Some(tokio::spawn(async move { transactor.commit(batch).await }));
    }

    /// Waits for the running transaction to end; forever if none runs. Cancel-safe.
    pub(super) async fn ended(&mut self) -> Result<(), TransactionError> {
        let Some(running) = &mut self.running else { return std::future::pending().await };
        let ended = running.await;
        self.running = None;
        ended.unwrap_or_else(|panicked| Err(TransactionError::Unavailable(panicked.into())))
    }

    /// Handles the end of a transaction and returns the jobs that it committed. Aborted jobs stay in their outbox and
    /// go into the next one, unless their partition was given away in the meantime.
    pub(super) fn settle(
        &mut self,
        result: Result<(), TransactionError>,
        partitions: &mut Partitions,
        pipeline: &Pipeline,
    ) -> Result<Vec<Done>, FlowError> {
        let taken = std::mem::take(&mut self.taken);
        let mut committed = Vec::new();
        match result {
            Ok(()) => {
                self.not_before = None;
                for (partition, generation, taken) in taken {
                    if let Some(state) = partitions.of(&partition, generation) {
                        committed.append(&mut state.outbox.remove(&taken));
                    }
                }
                // For jobs that became ready in the meantime, `max_wait` counts from now.
                self.ready_since = Some(Instant::now());
            }
            Err(TransactionError::Aborted(reason)) => {
                tracing::warn!(reason, "a transaction was aborted and will be retried");
                self.not_before = Some(Instant::now() + AFTER_ABORT);
            }
            Err(TransactionError::Refused { record, topic, reason }) => {
                let reason = format!("topic {topic} rejects a record: {reason}");
                refuse(&taken, record, reason, partitions, pipeline)?;
            }
            Err(TransactionError::Unavailable(source)) => return Err(FlowError::Transaction(source)),
        }
        if ready(partitions) == 0 {
            self.ready_since = None;
        }
        Ok(committed)
    }
}

/// Turns the job whose record was rejected into a dead letter.
fn refuse(
    taken: &[(Partition, Generation, Taken)],
    record: usize,
    reason: String,
    partitions: &mut Partitions,
    pipeline: &Pipeline,
) -> Result<(), FlowError> {
    let mut left = record;
    for (partition, generation, taken) in taken {
        if left >= taken.records {
            left -= taken.records;
            continue;
        }
        // A partition that was given away meanwhile takes its job along.
        let state = partitions.of(partition, *generation);
        if let Some(done) = state.and_then(|state| state.outbox.job_of_record(left)) {
            if done.is_dead() {
                return Err(FlowError::DeadLetterRefused { job: done.origin.job.clone(), reason });
            }
            done.refuse(pipeline, reason);
        }
        break;
    }
    Ok(())
}
