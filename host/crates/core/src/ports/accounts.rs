//! What jobs have spent on models.

use crate::model::{JobId, Spent};

/// The accounts of the jobs of a pipeline, for their outcome.
pub trait Accounts: Send + Sync {
    /// What the calls of a job took, those of its earlier runs included as far as their answers are kept. `None` if this
    /// run called no model.
    fn spent(&self, job: &JobId) -> Option<Spent>;
}
