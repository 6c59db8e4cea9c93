//! What stages keep between items.

use async_trait::async_trait;

use super::StoreError;
use crate::model::{Entry, StateWrite, Wrote};

/// The entries of the stages of a pipeline, each stage's apart. They stay until they are deleted.
#[async_trait]
pub trait StageState: Send + Sync {
    /// The entry of a stage under a key. Cancel-safe.
    async fn find_entry(&self, stage: &str, key: &str) -> Result<Option<Entry>, StoreError>;

    /// Changes an entry in one step: of two hosts that expect the same, one finds a conflict. Once this has returned, the
    /// change is as safe as the store is. A dropped or failed call might still make it.
    async fn write_entry(&self, stage: &str, write: StateWrite) -> Result<Wrote, StoreError>;
}
