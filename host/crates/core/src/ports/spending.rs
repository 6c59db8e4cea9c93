//! What the calls of models have cost, remembered beyond this process.

use async_trait::async_trait;

use super::StoreError;
use crate::model::{JobId, Spent, SpentOn};

/// What a pipeline has spent on this host.
#[async_trait]
pub trait Spending: Send + Sync {
    /// Everything that was noted, summed up, the oldest day first. Cancel-safe.
    async fn all(&self) -> Result<Vec<(SpentOn, Spent)>, StoreError>;

    /// What the answers took that are kept for a job: nothing for a new one. Cancel-safe.
    async fn of_job(&self, job: &JobId) -> Result<Spent, StoreError>;

    /// Adds to what was spent. Does not wait, but is on the disk before anything that is kept after it: so a kept answer
    /// is always a counted one.
    ///
    /// # Errors
    /// If the store has already failed.
    fn note(&self, on: SpentOn, spent: Spent) -> Result<(), StoreError>;
}
