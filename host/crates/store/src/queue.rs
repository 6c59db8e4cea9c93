//! What waits to be written: requests of callers, who wait for their answers, and notes, for which nobody waits.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::codec;
use super::health::Health;
use super::records::{Change, DeliveryChange, Done};
use super::request::{DELIVERY_BYTES, Request, Row, state_bytes};
use super::worker::Worker;
use super::writer::{Backend, Writer};
use gristmill_core::model::{
    ChatResponse, DocumentId, JobId, RecordGeneration, Run, Spent, SpentOn, StateWrite, Timestamp, Wrote,
};
use gristmill_core::ports::{JobState, Keep, Kept, Key, Placed, StoreError};

/// Maximum bytes waiting to be written; beyond it, callers wait.
const QUEUE_BYTES: usize = 32 << 20;
/// Maximum ends of jobs waiting to be recorded; beyond it, they are not recorded.
const QUEUE_NOTES: usize = 64 << 10;
/// The approximate size of a row in the table of items, besides its texts.
const ITEM_BYTES: usize = 64;

/// The queue of a writer, which is a thread of its own. Dropping it writes what is still queued, and waits for that, some
/// seconds at most.
pub(super) struct Queue {
    health: Arc<Health>,
    room: Arc<Semaphore>,
    notes: Arc<Semaphore>,
    /// `None` while closing, like `writer`.
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<Worker>,
}

impl Queue {
    /// Starts the thread that writes to the backend.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(backend: impl Backend, health: Arc<Health>) -> std::io::Result<Self> {
        let (requests, wanted) = mpsc::channel();
        let writer = Writer::new(backend, wanted, Arc::clone(&health));
        let writer = Some(Worker::start("store-write", move || writer.run())?);
        Ok(Self {
            health,
            room: Arc::new(Semaphore::new(QUEUE_BYTES)),
            notes: Arc::new(Semaphore::new(QUEUE_NOTES)),
            requests: Some(requests),
            writer,
        })
    }

    /// As [`Store::keep_all`](gristmill_core::ports::Store::keep_all).
    pub(super) async fn keep(&self, new: &[Keep]) -> Result<Vec<Option<Kept>>, StoreError> {
        self.health.check()?;
        if new.is_empty() {
            return Ok(Vec::new());
        }
        // Reserve room before encoding: a caller that waits for room holds no second copy.
        let room = self.room(new.iter().map(|new| codec::weight(&new.kept)).sum()).await?;
        let row = |Keep { job, key, kept }: &Keep| Row { job: job.clone(), key: *key, value: codec::encode(kept) };
        let (done, answer) = oneshot::channel();
        self.send(Request::Keep { rows: new.iter().map(row).collect(), kept: done, _room: room })?;
        self.answered(answer).await
    }

    /// As [`Store::ended`](gristmill_core::ports::Store::ended).
    pub(super) fn ended(&self, job: &JobId, state: JobState) -> Result<(), StoreError> {
        self.health.check()?;
        let Ok(room) = Arc::clone(&self.notes).try_acquire_owned() else {
            tracing::debug!(%job, "the store is behind: data of this job is kept for longer");
            return Ok(());
        };
        self.send(Request::Ended { job: job.clone(), state, _room: room })
    }

    /// As [`Answers::keep_answer`](gristmill_core::ports::Answers::keep_answer).
    pub(super) async fn keep_answer(&self, key: Key, answer: &ChatResponse, keep: Duration) -> Result<(), StoreError> {
        self.health.check()?;
        let kept = Kept::Answer(answer.clone());
        let room = self.room(codec::weight(&kept)).await?;
        let (noted, done) = oneshot::channel();
        self.send(Request::Answer { key, value: codec::encode(&kept), keep, noted, _room: room })?;
        self.answered(done).await
    }

    /// As [`Documents::intend`](gristmill_core::ports::Documents::intend).
    pub(super) async fn intend(
        &self,
        document: &DocumentId,
        begun: &RecordGeneration,
        items: &[Placed],
    ) -> Result<(), StoreError> {
        self.health.check()?;
        let bytes = items.iter().map(|placed| placed.topic.len() + placed.item.as_str().len() + ITEM_BYTES).sum();
        let room = self.room(bytes).await?;
        let (noted, done) = oneshot::channel();
        let (document, begun, items) = (document.clone(), begun.clone(), items.to_vec());
        self.send(Request::Intend { document, begun, items, bytes, noted, _room: room })?;
        self.answered(done).await
    }

    /// As [`Documents::finish`](gristmill_core::ports::Documents::finish).
    pub(super) fn finish(&self, document: &DocumentId, last: RecordGeneration) -> Result<(), StoreError> {
        self.health.check()?;
        self.send(Request::Finish { document: document.clone(), last })
    }

    /// As [`Spending::note`](gristmill_core::ports::Spending::note).
    pub(super) fn note(&self, on: SpentOn, spent: Spent) -> Result<(), StoreError> {
        self.health.check()?;
        self.send(Request::Spent { on, spent, number: 0 })
    }

    /// As [`StageState::write_entry`](gristmill_core::ports::StageState::write_entry).
    pub(super) async fn write_entry(&self, stage: &str, write: StateWrite) -> Result<Wrote, StoreError> {
        self.health.check()?;
        let room = self.room(state_bytes(&write)).await?;
        let (wrote, answer) = oneshot::channel();
        self.send(Request::State { stage: stage.to_owned(), write, wrote, _room: room })?;
        self.answered(answer).await
    }

    /// Changes records of jobs, by the rules of the core.
    pub(super) async fn change(&self, change: Change) -> Result<Done, StoreError> {
        self.health.check()?;
        let room = self.room(change.weight()).await?;
        let (done, answer) = oneshot::channel();
        self.send(Request::Change { change, done, _room: room })?;
        self.answered(answer).await
    }

    /// As [`Published::published`](gristmill_core::ports::Published::published).
    pub(super) fn published(&self, jobs: &[(JobId, Run)], at: Timestamp) -> Result<(), StoreError> {
        self.health.check()?;
        let Ok(room) = Arc::clone(&self.notes).try_acquire_owned() else {
            tracing::debug!("the store is behind: some jobs stay accepted until a host takes their events");
            return Ok(());
        };
        self.send(Request::Note { change: Change::Published(jobs.to_vec(), at), _room: room })
    }

    /// Changes deliveries.
    pub(super) async fn deliver(&self, change: DeliveryChange) -> Result<Done, StoreError> {
        self.health.check()?;
        let room = self.room(DELIVERY_BYTES).await?;
        let (done, answer) = oneshot::channel();
        self.send(Request::Deliver { change, done, _room: room })?;
        self.answered(answer).await
    }

    /// The error for an answer that is to another question.
    pub(super) fn mistaken(&self) -> StoreError {
        self.health.error()
    }

    async fn answered<T>(&self, answer: oneshot::Receiver<Result<T, String>>) -> Result<T, StoreError> {
        let answered = answer.await.map_err(|_| self.health.error())?;
        answered.map_err(|reason| self.health.transient(reason))
    }

    /// Waits for room in the queue of the writer.
    async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, StoreError> {
        let weight = u32::try_from(bytes.min(QUEUE_BYTES)).unwrap_or(u32::MAX);
        Arc::clone(&self.room).acquire_many_owned(weight).await.map_err(|_| self.health.error())
    }

    fn send(&self, request: Request) -> Result<(), StoreError> {
        let is_sent = self.requests.as_ref().is_some_and(|requests| requests.send(request).is_ok());
        if is_sent { Ok(()) } else { Err(self.health.error()) }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        drop(self.requests.take());
        self.writer.take().into_iter().for_each(Worker::wait);
    }
}
