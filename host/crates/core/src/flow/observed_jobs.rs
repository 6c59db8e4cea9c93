//! The records of jobs in a store whose calls are observed.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::observed::ObservedStore;
use crate::model::{
    Act, Acted, Claim, Claimed, JobFilter, JobId, JobNote, JobQuery, JobRecord, Moment, Partition, Position, Run,
    Submission, Submitted, Summary, Timestamp,
};
use crate::ports::{
    ActNumber, Acts, AskedToCancel, Deliveries, Delivery, JobBook, Jobs, Published, StoreError, StoreOperation, Tried,
    Wanted,
};

#[async_trait]
impl<S: Jobs> Jobs for ObservedStore<S> {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        let begun = Instant::now();
        let result = self.store.claim(claim).await;
        self.see(StoreOperation::Keep, begun, &result);
        result
    }

    async fn note(&self, notes: &[JobNote]) -> Result<(), StoreError> {
        let begun = Instant::now();
        let result = self.store.note(notes).await;
        self.see(StoreOperation::Keep, begun, &result);
        result
    }

    async fn settled_before(&self, partition: &Partition, position: Position, at: Timestamp) -> Result<(), StoreError> {
        let begun = Instant::now();
        let result = self.store.settled_before(partition, position, at).await;
        self.see(StoreOperation::Keep, begun, &result);
        result
    }
}

#[async_trait]
impl<S: Acts> Acts for ObservedStore<S> {
    async fn ask(&self, job: &JobId, act: &Act, at: Timestamp) -> Result<Acted, StoreError> {
        let begun = Instant::now();
        let result = self.store.ask(job, act, at).await;
        self.see(StoreOperation::Keep, begun, &result);
        result
    }

    async fn asked(&self, after: ActNumber) -> Result<Vec<AskedToCancel>, StoreError> {
        let begun = Instant::now();
        let result = self.store.asked(after).await;
        self.see(StoreOperation::Recall, begun, &result);
        result
    }
}

#[async_trait]
impl<S: JobBook> JobBook for ObservedStore<S> {
    async fn submit(&self, submissions: Vec<Submission>) -> Result<Vec<Submitted>, StoreError> {
        let begun = Instant::now();
        let result = self.store.submit(submissions).await;
        self.see(StoreOperation::Keep, begun, &result);
        result
    }

    async fn find(&self, job: &JobId, wanted: Wanted) -> Result<Option<(JobRecord, Vec<Moment>)>, StoreError> {
        let begun = Instant::now();
        let result = self.store.find(job, wanted).await;
        self.see(StoreOperation::Recall, begun, &result);
        result
    }

    async fn list(&self, query: &JobQuery) -> Result<Vec<JobRecord>, StoreError> {
        let begun = Instant::now();
        let result = self.store.list(query).await;
        self.see(StoreOperation::Recall, begun, &result);
        result
    }

    async fn summary(&self, filter: &JobFilter) -> Result<Summary, StoreError> {
        let begun = Instant::now();
        let result = self.store.summary(filter).await;
        self.see(StoreOperation::Recall, begun, &result);
        result
    }
}

impl<S: Published> Published for ObservedStore<S> {
    fn published(&self, jobs: &[(JobId, Run)], at: Timestamp) -> Result<(), StoreError> {
        self.store.published(jobs, at)
    }
}

#[async_trait]
impl<S: Deliveries> Deliveries for ObservedStore<S> {
    async fn due(&self, now: Timestamp, lease: Duration, most: u32) -> Result<Vec<(Delivery, JobRecord)>, StoreError> {
        let begun = Instant::now();
        let result = self.store.due(now, lease, most).await;
        self.see(StoreOperation::Keep, begun, &result);
        result
    }

    async fn tried(&self, job: &JobId, run: Run, tried: &Tried, next: Option<Timestamp>) -> Result<(), StoreError> {
        let begun = Instant::now();
        let result = self.store.tried(job, run, tried, next).await;
        self.see(StoreOperation::Keep, begun, &result);
        result
    }

    async fn again(&self, job: &JobId, now: Timestamp) -> Result<bool, StoreError> {
        let begun = Instant::now();
        let result = self.store.again(job, now).await;
        self.see(StoreOperation::Keep, begun, &result);
        result
    }

    async fn of(&self, job: &JobId) -> Result<Vec<Delivery>, StoreError> {
        let begun = Instant::now();
        let result = self.store.of(job).await;
        self.see(StoreOperation::Recall, begun, &result);
        result
    }
}
