//! A pipeline as the flow sees it: connected, ready to run, and unchanged while it runs.

use std::sync::Arc;

use super::settings::{DeadLetter, DocumentName, Limits, Order, Recorded, Results, Tombstones, Transactions};
use crate::model::{ItemId, JobId, Sampling, Spent, Timestamp};
use crate::ports::{
    Accounts, Acts, Documents, Jobs, Letters, ModelCall, Objects, Observer, Placed, Sink, Store, Transactor,
};

/// How outputs are written and events settled.
#[derive(Clone)]
pub enum Delivery {
    /// Outputs are written first and their event is settled afterwards. A crash in between writes them again.
    AtLeastOnce(Arc<dyn Sink>),
    /// Outputs are written and events settled in one transaction.
    ExactlyOnce {
        /// Commits the transactions.
        transactor: Arc<dyn Transactor>,
        /// When a transaction begins.
        bounds: Transactions,
    },
}

/// How the records of jobs are kept, for those who follow them.
#[derive(Clone)]
pub struct Recording {
    /// The records.
    pub jobs: Arc<dyn Jobs>,
    /// What people ask of the jobs.
    pub acts: Arc<dyn Acts>,
    /// Which jobs have one.
    pub which: Recorded,
    /// What becomes of the bytes of outputs.
    pub results: Results,
}

/// Where payloads are kept that are too large for a record.
#[derive(Clone)]
pub struct Offload {
    /// The store.
    pub objects: Arc<dyn Objects>,
    /// Payloads of more bytes go there.
    pub inline_max: usize,
}

/// The fixed wiring of a pipeline. The part that can change is its [`Deployment`](super::Deployment).
pub struct Pipeline {
    /// The pipeline's name: part of every job id.
    pub name: Arc<str>,
    /// Media type of records without a `content-type` header.
    pub content_type: Option<String>,
    /// What names the document of a record.
    pub document: DocumentName,
    /// What becomes of records without a value.
    pub tombstones: Tombstones,
    /// What documents have left in the sink. `Some` makes the ids of items their keys there, and later generations
    /// replace earlier ones.
    pub documents: Option<Arc<dyn Documents>>,
    /// How outputs and dead letters are written.
    pub delivery: Delivery,
    /// The default topic for outputs.
    pub output_topic: Arc<str>,
    /// Where dead letters go.
    pub dead_letter: DeadLetter,
    /// The dead letters, to prove replays by.
    pub letters: Arc<dyn Letters>,
    /// Which jobs wait for each other.
    pub order: Order,
    /// The state store. `None` if nothing is kept for later attempts.
    pub store: Option<Arc<dyn Store>>,
    /// The records of jobs. `None` if nobody can ask for them: then none are written.
    pub recording: Option<Recording>,
    /// Where large payloads are. `None` if nowhere: a record without its payload is a dead letter then.
    pub offload: Option<Offload>,
    /// What jobs have spent on models. `None` if no stage may call one.
    pub accounts: Option<Arc<dyn Accounts>>,
    /// Which of the traces that begin with a job are recorded.
    pub sampling: Sampling,
    /// Sees everything that happens.
    pub observer: Arc<dyn Observer>,
    /// How much may be in flight, and how many dead letters are acceptable.
    pub limits: Limits,
    /// The wall clock, for the headers of dead letters.
    pub clock: fn() -> Timestamp,
}

impl Pipeline {
    /// What the calls of a job took, if it made some.
    pub(super) fn spent(&self, job: &JobId) -> Option<Spent> {
        self.accounts.as_ref()?.spent(job)
    }

    /// The calls of a job since the last question.
    pub(super) fn take_calls(&self, job: &JobId) -> Vec<ModelCall> {
        self.accounts.as_ref().map(|accounts| accounts.take_calls(job)).unwrap_or_default()
    }

    /// Where an item goes, given the topic that a branch names.
    pub(super) fn place(&self, topic: Option<&Arc<str>>, item: &ItemId) -> Placed {
        Placed { topic: Arc::clone(topic.unwrap_or(&self.output_topic)), item: item.clone() }
    }
}
