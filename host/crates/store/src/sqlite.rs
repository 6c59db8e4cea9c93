//! The store as the flow sees it: sends requests to the threads and awaits their answers.

use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::health::Health;
use super::reader::{self, Recall};
use super::retention::Sweep;
use super::settings::{Clock, Settings};
use super::writer::{Request, Writer};
use super::{codec, file};
use gristmill_core::model::{ChatResponse, DocumentId, JobId, RecordGeneration, Spent, SpentOn};
use gristmill_core::ports::{Answers, Documents, JobState, Kept, Key, Placed, Remembered, Spending, Store, StoreError};

/// Maximum bytes waiting to be written; beyond it, callers wait.
const QUEUE_BYTES: usize = 32 << 20;
/// Maximum ends of jobs waiting to be recorded; beyond it, they are not recorded.
const QUEUE_NOTES: usize = 64 << 10;
/// Maximum recalls waiting; beyond it, callers wait.
const QUEUE_RECALLS: usize = 256;
/// How long to wait for each thread to stop.
const CLOSE: Duration = Duration::from_secs(10);

/// A store in a local file, for one pipeline. Several processes may have it open at once.
///
/// A file that another process holds for too long is a transient failure. Any other failure breaks the store for good:
/// every later call returns that first reason. Dropping the store writes what is still queued, checkpoints the log into
/// the file and closes it. That blocks for some milliseconds, on a bad disk for 20 s at most. Everything acknowledged
/// is on the disk in any case.
pub struct Sqlite {
    health: Arc<Health>,
    room: Arc<Semaphore>,
    notes: Arc<Semaphore>,
    clock: Clock,
    /// `None` while closing, like `requests`.
    recalls: Option<mpsc::Sender<Recall>>,
    requests: Option<blocking::Sender<Request>>,
    reader: Option<Worker>,
    writer: Option<Worker>,
}

impl Sqlite {
    /// Opens the store; creates a missing folder and file, and migrates an older file. Blocks for up to a minute while
    /// other processes write to it.
    ///
    /// # Errors
    /// The folder or the file cannot be created, opened or written; the file belongs to another application, is of a
    /// newer version, or is damaged.
    pub fn open(settings: Settings) -> Result<Self, StoreError> {
        let path = file::path(&settings.folder, &settings.pipeline)?;
        let (connection, reading) = file::open(&path, settings.max_size)?;
        let health = Arc::new(Health::new(&path, settings.max_size));
        let no_thread = |error: std::io::Error| StoreError::Broken {
            store: path.display().to_string(),
            reason: format!("its threads cannot be started ({error}); a limit of this machine or user is reached"),
        };
        let (recalls, asked) = mpsc::channel(QUEUE_RECALLS);
        let (requests, wanted) = blocking::channel();
        // A full file breaks the store, so what can be done without never fills it.
        let answers = settings.max_answers.min(settings.max_size / 4);
        let sweep = Sweep::new(settings.keep_ended, settings.keep_unfinished, answers);
        let writer = Writer {
            connection,
            requests: wanted,
            health: Arc::clone(&health),
            sweep,
            clock: Arc::clone(&settings.clock),
            logged: 0,
            again: Vec::new(),
            ending: false,
        };
        let reader = Worker::start("store-read", {
            let health = Arc::clone(&health);
            move || reader::run(&reading, asked, &health)
        });
        Ok(Self {
            reader: Some(reader.map_err(no_thread)?),
            writer: Some(Worker::start("store-write", move || writer.run()).map_err(no_thread)?),
            health,
            room: Arc::new(Semaphore::new(QUEUE_BYTES)),
            notes: Arc::new(Semaphore::new(QUEUE_NOTES)),
            clock: settings.clock,
            recalls: Some(recalls),
            requests: Some(requests),
        })
    }

    async fn recall<T>(&self, recall: Recall, answer: oneshot::Receiver<Result<T, String>>) -> Result<T, StoreError> {
        self.health.check()?;
        let recalls = self.recalls.as_ref().ok_or_else(|| self.health.error())?;
        recalls.send(recall).await.map_err(|_| self.health.error())?;
        let found = answer.await.map_err(|_| self.health.error())?;
        found.map_err(|reason| self.health.transient(reason))
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

#[async_trait]
impl Store for Sqlite {
    async fn recall(&self, job: &JobId, key: Key) -> Result<Option<Kept>, StoreError> {
        let (found, answer) = oneshot::channel();
        self.recall(Recall::Kept { job: job.clone(), key, found }, answer).await
    }

    async fn keep(&self, job: &JobId, key: Key, kept: &Kept) -> Result<Option<Kept>, StoreError> {
        self.health.check()?;
        // Reserve room before encoding: a caller that waits for room holds no second copy.
        let room = self.room(codec::weight(kept)).await?;
        let (done, answer) = oneshot::channel();
        self.send(Request::Keep { job: job.clone(), key, value: codec::encode(kept), kept: done, _room: room })?;
        let earlier = answer.await.map_err(|_| self.health.error())?;
        earlier.map_err(|reason| self.health.transient(reason))
    }

    fn ended(&self, job: &JobId, state: JobState) -> Result<(), StoreError> {
        self.health.check()?;
        let Ok(room) = Arc::clone(&self.notes).try_acquire_owned() else {
            tracing::debug!(%job, "the store is behind: data of this job is kept for longer");
            return Ok(());
        };
        self.send(Request::Ended { job: job.clone(), state, _room: room })
    }
}

#[async_trait]
impl Answers for Sqlite {
    async fn find_answer(&self, key: Key) -> Result<Option<ChatResponse>, StoreError> {
        let (found, answer) = oneshot::channel();
        self.recall(Recall::Answer { key, now: (self.clock)(), found }, answer).await
    }

    async fn keep_answer(&self, key: Key, answer: &ChatResponse, keep: Duration) -> Result<(), StoreError> {
        self.health.check()?;
        let kept = Kept::Answer(answer.clone());
        let room = self.room(codec::weight(&kept)).await?;
        let (noted, done) = oneshot::channel();
        self.send(Request::Answer { key, value: codec::encode(&kept), keep, noted, _room: room })?;
        let noted = done.await.map_err(|_| self.health.error())?;
        noted.map_err(|reason| self.health.transient(reason))
    }
}

/// The approximate size of a row in the table of items, besides its texts.
const ITEM_BYTES: usize = 64;

#[async_trait]
impl Documents for Sqlite {
    async fn find(&self, document: &DocumentId) -> Result<Remembered, StoreError> {
        let (found, answer) = oneshot::channel();
        self.recall(Recall::Document { document: document.clone(), found }, answer).await
    }

    async fn intend(
        &self,
        document: &DocumentId,
        begun: &RecordGeneration,
        items: &[Placed],
    ) -> Result<(), StoreError> {
        self.health.check()?;
        let bytes = items.iter().map(|placed| placed.topic.len() + placed.item.as_str().len() + ITEM_BYTES).sum();
        let room = self.room(bytes).await?;
        let (noted, answer) = oneshot::channel();
        let (document, begun, items) = (document.clone(), begun.clone(), items.to_vec());
        self.send(Request::Intend { document, begun, items, bytes, noted, _room: room })?;
        let noted = answer.await.map_err(|_| self.health.error())?;
        noted.map_err(|reason| self.health.transient(reason))
    }

    fn finish(&self, document: &DocumentId, last: RecordGeneration) -> Result<(), StoreError> {
        self.health.check()?;
        self.send(Request::Finish { document: document.clone(), last })
    }
}

#[async_trait]
impl Spending for Sqlite {
    async fn all(&self) -> Result<Vec<(SpentOn, Spent)>, StoreError> {
        let (found, answer) = oneshot::channel();
        self.recall(Recall::Spending { found }, answer).await
    }

    async fn of_job(&self, job: &JobId) -> Result<Spent, StoreError> {
        let (found, answer) = oneshot::channel();
        self.recall(Recall::SpentByJob { job: job.clone(), found }, answer).await
    }

    fn note(&self, on: SpentOn, spent: Spent) -> Result<(), StoreError> {
        self.health.check()?;
        self.send(Request::Spent { on, spent })
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // The reader first: the last connection to close cleans up the file, and only the writer may write.
        drop(self.recalls.take());
        self.reader.take().into_iter().for_each(Worker::wait);
        drop(self.requests.take());
        self.writer.take().into_iter().for_each(Worker::wait);
    }
}

/// A thread that can be joined with a timeout.
struct Worker(JoinHandle<()>);

impl Worker {
    fn start(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        thread::Builder::new().name(name.to_owned()).spawn(work).map(Self)
    }

    fn wait(self) {
        let until = Instant::now() + CLOSE;
        while !self.0.is_finished() {
            if Instant::now() >= until {
                tracing::warn!("the state store did not close in time; everything acknowledged is on the disk");
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        // A panic of the thread was already reported.
        let _ = self.0.join();
    }
}
