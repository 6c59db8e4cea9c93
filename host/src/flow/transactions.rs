//! Exactly-once: outputs and offsets in one transaction at a time, of all partitions together.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::outbox::Taken;
use super::partitions::{Lane, Partitions, Phase};
use super::{Delivery, FlowError};
use crate::model::{Generation, Partition};
use crate::ports::{Batch, Settlement, TransactionError};

/// How long nothing is tried after a transaction was aborted.
const AFTER_ABORT: Duration = Duration::from_millis(200);

/// The transaction that runs, and when the next one is due.
#[derive(Default)]
pub(super) struct Transactions {
    running: Option<JoinHandle<Result<(), TransactionError>>>,
    /// What it took, in the order of its records.
    taken: Vec<(Partition, Generation, Taken)>,
    /// When the oldest ready job became so.
    ready_since: Option<Instant>,
    not_before: Option<Instant>,
}

impl Transactions {
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn note_ready(&mut self) {
        self.ready_since.get_or_insert_with(Instant::now);
    }

    /// Waits for the end of the transaction that runs, or for ever. Cancel-safe.
    pub(super) async fn ended(&mut self) -> Result<(), TransactionError> {
        let Some(running) = &mut self.running else { return std::future::pending().await };
        let ended = running.await;
        self.running = None;
        ended.unwrap_or_else(|panicked| Err(TransactionError::Unavailable(panicked.into())))
    }
}

impl Partitions {
    /// How many jobs wait for a transaction with everything before them done.
    pub(super) fn ready(&self) -> usize {
        self.lanes.values().map(|lane| lane.outbox.ready()).sum()
    }

    /// When the next transaction is to be begun; `None` while one runs or nothing is ready.
    pub(super) fn transaction_due(&self) -> Option<Instant> {
        let Delivery::ExactlyOnce { most, every, .. } = &self.pipeline.delivery else { return None };
        let transactions = &self.transactions;
        let since = transactions.ready_since?;
        let ready = self.ready();
        if transactions.is_running() || ready == 0 {
            return None;
        }
        let hurry = ready >= most.get() || self.phase == Phase::Draining || self.is_revoking();
        let due = if hurry { since } else { since + *every };
        Some(transactions.not_before.map_or(due, |not_before| not_before.max(due)))
    }

    /// Begins a transaction of everything that is ready, if it is time.
    pub(super) fn transact_when_due(&mut self) {
        let Delivery::ExactlyOnce { transactor, .. } = &self.pipeline.delivery else { return };
        if self.transaction_due().is_none_or(|due| due > Instant::now()) {
            return;
        }
        let mut batch = Batch::default();
        let mut taken = Vec::new();
        for (partition, lane) in &self.lanes {
            if let Some(took) = lane.outbox.take(&mut batch.records) {
                let (partition, generation) = (partition.clone(), lane.generation());
                batch.settled.push(Settlement { partition: partition.clone(), generation, below: took.below });
                taken.push((partition, generation, took));
            }
        }
        let transactor = Arc::clone(transactor);
        self.transactions.taken = taken;
        self.transactions.running = Some(tokio::spawn(async move { transactor.commit(batch).await }));
    }

    /// Takes note of the end of a transaction. What was aborted stays where it is and goes into the next one, unless its
    /// partition was given away meanwhile.
    pub(super) fn transacted(&mut self, result: Result<(), TransactionError>) -> Result<(), FlowError> {
        let taken = std::mem::take(&mut self.transactions.taken);
        match result {
            Ok(()) => self.committed(taken)?,
            Err(TransactionError::Aborted(reason)) => {
                tracing::warn!(reason, "a transaction was aborted, it is tried again");
                self.transactions.not_before = Some(Instant::now() + AFTER_ABORT);
            }
            Err(TransactionError::Refused { record, topic, reason }) => {
                self.refused(&taken, record, format!("the topic {topic} refuses a record: {reason}"))?;
            }
            Err(TransactionError::Unavailable(source)) => return Err(FlowError::Transaction(source)),
        }
        if self.ready() == 0 {
            self.transactions.ready_since = None;
        }
        Ok(())
    }

    fn committed(&mut self, taken: Vec<(Partition, Generation, Taken)>) -> Result<(), FlowError> {
        self.transactions.not_before = None;
        for (partition, generation, took) in taken {
            let Some(lane) = self.lane_of(&partition, generation) else { continue };
            for done in lane.outbox.remove(took) {
                self.held.remove((1, done.event.size()));
                self.letters.note(done.is_dead());
                done.acknowledged(&self.pipeline)?;
            }
        }
        // Whatever became ready meanwhile waits at most from now on.
        self.transactions.ready_since = Some(Instant::now());
        Ok(())
    }

    /// Makes a dead letter of the job whose record was refused.
    fn refused(
        &mut self,
        taken: &[(Partition, Generation, Taken)],
        record: usize,
        reason: String,
    ) -> Result<(), FlowError> {
        let pipeline = Arc::clone(&self.pipeline);
        let mut left = record;
        for (partition, generation, took) in taken {
            let Some(lane) = self.lane_of(partition, *generation) else { continue };
            let records = lane.outbox.records(*took);
            if left >= records {
                left -= records;
                continue;
            }
            if let Some(done) = lane.outbox.job_of_record(left) {
                if done.is_dead() {
                    return Err(FlowError::LetterRefused { job: done.origin.job.clone(), reason });
                }
                done.refuse(&pipeline, reason);
            }
            break;
        }
        Ok(())
    }

    fn lane_of(&mut self, partition: &Partition, generation: Generation) -> Option<&mut Lane> {
        self.lanes.get_mut(partition).filter(|lane| lane.generation() == generation)
    }
}
