//! One step of a pipeline.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::model::{EventId, Failure, Item, JobId, Outcome, Timestamp, TraceContext};

/// One call of a stage: an item and what surrounds it.
#[derive(Debug, Clone)]
pub struct Call {
    /// The job.
    pub job: JobId,
    /// The event that started it.
    pub event: EventId,
    /// The time of that event's record.
    pub timestamp: Timestamp,
    /// The item.
    pub item: Item,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// How often the job was restarted from some stage.
    pub edition: Edition,
    /// The trace that the job belongs to.
    pub trace: TraceContext,
}

/// What is kept of a job is kept by edition: a job that an operator replays from some stage on gets a new one there,
/// and answers and checkpoints of earlier ones are not used. 0 unless replayed so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Edition(pub u32);

/// Why a stage gave no outcome. The variants are what the flow does.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// Try this item again, by the policy, not before `after`.
    #[error("{failure}")]
    Retry {
        /// Why.
        failure: Failure,
        /// The least time to wait.
        after: Option<Duration>,
    },
    /// A shared dependency is limited: begin no other jobs for that long, then try this item again. Not counted as an
    /// attempt, because nothing is wrong with the item.
    #[error("{failure}")]
    Slow {
        /// Why.
        failure: Failure,
        /// The least time to wait.
        after: Option<Duration>,
    },
    /// The stage broke: one more chance in a fresh instance.
    #[error("{0}")]
    Trap(Failure),
    /// It will fail the same way each time.
    #[error("{0}")]
    Permanent(Failure),
    /// What it paid for could not be recalled or kept. Not counted as an attempt.
    #[error(transparent)]
    Store(StoreError),
    /// The host is broken, not the item: stop.
    #[error("the host cannot run the stage")]
    Host(#[source] anyhow::Error),
}

/// One step of a pipeline.
#[async_trait]
pub trait Stage: Send + Sync {
    /// Runs the stage on one item. Bounded in time, memory and output by its limits. A dropped call leaves nothing
    /// behind.
    async fn run(&self, call: &Call) -> Result<Outcome, StageError>;
}
