//! A pipeline as the flow sees it: connected and ready to run. Nothing here changes while it runs.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{DeadLetterBounds, Timestamp};
use crate::ports::{Observer, Sink, Store, Transactor};

/// How much is in flight at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Jobs at a time, from the taking of their event to its settlement.
    pub jobs: NonZeroUsize,
    /// Bytes of the events of these jobs. One event larger than this still runs, alone.
    pub bytes: NonZeroUsize,
    /// Items of one job at a time.
    pub items_per_job: NonZeroUsize,
    /// Bytes that the items of one job hold together while they wait for a stage or for the end of the job.
    pub job_bytes: NonZeroUsize,
    /// How long jobs may continue after a stop or a revocation was asked for.
    pub drain_timeout: Duration,
}

/// Which jobs wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// None.
    #[default]
    None,
    /// Those of one partition with the same key; those without a key wait for none.
    Key,
    /// All of one partition.
    Partition,
}

/// How outputs are written and events settled.
#[derive(Clone)]
pub enum Delivery {
    /// Outputs first, their event later: after a crash in between they are written again.
    AtLeastOnce(Arc<dyn Sink>),
    /// Both in one transaction.
    ExactlyOnce {
        /// Who commits it.
        transactor: Arc<dyn Transactor>,
        /// A transaction begins at the latest when so many jobs wait for one,
        most: NonZeroUsize,
        /// or when the first of them has waited so long.
        every: Duration,
    },
}

/// The dead letters of a pipeline.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    /// Their topic.
    pub topic: Arc<str>,
    /// When there are too many.
    pub bounds: DeadLetterBounds,
    /// Whether they carry the header names of Kafka Connect too.
    pub connect_headers: bool,
}

/// The fixed wiring of a pipeline. What may change is its [`Deployment`](super::Deployment).
pub struct Pipeline {
    /// The pipeline's name: part of every job id.
    pub name: Arc<str>,
    /// Media type of records without a `content-type` header.
    pub content_type: Option<String>,
    /// Where outputs and dead letters are written.
    pub delivery: Delivery,
    /// The topic of outputs.
    pub output_topic: Arc<str>,
    /// The dead letters.
    pub dead_letters: DeadLetters,
    /// Which jobs wait for each other.
    pub order: Order,
    /// The memory of jobs; `None` when nothing of them is kept.
    pub store: Option<Arc<dyn Store>>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// How much is in flight.
    pub limits: Limits,
    /// The time of the day, for the headers of dead letters.
    pub clock: fn() -> Timestamp,
}
