//! What models answered, for jobs that ask the same.

use std::time::Duration;

use async_trait::async_trait;

use super::{Key, StoreError};
use crate::model::ChatResponse;

/// Answers of models that any job may reuse until they are too old. Nothing depends on them: one that is gone is paid for
/// again.
#[async_trait]
pub trait Answers: Send + Sync {
    /// Returns the answer kept under the key, unless it is too old. Cancel-safe.
    async fn find_answer(&self, key: Key) -> Result<Option<ChatResponse>, StoreError>;

    /// Keeps an answer for this long, in place of an earlier one, or for less if there is no room. Once this has returned,
    /// it survives a crash as far as the store does. A dropped call might still keep it.
    async fn keep_answer(&self, key: Key, answer: &ChatResponse, keep: Duration) -> Result<(), StoreError>;
}
