//! Observers: what they see, and how they are called.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Call, Caller, Exchange, ModelOperation, Notice, StageError};
use crate::model::{
    ChatFailure, Event, EventId, Failed, Failure, JobId, Measure, Outcome, Partition, Spent, TraceContext, Usage,
};

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
    /// One attempt of a stage to process an item ended.
    Attempt {
        /// The call.
        call: &'a Call,
        /// The stage.
        stage: &'a str,
        /// How long it took, waiting included.
        elapsed: Duration,
        /// Its result.
        result: &'a Result<Outcome, StageError>,
    },
    /// A job ended after its partition was given away. Its event is not settled and belongs to another owner.
    Stale {
        /// The event.
        event: &'a EventId,
    },
    /// A stage was skipped because its outcome was kept.
    Restored {
        /// The job.
        job: &'a JobId,
        /// The stage.
        stage: &'a str,
        /// The job's span.
        trace: TraceContext,
    },
    /// A job ended, and its records are acknowledged.
    JobEnded {
        /// The job.
        job: &'a JobId,
        /// Its event.
        event: &'a Event,
        /// Its span, which its outputs carry.
        trace: TraceContext,
        /// How long it took from the event to the acknowledgement.
        elapsed: Duration,
        /// How it ended.
        end: End<'a>,
        /// What its calls of models took, earlier runs included. `None` if this run made none.
        spent: Option<Spent>,
    },
    /// No new events are taken for a while. A pause that goes on, or comes back, for the same reason is told at most
    /// every 30 s.
    Paused {
        /// The reason.
        why: &'a PauseReason,
        /// How long from now. `None` if the pause lasts until an operator resumes.
        wait: Option<Duration>,
    },
    /// Nothing waits any more for the reason of a pause that was told. The state store's pauses end untold.
    Resumed {
        /// The reason.
        why: &'a PauseReason,
    },
    /// What is in flight. Sent from time to time.
    Queues(Queues),
    /// How far behind the group is in a partition. Sent from time to time.
    Lag {
        /// The partition.
        partition: &'a Partition,
        /// How many of its records are not settled yet.
        records: u64,
    },
    /// Partitions were assigned to this host.
    Assigned {
        /// These, beside those it had; none if others have everything.
        partitions: &'a [Partition],
        /// How many there are in all, those of other hosts among them.
        all: usize,
    },
    /// Partitions are taken from this host.
    Revoked {
        /// These.
        partitions: &'a [Partition],
        /// In which way.
        how: Revocation,
    },
    /// The source, or a transaction, has something to tell.
    Notice(&'a Notice),
    /// A target of a model was called.
    ModelCall {
        /// Who called it.
        caller: &'a Caller,
        /// The alias that was requested.
        alias: &'a str,
        /// The target, as "provider/model".
        target: &'a str,
        /// What it was asked, and its answer.
        exchange: Exchange<'a>,
        /// The model that answered, as its server names it. `None` if it does not tell, or nobody records the trace.
        answered_by: Option<&'a str>,
        /// The span of the call, within the caller's. The provider gets it.
        span: TraceContext,
        /// How long it took.
        elapsed: Duration,
        /// What it used, or why there is no answer.
        result: Result<Usage, &'a ChatFailure>,
    },
    /// A request of a model was answered without a call of its own, so it cost nothing, or a share.
    ModelCallSaved {
        /// Who asked.
        caller: &'a Caller,
        /// The alias that was requested.
        alias: &'a str,
        /// What it was asked for.
        operation: ModelOperation,
        /// Where the answer came from.
        by: SavedBy,
    },
    /// A stage counted or measured something of its own.
    Measured {
        /// The stage.
        stage: &'a str,
        /// What it counted.
        measure: &'a Measure,
    },
    /// The state store was called.
    StoreCall {
        /// The operation.
        operation: StoreOperation,
        /// How long it took.
        elapsed: Duration,
        /// How it ended.
        outcome: StoreOutcome,
    },
}

/// What saved a call of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SavedBy {
    /// The job has paid for the answer before.
    Journal,
    /// Another job has, or is about to.
    Cache,
    /// The request shared a call with others. Each of them is told.
    Merge,
}

/// Why no new events are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PauseReason {
    /// An operator paused the pipeline.
    Operator,
    /// A dependency of a stage is rate-limited or unavailable.
    Dependency {
        /// The stage.
        stage: Arc<str>,
        /// The failure that the stage reported.
        failure: Failure,
    },
    /// The state store does not answer.
    Store(String),
    /// The dead letters cannot be read.
    DeadLetters(String),
    /// The object store does not answer.
    Objects(String),
}

impl fmt::Display for PauseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("paused by an operator"),
            Self::Dependency { stage, failure } => write!(f, "stage {stage}: {failure}"),
            Self::Store(reason) | Self::DeadLetters(reason) | Self::Objects(reason) => f.write_str(reason),
        }
    }
}

/// What is in flight in a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queues {
    /// Jobs whose event was taken and is not yet settled.
    pub jobs: usize,
    /// Bytes of their events.
    pub bytes: usize,
    /// How many of these jobs wait for another one with their key or partition.
    pub waiting_for_order: usize,
    /// How many of these jobs wait for a transaction.
    pub waiting_for_transaction: usize,
}

/// How partitions are taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Revocation {
    /// The group asks for them: their jobs may end first.
    Asked,
    /// They are lost already, because the group moved on without this host.
    Lost,
}

/// What a state store was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreOperation {
    /// Recall something.
    Recall,
    /// Keep something.
    Keep,
}

/// How a call of a state store ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreOutcome {
    /// It answered.
    Answered,
    /// It failed for now, and will recover on its own.
    Transient,
    /// It no longer works.
    Broken,
}

/// How a job was settled.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    /// This many records are in the sink.
    Emitted(usize),
    /// The event deleted its document, with this many tombstones.
    Deleted(usize),
    /// Filtered out, with a code.
    Dropped(&'a str),
    /// In the dead letters.
    DeadLettered(&'a Failed),
}

impl fmt::Display for End<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emitted(records) => write!(f, "emitted {records}"),
            Self::Deleted(tombstones) => write!(f, "deleted {tombstones}"),
            Self::Dropped(code) => write!(f, "dropped ({code})"),
            Self::DeadLettered(failed) => write!(f, "dead-lettered ({})", failed.failure.code),
        }
    }
}

/// Observes one pipeline. Called from within the flow, so it must return immediately.
pub trait Observer: Send + Sync {
    /// Called for each event of the flow.
    fn observe(&self, event: &FlowEvent<'_>);
}

/// Several observers as one. Each sees everything, and they are called in order.
#[derive(Clone, Default)]
pub struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    /// Combines observers, in the order in which they are called.
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    struct Noting(&'static str, Arc<Mutex<Vec<&'static str>>>);

    impl Observer for Noting {
        fn observe(&self, _: &FlowEvent<'_>) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    #[test]
    fn every_observer_sees_every_event_in_order() {
        let seen = Arc::default();
        let noting = |name| -> Arc<dyn Observer> { Arc::new(Noting(name, Arc::clone(&seen))) };
        let observers = Observers::new(vec![noting("a"), noting("b")]);
        observers.observe(&FlowEvent::Resumed { why: &PauseReason::Operator });
        observers.observe(&FlowEvent::Queues(Queues::default()));
        assert_eq!(*seen.lock().unwrap(), ["a", "b", "a", "b"]);
    }
}
