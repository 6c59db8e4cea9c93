//! The one thread that reads, next to the one that writes.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::{mpsc, oneshot};

use super::failure::failure;
use super::{answers, documents, spending, state};
use crate::codec::KeptReader;
use crate::health::{Failure, Health};
use gristmill_core::model::{ChatResponse, DocumentId, Entry, JobId, Spent, SpentOn, Timestamp};
use gristmill_core::ports::{Kept, Key, Remembered};

/// Receives what was found, or the reason of a transient failure; dropped when the store is broken.
pub(super) type Answer<T> = oneshot::Sender<Result<T, String>>;

/// A request for something that may be kept.
pub(super) enum Recall {
    /// What is kept of a job under a key.
    Kept { job: JobId, key: Key, found: Answer<Option<Kept>> },
    /// The keys of what is kept of jobs.
    Keys { jobs: Vec<JobId>, found: Answer<Vec<Vec<Key>>> },
    /// What is remembered of a document.
    Document { document: DocumentId, found: Answer<Remembered> },
    /// What was spent.
    Spending { found: Answer<Vec<(SpentOn, Spent)>> },
    /// What the answers took that are kept of a job.
    SpentByJob { job: JobId, found: Answer<Spent> },
    /// What a stage keeps under a key.
    State { stage: String, key: String, found: Answer<Option<Entry>> },
    /// Something about records of jobs, which answers by itself with [`Reader::answer`].
    Record(Box<dyn FnOnce(&Reader) -> bool + Send>),
    /// An answer that is not too old by then.
    Answer { key: Key, now: Timestamp, found: Answer<Option<ChatResponse>> },
}

/// Reads from the file.
pub(super) struct Reader {
    pub(super) connection: Connection,
    pub(super) max_size: u64,
    pub(super) health: Arc<Health>,
}

impl Reader {
    /// Reads until all senders are dropped, or until the first permanent failure.
    pub(super) fn run(self, mut recalls: mpsc::Receiver<Recall>) {
        let connection = &self.connection;
        let kept = KeptReader::default();
        while let Some(recall) = recalls.blocking_recv() {
            let goes_on = match recall {
                Recall::Kept { job, key, found } => self.answer(found, || {
                    let value = read(connection, &job, key)?;
                    Ok(value.and_then(|value| kept.read(&job, value)))
                }),
                Recall::Keys { jobs, found } => self.answer(found, || keys(connection, &jobs)),
                Recall::Document { document, found } => self.answer(found, || documents::find(connection, &document)),
                Recall::Spending { found } => self.answer(found, || spending::all(connection)),
                Recall::SpentByJob { job, found } => self.answer(found, || spending::of_job(connection, &job)),
                Recall::State { stage, key, found } => self.answer(found, || state::find(connection, &stage, &key)),
                Recall::Record(read) => read(&self),
                Recall::Answer { key, now, found } => self.answer(found, || answers::find(connection, key, now)),
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Answers a request, unless its caller has gone away. False if the store is broken.
    pub(super) fn answer<T>(&self, found: Answer<T>, read: impl FnOnce() -> rusqlite::Result<T>) -> bool {
        if found.is_closed() {
            return true;
        }
        let answer = match read() {
            Ok(value) => Ok(value),
            Err(error) => match failure(&error, self.max_size) {
                Failure::Transient(reason) => Err(reason),
                Failure::Broken(reason) => {
                    self.health.fail(reason);
                    return false;
                }
            },
        };
        // The caller may have gone away meanwhile.
        let _ = found.send(answer);
        true
    }
}

/// In one transaction: each statement would lock the file for itself otherwise.
fn keys(connection: &Connection, jobs: &[JobId]) -> rusqlite::Result<Vec<Vec<Key>>> {
    let transaction = connection.unchecked_transaction()?;
    let mut statement =
        transaction.prepare_cached("SELECT key FROM kept WHERE job = (SELECT id FROM job WHERE name = ?1)")?;
    let mut of_job = |job: &JobId| statement.query_map([job.as_str()], |row| row.get(0).map(Key))?.collect();
    jobs.iter().map(&mut of_job).collect()
}

fn read(connection: &Connection, job: &JobId, key: Key) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT value FROM kept WHERE job = (SELECT id FROM job WHERE name = ?1) AND key = ?2")?
        .query_row(params![job.as_str(), key.0], |row| row.get(0))
        .optional()
}
