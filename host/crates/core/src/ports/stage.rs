//! One step of a pipeline.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::model::{
    Blame, DocumentGeneration, DocumentId, EventId, Failure, Item, JobId, Outcome, Timestamp, TraceContext,
};

/// One call of a stage: an item and its context.
#[derive(Debug, Clone)]
pub struct Call {
    /// The job.
    pub job: JobId,
    /// The event that started the job.
    pub event: EventId,
    /// The document that the event is a version of.
    pub document: DocumentId,
    /// The generation of it that the event is.
    pub generation: DocumentGeneration,
    /// The time of that event's record.
    pub timestamp: Timestamp,
    /// The item.
    pub item: Item,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// How often the job was restarted from some stage.
    pub edition: Edition,
    /// The job's own span, in the trace that the job belongs to. The same on every redelivery; the stage may see it.
    pub trace: TraceContext,
    /// The span of this attempt, within that of the job.
    pub span: TraceContext,
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
        /// What the item waits for.
        hold: Hold,
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

/// What holds an item up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hold {
    /// A dependency that answers nobody. The wait ends early when another item gets through.
    Outage,
    /// A limit, or what the stage takes for one. The wait is kept to.
    Limit,
    /// The same, but the limit lets other items through. The time counts against the deadline of the retry policy.
    UnevenLimit,
}

impl StageError {
    /// The same error in the light of whose fault the stage's last request to the outside was. The stage words its
    /// error, but only the host sees what others got. What the stage calls permanent is permanent.
    #[must_use]
    pub fn blamed(self, blame: Option<Blame>) -> Self {
        let Some(blame) = blame else { return self };
        let (Self::Retry { failure, after } | Self::Slow { failure, after, .. }) = self else { return self };
        let hold = match blame {
            Blame::Request => return Self::Retry { failure, after },
            Blame::UnevenLimit => Hold::UnevenLimit,
            Blame::Limit => Hold::Limit,
            Blame::Dependency => Hold::Outage,
        };
        Self::Slow { failure, after, hold }
    }
}

/// Which items a stage takes in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batching {
    /// How many at most. 1 if the stage handles them only one by one.
    pub most: usize,
    /// Whose.
    pub of: BatchOf,
}

/// Whose items may be in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchOf {
    /// Those of one job: what others sent must not be seen.
    Job,
    /// Those of jobs that run together.
    Jobs,
}

impl Batching {
    /// One item at a time.
    pub const NONE: Self = Self { most: 1, of: BatchOf::Job };
}

/// One step of a pipeline.
#[async_trait]
pub trait Stage: Send + Sync {
    /// Runs the stage on one item. Bounded in time, memory and output by its limits. A dropped call leaves nothing
    /// behind.
    async fn run(&self, call: &Call) -> Result<Outcome, StageError>;

    /// Which items [`Stage::run_batch`] takes.
    fn batching(&self) -> Batching {
        Batching::NONE
    }

    /// Runs the stage on several items, each for the first time. Returns one result for each, in order. `None` says
    /// nothing about any of them: run each alone. Bounded and droppable like [`Stage::run`].
    async fn run_batch(&self, _calls: &[Call]) -> Option<Vec<Result<Outcome, StageError>>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The decision, without its failure.
    fn decision(error: &StageError) -> String {
        match error {
            StageError::Retry { .. } => "retry".into(),
            StageError::Slow { hold, .. } => format!("{hold:?}"),
            StageError::Permanent(_) => "permanent".into(),
            StageError::Trap(_) => "trap".into(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_host_decides_what_the_stage_leaves_open() {
        let failure = || Failure::new("x", "x");
        let after = Some(Duration::from_secs(7));
        let retry = || StageError::Retry { failure: failure(), after };
        let slow = || StageError::Slow { failure: failure(), after, hold: Hold::Limit };
        let (permanent, trap) = (|| StageError::Permanent(failure()), || StageError::Trap(failure()));
        for (blame, of_retry, of_slow) in [
            (None, "retry", "Limit"),
            (Some(Blame::Request), "retry", "retry"),
            (Some(Blame::UnevenLimit), "UnevenLimit", "UnevenLimit"),
            (Some(Blame::Limit), "Limit", "Limit"),
            (Some(Blame::Dependency), "Outage", "Outage"),
        ] {
            assert_eq!(decision(&retry().blamed(blame)), of_retry, "{blame:?}");
            assert_eq!(decision(&slow().blamed(blame)), of_slow, "{blame:?}");
            assert_eq!(decision(&permanent().blamed(blame)), "permanent", "{blame:?}");
            assert_eq!(decision(&trap().blamed(blame)), "trap", "{blame:?}");
        }
        let (StageError::Retry { after: kept, .. } | StageError::Slow { after: kept, .. }) =
            retry().blamed(Some(Blame::Dependency))
        else {
            panic!("held")
        };
        assert_eq!(kept, after, "the wait that the stage asked for stays");
    }
}
