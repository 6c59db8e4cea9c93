//! A state store whose calls are observed.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::model::JobId;
use crate::ports::{FlowEvent, JobState, Kept, Key, Observer, Store, StoreError, StoreOperation, StoreOutcome};

/// Reports to an observer how long a store takes to answer.
pub struct ObservedStore<S> {
    store: S,
    observer: Arc<dyn Observer>,
}

impl<S: Store> ObservedStore<S> {
    /// Reports the calls of `store` to `observer`.
    #[must_use]
    pub fn new(store: S, observer: Arc<dyn Observer>) -> Self {
        Self { store, observer }
    }

    fn see<T>(&self, operation: StoreOperation, begun: Instant, result: &Result<T, StoreError>) {
        let outcome = match result {
            Ok(_) => StoreOutcome::Answered,
            Err(StoreError::Transient { .. }) => StoreOutcome::Transient,
            Err(StoreError::Broken { .. }) => StoreOutcome::Broken,
        };
        self.observer.observe(&FlowEvent::StoreCall { operation, elapsed: begun.elapsed(), outcome });
    }
}

#[async_trait]
impl<S: Store> Store for ObservedStore<S> {
    async fn recall(&self, job: &JobId, key: Key) -> Result<Option<Kept>, StoreError> {
        let begun = Instant::now();
        let result = self.store.recall(job, key).await;
        self.see(StoreOperation::Recall, begun, &result);
        result
    }

    async fn keep(&self, job: &JobId, key: Key, kept: &Kept) -> Result<Option<Kept>, StoreError> {
        let begun = Instant::now();
        let result = self.store.keep(job, key, kept).await;
        self.see(StoreOperation::Keep, begun, &result);
        result
    }

    fn ended(&self, job: &JobId, state: JobState) -> Result<(), StoreError> {
        self.store.ended(job, state)
    }
}
