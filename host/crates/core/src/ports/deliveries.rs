//! The webhooks that are to be sent, and what became of them.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::model::{JobId, JobRecord, Run, Timestamp};

/// A webhook that tells of the end of one run of a job. The name of a delivery is the job and the run: receivers
/// recognise repeats by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The job.
    pub job: JobId,
    /// The run that is over.
    pub run: Run,
    /// Where to.
    pub url: String,
    /// How often it was tried before.
    pub tries: u32,
    /// How the last try ended.
    pub last: Option<Tried>,
    /// When it is tried next; `None` if it was delivered or given up.
    pub due: Option<Timestamp>,
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// When.
    pub at: Timestamp,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// What went wrong, for people, without anything of the answer's body. `None` if it was delivered.
    pub error: Option<String>,
}

/// The deliveries of one pipeline, which are written when jobs end: see [`Jobs::note`](super::Jobs::note).
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Takes up to `most` deliveries that are due, and their jobs, so that no other host takes them for `lease`: who takes one
    /// and dies leaves it to the others. A dropped call might still take some.
    async fn due(&self, now: Timestamp, lease: Duration, most: u32) -> Result<Vec<(Delivery, JobRecord)>, StoreError>;

    /// Notes a try, and when the next one is: `None` ends it.
    async fn tried(&self, job: &JobId, run: Run, tried: &Tried, next: Option<Timestamp>) -> Result<(), StoreError>;

    /// Makes the delivery of the last run due now, whatever became of it. Returns whether there is one.
    async fn again(&self, job: &JobId, now: Timestamp) -> Result<bool, StoreError>;

    /// Those of a job, the first run first. Cancel-safe.
    async fn of(&self, job: &JobId) -> Result<Vec<Delivery>, StoreError>;
}
