//! A pipeline as the flow sees it: connected and ready to run. Nothing here changes while it runs.

use std::sync::Arc;

use super::settings::{DeadLetter, Limits, Order, Transactions};
use crate::model::Timestamp;
use crate::ports::{Observer, Sink, Store, Transactor};

/// How outputs are written and events settled.
#[derive(Clone)]
pub enum Delivery {
    /// Outputs first, their event later: after a crash in between they are written again.
    AtLeastOnce(Arc<dyn Sink>),
    /// Both in one transaction.
    ExactlyOnce {
        /// Who commits it.
        transactor: Arc<dyn Transactor>,
        /// When transactions begin.
        bounds: Transactions,
    },
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
    pub dead_letter: DeadLetter,
    /// Which jobs wait for each other.
    pub order: Order,
    /// The memory of jobs; `None` when nothing of them is kept.
    pub store: Option<Arc<dyn Store>>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// How much is in flight, and how many dead letters are normal.
    pub limits: Limits,
    /// The time of the day, for the headers of dead letters.
    pub clock: fn() -> Timestamp,
}
