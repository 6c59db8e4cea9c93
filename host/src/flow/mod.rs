//! Floor 2. How an event moves: from the source through the stages to the sink or the dead letters, and only then is
//! it settled. Knows no Kafka, no WebAssembly, no model.

mod checkpoint;
mod done;
mod execute;
mod gather;
mod order;
mod outbox;
mod pace;
mod partitions;
mod pipeline;
mod records;
mod replay;
mod task;
#[cfg(test)]
mod tests;
mod transactions;

use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::JobId;
use crate::ports::{SinkError, Source, SourceError, StoreError};
use partitions::{Partitions, Turn};
pub use pipeline::{Delivery, Fingerprint, Letters, Limits, Order, Pipeline, Step};
pub use records::{is_ours, names};

/// So many signals at most are taken before ended jobs are looked at again.
const BURST: usize = 64;

/// Why a pipeline stopped by itself. Whatever was not settled comes again at the next start.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// The source cannot go on.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Outputs cannot be written.
    #[error("the outputs of job {job} cannot be written; nothing of it was committed")]
    Sink {
        /// Whose outputs.
        job: JobId,
        /// Why.
        source: SinkError,
    },
    /// Dead letters cannot be written. Going on would mean to skip the event, so the pipeline stops.
    #[error("job {job} failed and its dead letter cannot be written; the event was not committed and will come again")]
    DeadLetter {
        /// Whose dead letter.
        job: JobId,
        /// Why.
        source: SinkError,
    },
    /// The broker refuses a dead letter for good. Going on would mean to skip the event, so the pipeline stops.
    #[error(
        "job {job} failed and its dead letter is refused ({reason}); the event was not committed and will come again"
    )]
    LetterRefused {
        /// Whose dead letter.
        job: JobId,
        /// Why.
        reason: String,
    },
    /// Transactions cannot be committed.
    #[error(
        "outputs and offsets cannot be committed in a transaction; the next start goes on where the last one ended"
    )]
    Transaction(#[source] anyhow::Error),
    /// What a job has behind it cannot be remembered.
    #[error("job {job} cannot be remembered; nothing of it was committed")]
    Store {
        /// Whose.
        job: JobId,
        /// Why.
        source: StoreError,
    },
    /// So many jobs fail that it cannot be the events' fault.
    #[error(
        "{reason}, so the pipeline stopped by its own policy before it would empty its topic into them; mend what is \
         wrong and start it again, or change max_dead_letter_rate and max_dead_letters_in_a_row under limits"
    )]
    TooManyDeadLetters {
        /// How many.
        reason: String,
    },
    /// The host cannot run a stage, whatever the item.
    #[error("stage {stage} cannot be run on this host")]
    Stage {
        /// Which stage.
        stage: Arc<str>,
        /// Why.
        source: anyhow::Error,
    },
    /// A bug in the host.
    #[error("a task of the host panicked")]
    Panic(#[source] tokio::task::JoinError),
}

/// Runs the pipeline until `shutdown` is cancelled, then drains: jobs in flight may finish within the drain time-out,
/// what is left comes again at the next start. Leaves the group in any case.
///
/// # Errors
/// Why it stopped by itself.
pub async fn run(
    source: &mut dyn Source,
    pipeline: Arc<Pipeline>,
    shutdown: CancellationToken,
) -> Result<(), FlowError> {
    let mut partitions = Partitions::new(pipeline);
    let worked = work(source, &mut partitions, shutdown).await;
    partitions.abort_all();
    let closed = source.close().await;
    worked.and(closed.map_err(FlowError::from))
}

/// The main loop: one task owns the partitions, their jobs and their progress, so there is nothing to lock.
async fn work(
    source: &mut dyn Source,
    partitions: &mut Partitions,
    shutdown: CancellationToken,
) -> Result<(), FlowError> {
    let mut stopped = pin!(shutdown.cancelled());
    let mut drain_until: Option<Instant> = None;
    let mut ended = Ok(());
    while drain_until.is_none() || !partitions.is_idle() {
        partitions.transact_when_due();
        let demand = partitions.demand();
        tokio::select! {
            biased;
            () = &mut stopped, if drain_until.is_none() => drain_until = Some(partitions.drain()),
            turn = partitions.next_turn() => {
                match turn? {
                    Turn::Ended(job, done) => {
                        let mut ended = Some((job, done));
                        while let Some((job, done)) = ended {
                            if let Some(settled) = partitions.finish(job, done) {
                                source.settle(&settled.event, settled.below)?;
                            }
                            ended = partitions.ended_meanwhile()?;
                        }
                    }
                    Turn::Transacted(result) => partitions.transacted(result)?,
                    Turn::RevocationOverdue => partitions.give_up_revoked(),
                    Turn::TimePassed => {}
                }
                partitions.release_revoked();
                if let (Some(reason), None) = (partitions.too_many_letters(), drain_until) {
                    ended = Err(FlowError::TooManyDeadLetters { reason });
                    drain_until = Some(partitions.drain());
                }
            }
            () = sleep_until(drain_until) => {
                tracing::warn!(in_flight = partitions.in_flight(), "drain time-out; what is in flight will come again");
                break;
            }
            signal = source.recv(demand) => {
                partitions.heed(signal?);
                // What waits already, before everything above is asked anew: that costs more than to take an event.
                for _ in 1..BURST {
                    let Some(signal) = source.recv(partitions.demand()).now_or_never() else { break };
                    partitions.heed(signal?);
                }
            }
        }
    }
    ended
}

/// Waits for that moment, or for ever.
async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
