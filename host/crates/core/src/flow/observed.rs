//! A state store whose calls are observed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::model::meter::{Taken, Want};
use crate::model::{ChatResponse, DocumentId, Entry, JobId, RecordGeneration, Spent, SpentOn, StateWrite, Wrote};
use crate::ports::{
    Answers, Counter, Counters, Documents, FlowEvent, JobState, Keep, Kept, Key, Observer, Placed, Remembered,
    Spending, StageState, Store, StoreError, StoreOperation, StoreOutcome,
};

/// Reports to an observer how long a store takes to answer.
pub struct ObservedStore<S> {
    pub(super) store: S,
    observer: Arc<dyn Observer>,
}

impl<S> ObservedStore<S> {
    /// Reports the calls of `store` to `observer`.
    #[must_use]
    pub fn new(store: S, observer: Arc<dyn Observer>) -> Self {
        Self { store, observer }
    }

    pub(super) fn see<T>(&self, operation: StoreOperation, begun: Instant, result: &Result<T, StoreError>) {
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

    async fn keys(&self, jobs: &[JobId]) -> Result<Vec<Vec<Key>>, StoreError> {
        let begun = Instant::now();
        let result = self.store.keys(jobs).await;
        self.see(StoreOperation::Recall, begun, &result);
        result
    }

    async fn keep_all(&self, new: &[Keep]) -> Result<Vec<Option<Kept>>, StoreError> {
        let begun = Instant::now();
        let result = self.store.keep_all(new).await;
        self.see(StoreOperation::Keep, begun, &result);
        result
    }

    fn ended(&self, job: &JobId, state: JobState) -> Result<(), StoreError> {
        self.store.ended(job, state)
    }
}

#[async_trait]
impl<S: Answers> Answers for ObservedStore<S> {
    async fn find_answer(&self, key: Key) -> Result<Option<ChatResponse>, StoreError> {
        let begun = Instant::now();
        let result = self.store.find_answer(key).await;
        self.see(StoreOperation::Recall, begun, &result);
        result
    }

    async fn keep_answer(&self, key: Key, answer: &ChatResponse, keep: Duration) -> Result<(), StoreError> {
        let begun = Instant::now();
        let result = self.store.keep_answer(key, answer, keep).await;
        self.see(StoreOperation::Keep, begun, &result);
        result
    }
}

#[async_trait]
impl<S: Documents> Documents for ObservedStore<S> {
    async fn find(&self, document: &DocumentId) -> Result<Remembered, StoreError> {
        let begun = Instant::now();
        let result = self.store.find(document).await;
        self.see(StoreOperation::Recall, begun, &result);
        result
    }

    async fn intend(
        &self,
        document: &DocumentId,
        begun: &RecordGeneration,
        items: &[Placed],
    ) -> Result<(), StoreError> {
        let asked = Instant::now();
        let result = self.store.intend(document, begun, items).await;
        self.see(StoreOperation::Keep, asked, &result);
        result
    }

    fn finish(&self, document: &DocumentId, last: RecordGeneration) -> Result<(), StoreError> {
        self.store.finish(document, last)
    }
}

#[async_trait]
impl<S: Spending> Spending for ObservedStore<S> {
    async fn all(&self) -> Result<Vec<(SpentOn, Spent)>, StoreError> {
        let begun = Instant::now();
        let result = self.store.all().await;
        self.see(StoreOperation::Recall, begun, &result);
        result
    }

    async fn of_job(&self, job: &JobId) -> Result<Spent, StoreError> {
        let begun = Instant::now();
        let result = self.store.of_job(job).await;
        self.see(StoreOperation::Recall, begun, &result);
        result
    }

    fn note(&self, on: SpentOn, spent: Spent) -> Result<(), StoreError> {
        self.store.note(on, spent)
    }
}

#[async_trait]
impl<S: StageState> StageState for ObservedStore<S> {
    async fn find_entry(&self, stage: &str, key: &str) -> Result<Option<Entry>, StoreError> {
        let begun = Instant::now();
        let result = self.store.find_entry(stage, key).await;
        self.see(StoreOperation::Recall, begun, &result);
        result
    }

    async fn write_entry(&self, stage: &str, write: StateWrite) -> Result<Wrote, StoreError> {
        let begun = Instant::now();
        let result = self.store.write_entry(stage, write).await;
        self.see(StoreOperation::Keep, begun, &result);
        result
    }
}

/// Not observed: counting is not keeping, and whoever counts does without a store that is away.
#[async_trait]
impl<S: Counters> Counters for ObservedStore<S> {
    async fn take(&self, counter: &Counter, want: Want) -> Result<Taken, StoreError> {
        self.store.take(counter, want).await
    }

    async fn settle(&self, counter: &Counter, change: i64) -> Result<(), StoreError> {
        self.store.settle(counter, change).await
    }

    async fn raise(&self, counter: &Counter, used: u64) -> Result<(), StoreError> {
        self.store.raise(counter, used).await
    }
}
