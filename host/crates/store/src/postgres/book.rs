//! The database, as those see it who ask about records of jobs.

use std::time::Duration;

use async_trait::async_trait;

use super::{Postgres, deliveries, lists, records};
use gristmill_core::model::{
    Act, Acted, Claim, Claimed, JobFilter, JobId, JobNote, JobQuery, JobRecord, Moment, Partition, Position, Run,
    Submission, Submitted, Summary, Timestamp,
};
use gristmill_core::ports::{
    ActNumber, Acts, AskedToCancel, Deliveries, Delivery, JobBook, Jobs, Published, StoreError, Tried, Wanted,
};

impl Postgres {
    fn decoded(&self, value: Vec<u8>) -> Result<JobRecord, StoreError> {
        records::decode(value).map_err(|failure| self.health.failed(failure))
    }
}

#[async_trait]
impl Jobs for Postgres {
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
impl Acts for Postgres {
    async fn ask(&self, job: &JobId, act: &Act, at: Timestamp) -> Result<Acted, StoreError> {
        self.queue.act(job, act, at).await
    }

    async fn asked(&self, after: ActNumber) -> Result<Vec<AskedToCancel>, StoreError> {
        let after = i64::try_from(after.0).unwrap_or(i64::MAX);
        let rows = self.read(lists::ASKED, &[&self.pipeline.as_ref(), &after]).await?;
        Ok(lists::asked(&rows))
    }
}

#[async_trait]
impl JobBook for Postgres {
    async fn submit(&self, submissions: Vec<Submission>) -> Result<Vec<Submitted>, StoreError> {
        self.queue.submit(submissions).await
    }

    async fn find(&self, job: &JobId, wanted: Wanted) -> Result<Option<(JobRecord, Vec<Moment>)>, StoreError> {
        let rows = self.read(lists::FIND, &[&self.pipeline.as_ref(), &job.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let record = self.decoded(row.get(0))?;
        let moments = match wanted {
            Wanted::Record => Vec::new(),
            Wanted::History => lists::moments(&self.read(lists::MOMENTS, &[&row.get::<_, i64>(1)]).await?),
        };
        Ok(Some((record, moments)))
    }

    async fn list(&self, query: &JobQuery) -> Result<Vec<JobRecord>, StoreError> {
        let mut sought = lists::Sought::of(&self.pipeline, &query.filter);
        let sql = sought.list(query);
        let rows = self.read(&sql, &sought.parameters()).await?;
        rows.iter().map(|row| self.decoded(row.get(0))).collect()
    }

    async fn summary(&self, filter: &JobFilter) -> Result<Summary, StoreError> {
        let sought = lists::Sought::of(&self.pipeline, filter);
        Ok(lists::summary(&self.read(&sought.summary(), &sought.parameters()).await?))
    }
}

impl Published for Postgres {
    fn published(&self, jobs: &[(JobId, Run)], at: Timestamp) -> Result<(), StoreError> {
        self.queue.published(jobs, at)
    }
}

#[async_trait]
impl Deliveries for Postgres {
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
        let rows = self.read(deliveries::OF, &[&self.pipeline.as_ref(), &job.as_str()]).await?;
        Ok(rows.iter().map(|row| deliveries::delivery(job, row)).collect())
    }
}
