//! A store in a local file of SQLite.

mod answers;
mod book;
mod checkpoint;
mod deliveries;
mod documents;
mod failure;
mod file;
mod lists;
mod reader;
mod records;
mod retention;
mod spending;
mod state;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use self::checkpoint::Checkpoints;
use self::file::Connections;
use self::reader::{Reader, Recall};
use self::retention::Sweep;
use crate::health::Health;
use crate::queue::Queue;
use crate::settings::{Clock, Settings};
use crate::worker::Worker;
use gristmill_core::model::{
    ChatResponse, DocumentId, Entry, JobId, RecordGeneration, Spent, SpentOn, StateWrite, Wrote,
};
use gristmill_core::ports::{
    Answers, Documents, JobState, Keep, Kept, Key, Placed, Remembered, Spending, StageState, Store, StoreError,
};

pub use self::spending::spending_of;

/// Maximum recalls waiting; beyond it, callers wait.
const QUEUE_RECALLS: usize = 256;

/// A store in a local file, for one pipeline. Several processes may have it open at once.
///
/// A file that another process holds for too long is a transient failure. Any other failure breaks the store for good:
/// every later call returns that first reason. Dropping the store writes what is still queued, checkpoints the log into
/// the file and closes it. That blocks for some milliseconds, on a bad disk for 20 s at most. Everything acknowledged
/// is on the disk in any case.
pub struct Sqlite {
    health: Arc<Health>,
    clock: Clock,
    // Dropped before the queue: the last connection to close cleans up the file, and only the writer may write.
    recalls: Recalls,
    queue: Queue,
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
        let max_size = settings.max_size;
        let Connections { writer, reader, checkpoints } = file::open(&path, max_size)?;
        let health = Arc::new(Health::new(path.display().to_string()));
        let no_thread = |error: std::io::Error| StoreError::Broken {
            store: path.display().to_string(),
            reason: format!("its threads cannot be started ({error}); a limit of this machine or user is reached"),
        };
        // A full file breaks the store, so what can be done without never fills it.
        let answers = settings.max_answers.min(max_size / 4);
        let sweep = Sweep::new(settings.keep_ended, settings.keep_unfinished, answers);
        let checkpoints = Checkpoints::start(checkpoints, max_size, Arc::clone(&health)).map_err(no_thread)?;
        let file = writer::File {
            checkpoints: Some(checkpoints),
            connection: writer,
            max_size,
            sweep,
            clock: Arc::clone(&settings.clock),
            logged: 0,
        };
        let reader = Reader { connection: reader, max_size, health: Arc::clone(&health) };
        Ok(Self {
            recalls: Recalls::start(reader).map_err(no_thread)?,
            queue: Queue::start(file, Arc::clone(&health)).map_err(no_thread)?,
            health,
            clock: settings.clock,
        })
    }

    async fn ask<T>(&self, recall: Recall, answer: oneshot::Receiver<Result<T, String>>) -> Result<T, StoreError> {
        self.health.check()?;
        let asked = self.recalls.sender.as_ref().ok_or_else(|| self.health.error())?;
        asked.send(recall).await.map_err(|_| self.health.error())?;
        let found = answer.await.map_err(|_| self.health.error())?;
        found.map_err(|reason| self.health.transient(reason))
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn recall(&self, job: &JobId, key: Key) -> Result<Option<Kept>, StoreError> {
        let (found, answer) = oneshot::channel();
        self.ask(Recall::Kept { job: job.clone(), key, found }, answer).await
    }

    async fn keys(&self, jobs: &[JobId]) -> Result<Vec<Vec<Key>>, StoreError> {
        let (found, answer) = oneshot::channel();
        self.ask(Recall::Keys { jobs: jobs.to_vec(), found }, answer).await
    }

    async fn keep_all(&self, new: &[Keep]) -> Result<Vec<Option<Kept>>, StoreError> {
        self.queue.keep(new).await
    }

    fn ended(&self, job: &JobId, state: JobState) -> Result<(), StoreError> {
        self.queue.ended(job, state)
    }
}

#[async_trait]
impl Answers for Sqlite {
    async fn find_answer(&self, key: Key) -> Result<Option<ChatResponse>, StoreError> {
        let (found, answer) = oneshot::channel();
        self.ask(Recall::Answer { key, now: (self.clock)(), found }, answer).await
    }

    async fn keep_answer(&self, key: Key, answer: &ChatResponse, keep: Duration) -> Result<(), StoreError> {
        self.queue.keep_answer(key, answer, keep).await
    }
}

#[async_trait]
impl Documents for Sqlite {
    async fn find(&self, document: &DocumentId) -> Result<Remembered, StoreError> {
        let (found, answer) = oneshot::channel();
        self.ask(Recall::Document { document: document.clone(), found }, answer).await
    }

    async fn intend(
        &self,
        document: &DocumentId,
        begun: &RecordGeneration,
        items: &[Placed],
    ) -> Result<(), StoreError> {
        self.queue.intend(document, begun, items).await
    }

    fn finish(&self, document: &DocumentId, last: RecordGeneration) -> Result<(), StoreError> {
        self.queue.finish(document, last)
    }
}

#[async_trait]
impl Spending for Sqlite {
    async fn all(&self) -> Result<Vec<(SpentOn, Spent)>, StoreError> {
        let (found, answer) = oneshot::channel();
        self.ask(Recall::Spending { found }, answer).await
    }

    async fn of_job(&self, job: &JobId) -> Result<Spent, StoreError> {
        let (found, answer) = oneshot::channel();
        self.ask(Recall::SpentByJob { job: job.clone(), found }, answer).await
    }

    fn note(&self, on: SpentOn, spent: Spent) -> Result<(), StoreError> {
        self.queue.note(on, spent)
    }
}

#[async_trait]
impl StageState for Sqlite {
    async fn find_entry(&self, stage: &str, key: &str) -> Result<Option<Entry>, StoreError> {
        let (found, answer) = oneshot::channel();
        self.ask(Recall::State { stage: stage.to_owned(), key: key.to_owned(), found }, answer).await
    }

    async fn write_entry(&self, stage: &str, write: StateWrite) -> Result<Wrote, StoreError> {
        self.queue.write_entry(stage, write).await
    }
}

/// The thread that reads. Dropping it waits for its end.
struct Recalls {
    /// `None` while closing, like `reader`.
    sender: Option<mpsc::Sender<Recall>>,
    reader: Option<Worker>,
}

impl Recalls {
    fn start(reader: Reader) -> std::io::Result<Self> {
        let (sender, asked) = mpsc::channel(QUEUE_RECALLS);
        let reader = Some(Worker::start("store-read", move || reader.run(asked))?);
        Ok(Self { sender: Some(sender), reader })
    }
}

impl Drop for Recalls {
    fn drop(&mut self) {
        drop(self.sender.take());
        self.reader.take().into_iter().for_each(Worker::wait);
    }
}
