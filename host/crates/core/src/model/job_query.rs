//! Which jobs somebody wants to see.

use super::caller::Owner;
use super::event::Timestamp;
use super::header::Attribute;
use super::ids::JobId;
use super::job_record::JobRecord;
use super::standing::{Ended, Phase};
use super::submission::BatchId;

/// What a job must be, to be among them. An empty filter has all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFilter {
    /// One of these; empty for all.
    pub statuses: Vec<Status>,
    /// Whose; `None` for everybody's.
    pub owner: Option<Owner>,
    /// Of this batch.
    pub batch: Option<BatchId>,
    /// With all of these attributes.
    pub attributes: Vec<Attribute>,
}

/// What a client sees of phase and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Written down, and not known to be in the broker.
    Accepted,
    /// In the broker.
    Queued,
    /// A host works on it.
    Running,
    /// A host has it, and it waits: for a limit, a dependency, a retry.
    Waiting,
    /// It is over, and its outputs are in the sink.
    Completed,
    /// It is in the dead letters.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// Where a page begins: after this job, in the order of the list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When that was created.
    pub created: Timestamp,
    /// The job.
    pub job: JobId,
}

/// A part of a list: the newest jobs first, those of one millisecond by their ids, downwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobQuery {
    /// Which.
    pub filter: JobFilter,
    /// Those after this one.
    pub after: Option<Cursor>,
    /// At most so many, 1 to 1,000.
    pub most: u32,
}

/// How many jobs there are of each status, and how far they are together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// By [`Status`], in its order.
    pub by_status: [u64; 7],
    /// The sum of their hundredths, those that are over as 100.
    pub percent: u64,
}

impl Status {
    /// All, in order, as clients read them.
    pub const ALL: [(&'static str, Self); 7] = [
        ("accepted", Self::Accepted),
        ("queued", Self::Queued),
        ("running", Self::Running),
        ("waiting", Self::Waiting),
        ("completed", Self::Completed),
        ("failed", Self::Failed),
        ("cancelled", Self::Cancelled),
    ];

    /// Of a record.
    #[must_use]
    pub fn of(record: &JobRecord) -> Self {
        match (record.standing.phase, record.ended) {
            (Phase::Accepted, _) => Self::Accepted,
            (Phase::Queued, _) => Self::Queued,
            (Phase::Running | Phase::Settling, _) if record.told.waiting.is_some() => Self::Waiting,
            (Phase::Running | Phase::Settling, _) => Self::Running,
            (Phase::Ended, Some(Ended::Failed)) => Self::Failed,
            (Phase::Ended, Some(Ended::Cancelled)) => Self::Cancelled,
            (Phase::Ended, Some(Ended::Completed) | None) => Self::Completed,
        }
    }

    /// As clients read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, status)| *status == self).map_or("", |(name, _)| name)
    }
}

impl JobFilter {
    /// Whether a job is among them: for stores without an index for that.
    #[must_use]
    pub fn takes(&self, record: &JobRecord) -> bool {
        let Self { statuses, owner, batch, attributes } = self;
        (statuses.is_empty() || statuses.contains(&Status::of(record)))
            && owner.as_ref().is_none_or(|owner| record.owner.as_ref() == Some(owner))
            && batch.as_ref().is_none_or(|batch| record.batch.as_ref() == Some(batch))
            && attributes.iter().all(|wanted| record.attributes.contains(wanted))
    }
}

impl Summary {
    /// Counts one more.
    pub fn add(&mut self, record: &JobRecord) {
        self.by_status[Status::of(record) as usize] += 1;
        let is_over = record.standing.phase == Phase::Ended;
        self.percent += if is_over { 100 } else { u64::from(record.standing.percent.get()) };
    }
}
