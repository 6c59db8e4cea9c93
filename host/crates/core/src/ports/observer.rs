//! Those who watch.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Call, Caller, StageError};
use crate::model::{ChatFailure, Event, EventId, Failure, JobId, Outcome, Partition, Usage};

/// What happens in a pipeline, as it happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum FlowEvent<'a> {
    /// An event was taken.
    JobStarted {
        /// The job.
        job: &'a JobId,
        /// The event.
        event: &'a Event,
    },
    /// One attempt of a stage at an item ended.
    Attempt {
        /// The call.
        call: &'a Call,
        /// The stage.
        stage: &'a str,
        /// How long it took, waiting included.
        elapsed: Duration,
        /// What it gave.
        result: &'a Result<Outcome, StageError>,
    },
    /// A job ended after its partition was given away: what it did is not settled, its event is another owner's.
    Stale {
        /// The event.
        event: &'a EventId,
    },
    /// A stage was not run, because its outcome was kept.
    Restored {
        /// The job.
        job: &'a JobId,
        /// The stage.
        stage: &'a str,
    },
    /// A job ended, and what it ended in is acknowledged.
    JobEnded {
        /// The job.
        job: &'a JobId,
        /// How long it took from the event to the acknowledgement.
        elapsed: Duration,
        /// How.
        end: End<'a>,
    },
    /// No new events are taken for so long from now; `None` until an operator resumes. A later one replaces it.
    Paused {
        /// Why.
        why: &'a PauseReason,
        /// How long, as far as is known.
        wait: Option<Duration>,
    },
    /// An operator's pause is over. Other pauses end by themselves, when their time is over.
    Resumed,
    /// What is in flight, now and then.
    Queues(Queues),
    /// How far behind the group is in a partition, now and then.
    Lag {
        /// The partition.
        partition: &'a Partition,
        /// Its records that are not settled yet.
        records: u64,
    },
    /// A target of a model was asked.
    ModelCall {
        /// Who asked.
        caller: &'a Caller,
        /// The alias that was asked for.
        alias: &'a str,
        /// The target, as "provider/model".
        target: &'a str,
        /// How long it took.
        elapsed: Duration,
        /// What it took, or why there is no answer.
        result: Result<Usage, &'a ChatFailure>,
    },
    /// The state store was asked.
    StoreCall {
        /// What for.
        operation: StoreOperation,
        /// How long it took.
        elapsed: Duration,
        /// How it ended.
        outcome: StoreOutcome,
    },
}

/// Why no new events are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PauseReason {
    /// An operator said so.
    Operator,
    /// A dependency of a stage is limited or away.
    Dependency {
        /// The stage.
        stage: Arc<str>,
        /// What it said.
        failure: Failure,
    },
    /// The state store does not answer.
    Store(String),
}

impl fmt::Display for PauseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("paused by an operator"),
            Self::Dependency { stage, failure } => write!(f, "stage {stage}: {failure}"),
            Self::Store(reason) => f.write_str(reason),
        }
    }
}

/// What is in flight in a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queues {
    /// Jobs, from the taking of their event to its settlement.
    pub jobs: usize,
    /// Bytes of their events.
    pub bytes: usize,
    /// Jobs among them that wait for another of their key or partition.
    pub waiting_for_order: usize,
    /// Jobs among them that wait for a transaction.
    pub waiting_for_transaction: usize,
}

/// What a state store was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreOperation {
    /// To recall something.
    Recall,
    /// To keep something.
    Keep,
}

/// How a call of a state store ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreOutcome {
    /// It answered.
    Answered,
    /// It will work again by itself.
    Transient,
    /// It does not work any more.
    Broken,
}

/// How a job was settled.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    /// So many records are in the sink.
    Emitted(usize),
    /// Filtered, with a code.
    Dropped(&'a str),
    /// In the dead letters.
    DeadLettered(&'a Failure),
}

impl fmt::Display for End<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emitted(records) => write!(f, "emitted {records}"),
            Self::Dropped(code) => write!(f, "dropped ({code})"),
            Self::DeadLettered(failure) => write!(f, "dead-lettered ({})", failure.code),
        }
    }
}

/// Someone who watches one pipeline. Called in the middle of the flow: must return at once.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, event: &FlowEvent<'_>);
}

/// Several observers as one: each sees everything, in their order.
#[derive(Clone, Default)]
pub struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    /// Those who watch, in the order in which they are called.
    #[must_use]
    pub fn new(observers: Vec<Arc<dyn Observer>>) -> Self {
        Self(observers)
    }
}

impl Observer for Observers {
    fn observe(&self, event: &FlowEvent<'_>) {
        for observer in &self.0 {
            observer.observe(event);
        }
    }
}
