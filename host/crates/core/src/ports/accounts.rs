//! What jobs have spent on models.

use std::sync::Arc;

use crate::model::{ItemId, JobId, Spent, Timestamp};

/// The accounts of the jobs of a pipeline, for their outcome.
pub trait Accounts: Send + Sync {
    /// What the calls of a job took, those of its earlier runs included as far as their answers are kept. `None` if this
    /// run called no model.
    fn spent(&self, job: &JobId) -> Option<Spent>;

    /// The calls of a job since the last question, for its history; the first
    /// [`MOST_MOMENTS`](crate::model::MOST_MOMENTS) of them. Answers that cost nothing are none.
    fn take_calls(&self, _job: &JobId) -> Vec<ModelCall> {
        Vec::new()
    }
}

/// A call of a model that may have been paid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelCall {
    /// When it was over.
    pub at: Timestamp,
    /// The stage that called.
    pub stage: Arc<str>,
    /// The item.
    pub item: ItemId,
    /// The alias that it asked.
    pub alias: Arc<str>,
    /// The target that answered, as "provider/model"; "-" if none did.
    pub target: Arc<str>,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// What it took.
    pub spent: Spent,
}
