//! The file, as those see it who ask about records of jobs.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::reader::Recall;
use super::{Sqlite, deliveries, lists};
use gristmill_core::model::{
    Act, Acted, Claim, Claimed, JobFilter, JobId, JobNote, JobQuery, JobRecord, Moment, Partition, Position, Run,
    Submission, Submitted, Summary, Timestamp,
};
use gristmill_core::ports::{
    ActNumber, Acts, AskedToCancel, Deliveries, Delivery, JobBook, Jobs, Published, StoreError, Tried, Wanted,
};

impl Sqlite {
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (found, answer) = oneshot::channel();
        let recall = Recall::Record(Box::new(|reader| reader.answer(found, || read(&reader.connection))));
        self.ask(recall, answer).await
    }
}

#[async_trait]
impl Jobs for Sqlite {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        self.queue.claim(claim).await
    }

    async fn note(&self, notes: &[JobNote]) -> Result<(), StoreError> {
        self.queue.note_jobs(notes).await
    }

    async fn settled_before(&self, partition: &Partition, position: Position, at: Timestamp) -> Result<(), StoreError> {
        self.queue.settled_before(partition, position, at).await
    }
}

#[async_trait]
impl Acts for Sqlite {
    async fn ask(&self, job: &JobId, act: &Act, at: Timestamp) -> Result<Acted, StoreError> {
        self.queue.act(job, act, at).await
    }

    async fn asked(&self, after: ActNumber) -> Result<Vec<AskedToCancel>, StoreError> {
        self.read(move |connection| lists::asked(connection, after)).await
    }
}

#[async_trait]
impl JobBook for Sqlite {
    async fn submit(&self, submissions: Vec<Submission>) -> Result<Vec<Submitted>, StoreError> {
        self.queue.submit(submissions).await
    }

    async fn find(&self, job: &JobId, wanted: Wanted) -> Result<Option<(JobRecord, Vec<Moment>)>, StoreError> {
        let job = job.clone();
        self.read(move |connection| lists::find(connection, &job, wanted)).await
    }

    async fn list(&self, query: &JobQuery) -> Result<Vec<JobRecord>, StoreError> {
        let query = query.clone();
        self.read(move |connection| lists::list(connection, &query)).await
    }

    async fn summary(&self, filter: &JobFilter) -> Result<Summary, StoreError> {
        let filter = filter.clone();
        self.read(move |connection| lists::summary(connection, &filter)).await
    }
}

impl Published for Sqlite {
    fn published(&self, jobs: &[(JobId, Run)], at: Timestamp) -> Result<(), StoreError> {
        self.queue.published(jobs, at)
    }
}

#[async_trait]
impl Deliveries for Sqlite {
    async fn due(&self, now: Timestamp, lease: Duration, most: u32) -> Result<Vec<(Delivery, JobRecord)>, StoreError> {
        self.queue.due(now, lease, most).await
    }

    async fn tried(&self, job: &JobId, run: Run, tried: &Tried, next: Option<Timestamp>) -> Result<(), StoreError> {
        self.queue.tried(job, run, tried, next).await
    }

    async fn again(&self, job: &JobId, now: Timestamp) -> Result<bool, StoreError> {
        self.queue.again(job, now).await
    }

    async fn of(&self, job: &JobId) -> Result<Vec<Delivery>, StoreError> {
        let job = job.clone();
        self.read(move |connection| deliveries::of(connection, &job)).await
    }
}
