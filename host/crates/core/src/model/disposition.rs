//! How calls of stages end, and how jobs do.

use std::sync::Arc;

use super::failure::Failure;
use super::item::Item;
use super::outcome::Outcome;

/// The result of a task, after all its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The stage decided.
    Decided(Outcome),
    /// The stage could not decide and will not be tried again.
    Failed(Failed),
}

/// Why a task was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The reason.
    pub failure: Failure,
    /// How many times it was tried.
    pub attempts: u32,
    /// Whether that was decided or happened.
    pub kind: FailureKind,
}

/// What a failure says about the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Nothing: the data was rejected on purpose.
    Rejected,
    /// That something does not work: attempts used up, a trap, a permanent error.
    Fault,
}

/// An item that has left the last stage on its route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The topic that a branch routed it to; `None` is the pipeline's sink.
    pub topic: Option<Arc<str>>,
    /// The item.
    pub item: Item,
}

/// How a job ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// These items are written in this order, all or none.
    Emitted(Vec<Finished>),
    /// Nothing is written. The text is the code of the first item that was dropped or skipped, or "nothing-emitted".
    Dropped(String),
    /// The event goes to the dead letters.
    DeadLettered {
        /// The stage that failed; `None` if no stage was reached.
        stage: Option<Arc<str>>,
        /// The reason, and the number of attempts.
        failed: Failed,
    },
}
