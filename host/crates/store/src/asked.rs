//! The queue in front of the thread that writes, as those see it who ask something of records.

use std::time::Duration;

use gristmill_core::model::{
    Act, Acted, Claim, Claimed, JobId, JobNote, JobRecord, Partition, Position, Run, Submission, Submitted, Timestamp,
};
use gristmill_core::ports::{Delivery, StoreError, Tried};

use super::queue::Queue;
use super::records::{Change, DeliveryChange, Done};

impl Queue {
    /// As [`Jobs::claim`](gristmill_core::ports::Jobs::claim).
    pub(super) async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        match self.change(Change::Claim(claim.clone())).await? {
            Done::Claimed(claimed) => Ok(claimed),
            _ => Err(self.mistaken()),
        }
    }

    /// As [`Jobs::note`](gristmill_core::ports::Jobs::note).
    pub(super) async fn note_jobs(&self, notes: &[JobNote]) -> Result<(), StoreError> {
        self.change(Change::Note(notes.to_vec())).await.map(drop)
    }

    /// As [`Jobs::settled_before`](gristmill_core::ports::Jobs::settled_before).
    pub(super) async fn settled_before(
        &self,
        partition: &Partition,
        position: Position,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.change(Change::Settled(partition.clone(), position, at)).await.map(drop)
    }

    /// As [`Acts::ask`](gristmill_core::ports::Acts::ask).
    pub(super) async fn act(&self, job: &JobId, act: &Act, at: Timestamp) -> Result<Acted, StoreError> {
        match self.change(Change::Ask(job.clone(), act.clone(), at)).await? {
            Done::Acted(acted) => Ok(acted),
            _ => Err(self.mistaken()),
        }
    }

    /// As [`JobBook::submit`](gristmill_core::ports::JobBook::submit).
    pub(super) async fn submit(&self, submissions: Vec<Submission>) -> Result<Vec<Submitted>, StoreError> {
        match self.change(Change::Submit(submissions)).await? {
            Done::Submitted(submitted) => Ok(submitted),
            _ => Err(self.mistaken()),
        }
    }

    /// As [`Deliveries::due`](gristmill_core::ports::Deliveries::due).
    pub(super) async fn due(
        &self,
        now: Timestamp,
        lease: Duration,
        most: u32,
    ) -> Result<Vec<(Delivery, JobRecord)>, StoreError> {
        match self.deliver(DeliveryChange::Due { now, lease, most }).await? {
            Done::Due(due) => Ok(due),
            _ => Err(self.mistaken()),
        }
    }

    /// As [`Deliveries::tried`](gristmill_core::ports::Deliveries::tried).
    pub(super) async fn tried(
        &self,
        job: &JobId,
        run: Run,
        tried: &Tried,
        next: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let tried = DeliveryChange::Tried { job: job.clone(), run, tried: tried.clone(), next };
        self.deliver(tried).await.map(drop)
    }

    /// As [`Deliveries::again`](gristmill_core::ports::Deliveries::again).
    pub(super) async fn again(&self, job: &JobId, now: Timestamp) -> Result<bool, StoreError> {
        match self.deliver(DeliveryChange::Again { job: job.clone(), now }).await? {
            Done::Again(is_there) => Ok(is_there),
            _ => Err(self.mistaken()),
        }
    }
}
