//! One step of a pipeline.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::model::{EventId, Failure, Item, JobId, Outcome, Timestamp, TraceContext};

/// One call of a stage: an item and its context.
#[derive(Debug, Clone)]
pub struct Call {
    /// The job.
    pub job: JobId,
    /// The event that started the job.
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

/// Answers and checkpoints of a job are kept per edition. When an operator replays a job from a given stage, that stage
/// and the later ones run in a new edition, which does not use what earlier editions kept. 0 without such a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Edition(pub u32);

/// Why a stage gave no outcome. Each variant stands for how the flow reacts.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// Retry this item according to the policy, but not before `after`.
    #[error("{failure}")]
    Retry {
        /// The reason.
        failure: Failure,
        /// The minimum time to wait.
        after: Option<Duration>,
    },
    /// A shared dependency is rate-limited or unavailable: start no other jobs during the wait, then retry this item.
    /// Not counted as an attempt, because nothing is wrong with the item.
    #[error("{failure}")]
    Slow {
        /// The reason.
        failure: Failure,
        /// The minimum time to wait.
        after: Option<Duration>,
    },
    /// The stage crashed. It gets one more chance in a fresh instance.
    #[error("{0}")]
    Trap(Failure),
    /// It will fail the same way every time.
    #[error("{0}")]
    Permanent(Failure),
    /// A paid answer could not be recalled or kept. Not counted as an attempt.
    #[error(transparent)]
    Store(StoreError),
    /// The host is at fault, not the item. The flow stops.
    #[error("the host cannot run the stage")]
    Host(#[source] anyhow::Error),
}

/// One step of a pipeline.
#[async_trait]
pub trait Stage: Send + Sync {
    /// Runs the stage on one item. Bounded in time, memory and output by its limits. A dropped call leaves nothing
    /// behind.
    async fn run(&self, call: &Call) -> Result<Outcome, StageError>;

    /// How many items [`Stage::run_batch`] takes at most. 1 if the stage handles them only one by one.
    fn max_batch(&self) -> usize {
        1
    }

    /// Runs the stage on several items of one job, each for the first time. Returns one result for each, in order.
    /// `None` says nothing about any of them: run each alone. Bounded and droppable like [`Stage::run`].
    async fn run_batch(&self, _calls: &[Call]) -> Option<Vec<Result<Outcome, StageError>>> {
        None
    }
}
