//! The one thread that reads, next to the one that writes.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::{mpsc, oneshot};

use super::health::{Failure, Health};
use super::{answers, codec, documents, spending};
use gristmill_core::model::{ChatResponse, DocumentId, JobId, Spent, SpentOn, Timestamp};
use gristmill_core::ports::{Kept, Key, Remembered};

/// Receives what was found, or the reason of a transient failure; dropped when the store is broken.
pub(super) type Answer<T> = oneshot::Sender<Result<T, String>>;

/// A request for something that may be kept.
pub(super) enum Recall {
    /// What is kept of a job under a key.
    Kept { job: JobId, key: Key, found: Answer<Option<Kept>> },
    /// What is remembered of a document.
    Document { document: DocumentId, found: Answer<Remembered> },
    /// What was spent.
    Spending { found: Answer<Vec<(SpentOn, Spent)>> },
    /// What the answers took that are kept of a job.
    SpentByJob { job: JobId, found: Answer<Spent> },
    /// An answer that is not too old by then.
    Answer { key: Key, now: Timestamp, found: Answer<Option<ChatResponse>> },
}

/// Reads until all senders are dropped, or until the first permanent failure.
pub(super) fn run(connection: &Connection, mut recalls: mpsc::Receiver<Recall>, health: &Arc<Health>) {
    let mut warned = false;
    while let Some(recall) = recalls.blocking_recv() {
        let answered = match recall {
            Recall::Kept { job, key, found } => answer(found, health, || {
                let kept = read(connection, &job, key)?.map(|value| codec::decode(Bytes::from(value)));
                if kept == Some(None) && !warned {
                    warned = true;
                    tracing::warn!(%job, "what another version kept cannot be read; the work is done and paid for again");
                }
                Ok(kept.flatten())
            }),
            Recall::Document { document, found } => answer(found, health, || documents::find(connection, &document)),
            Recall::Spending { found } => answer(found, health, || spending::all(connection)),
            Recall::SpentByJob { job, found } => answer(found, health, || spending::of_job(connection, &job)),
            Recall::Answer { key, now, found } => answer(found, health, || answers::find(connection, key, now)),
        };
        if answered.is_err() {
            return;
        }
    }
}

/// Answers a request, unless its caller has gone away.
///
/// # Errors
/// If the store is broken.
fn answer<T>(
    found: Answer<T>,
    health: &Health,
    read: impl FnOnce() -> rusqlite::Result<T>,
) -> Result<(), rusqlite::Error> {
    if found.is_closed() {
        return Ok(());
    }
    let answer = match read() {
        Ok(value) => Ok(value),
        Err(error) => match health.classify(&error) {
            Failure::Transient(reason) => Err(reason),
            Failure::Broken => {
                health.fail(&error);
                return Err(error);
            }
        },
    };
    // The caller may have gone away meanwhile.
    let _ = found.send(answer);
    Ok(())
}

fn read(connection: &Connection, job: &JobId, key: Key) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT value FROM kept WHERE job = (SELECT id FROM job WHERE name = ?1) AND key = ?2")?
        .query_row(params![job.as_str(), key.0], |row| row.get(0))
        .optional()
}
