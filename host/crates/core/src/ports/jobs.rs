//! The records of jobs, as the flow writes them and as those who look at jobs read them.

use async_trait::async_trait;

use super::StoreError;
use crate::model::{
    Act, Acted, Claim, Claimed, JobFilter, JobId, JobNote, JobQuery, JobRecord, Moment, Partition, Position, Run,
    Submission, Submitted, Summary, Timestamp,
};

/// What the flow tells of the jobs of one pipeline. Every change follows the rule of [`JobRecord`], as one step: of two hosts
/// that write at the same time, one is first.
///
/// What has returned survives a crash of the process or the machine, as with [`Store::keep`](super::Store::keep).
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Whether an event is that of the job it names ([`JobRecord::claim`]). A dropped call might still claim it, for the same
    /// event: the next one is answered the same.
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError>;

    /// Takes notes of jobs ([`JobRecord::apply`]), together, in order: one journey for all. A job without a record gets one.
    /// Their moments are added to the histories, up to [`MOST_MOMENTS`](crate::model::MOST_MOMENTS) of a run. If a job with a
    /// webhook is over, its delivery is written down in the same step. A repeated call changes nothing but the history.
    async fn note(&self, notes: &[JobNote]) -> Result<(), StoreError>;

    /// Ends the jobs that are settling, whose events are in this partition before this position
    /// ([`JobRecord::settled`]): a group that begins there has committed them. Writes deliveries as [`Jobs::note`] does. May be
    /// repeated.
    async fn settled_before(&self, partition: &Partition, position: Position, at: Timestamp) -> Result<(), StoreError>;
}

/// A number of the store's that grows with each act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ActNumber(pub u64);

/// A job that was asked to be cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedToCancel {
    /// The number of the act.
    pub number: ActNumber,
    /// The job.
    pub job: JobId,
    /// The run that is to end.
    pub run: Run,
}

/// What people ask of jobs, and how the hosts that run them hear of it.
#[async_trait]
pub trait Acts: Send + Sync {
    /// Writes down what is asked ([`JobRecord::act`]). For a retry, the caller publishes the event of the new run afterwards; if
    /// it cannot, the job stays accepted, and the same act again is the same run.
    async fn ask(&self, job: &JobId, act: &Act, at: Timestamp) -> Result<Acted, StoreError>;

    /// The cancellations after this number, in order, at most 1,000. Asked every second by every host, so it reads an index
    /// and nothing else. Acts may be forgotten once their job has ended. Cancel-safe.
    async fn asked(&self, after: ActNumber) -> Result<Vec<AskedToCancel>, StoreError>;
}

/// The records of the jobs of one pipeline, to be read and searched.
#[async_trait]
pub trait JobBook: Send + Sync {
    /// Writes submissions down, all or none, and says of each what became of it. One key wins once, also of two calls on
    /// different hosts at the same time. If one of them has come before, none is written: those that are no longer known are
    /// forgotten, or in conflict if that one is. A dropped call might still write: the same key finds it.
    async fn submit(&self, submissions: Vec<Submission>) -> Result<Vec<Submitted>, StoreError>;

    /// The record of a job, and what has happened in it if that is wanted, the oldest first. Cancel-safe.
    async fn find(&self, job: &JobId, wanted: Wanted) -> Result<Option<(JobRecord, Vec<Moment>)>, StoreError>;

    /// A part of the list. Cancel-safe.
    async fn list(&self, query: &JobQuery) -> Result<Vec<JobRecord>, StoreError>;

    /// How many there are, and how far. Cancel-safe.
    async fn summary(&self, filter: &JobFilter) -> Result<Summary, StoreError>;
}

/// How much of a job is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Its record.
    Record,
    /// Its history, too.
    History,
}

/// Notes that the broker has the events of jobs ([`JobRecord::published`]).
pub trait Published: Send + Sync {
    /// Does not wait. If the note is lost in a crash, the jobs stay accepted until a host takes their events.
    ///
    /// # Errors
    /// If the store has already failed.
    fn published(&self, jobs: &[(JobId, Run)], at: Timestamp) -> Result<(), StoreError>;
}
