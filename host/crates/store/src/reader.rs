//! The one thread that reads, next to the one that writes.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::{mpsc, oneshot};

use super::codec;
use super::health::{Failure, Health};
use gristmill_core::model::JobId;
use gristmill_core::ports::{Kept, Key};

/// A request for something that may be kept.
pub(super) struct Recall {
    pub(super) job: JobId,
    pub(super) key: Key,
    /// Receives the value, or the reason of a transient failure; dropped when the store is broken.
    pub(super) found: oneshot::Sender<Result<Option<Kept>, String>>,
}

/// Reads until all senders are dropped, or until the first permanent failure.
pub(super) fn run(connection: &Connection, mut recalls: mpsc::Receiver<Recall>, health: &Arc<Health>) {
    let mut warned = false;
    while let Some(Recall { job, key, found }) = recalls.blocking_recv() {
        if found.is_closed() {
            continue;
        }
        let value = match read(connection, &job, key) {
            Ok(value) => value,
            Err(error) => match health.classify(&error) {
                Failure::Transient(reason) => {
                    let _ = found.send(Err(reason));
                    continue;
                }
                Failure::Broken => {
                    health.fail(&error);
                    return;
                }
            },
        };
        let kept = value.map(|value| codec::decode(Bytes::from(value)));
        if kept == Some(None) && !warned {
            warned = true;
            tracing::warn!(%job, "what another version kept cannot be read; the work is done and paid for again");
        }
        // The caller may have gone away.
        let _ = found.send(Ok(kept.flatten()));
    }
}

fn read(connection: &Connection, job: &JobId, key: Key) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT value FROM kept WHERE job = (SELECT id FROM job WHERE name = ?1) AND key = ?2")?
        .query_row(params![job.as_str(), key.0], |row| row.get(0))
        .optional()
}
