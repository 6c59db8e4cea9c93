//! The one thread that writes. What has come while the last transaction went to the disk goes into the next, so that
//! many callers share one synchronisation of the disk.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::health::Health;
use super::retention::Sweep;
use super::settings::Clock;
use gristmill_core::model::{JobId, Timestamp};
use gristmill_core::ports::{JobState, Key};

/// What is to be written. Each holds its part of the queue until it is.
pub(super) enum Request {
    Keep {
        job: JobId,
        key: Key,
        value: Vec<u8>,
        /// Told when it is on the disk; dropped when it never will be.
        kept: oneshot::Sender<()>,
        _room: OwnedSemaphorePermit,
    },
    Ended {
        job: JobId,
        state: JobState,
        _room: OwnedSemaphorePermit,
    },
}

/// Most requests in one transaction,
const BATCH_REQUESTS: usize = 1_024;
/// and, by one request at most, most bytes.
const BATCH_BYTES: usize = 8 << 20;
/// Nobody waits for the ends of jobs: they may wait so long for a transaction that is needed anyway.
const NOTES: Duration = Duration::from_millis(200);
/// How often an idle writer looks whether something is too old.
const IDLE: Duration = Duration::from_secs(60);
/// The log is brought into the file after about so many bytes,
const CHECKPOINT_BYTES: usize = 4 << 20;
/// of which each request takes some beside its value;
const REQUEST_BYTES: usize = 8 << 10;
/// and by force, waiting for readers, when it has so many pages all the same: 64 MiB.
const LONG_LOG: i64 = 16 << 10;
/// The time of a job's last change is noted this exactly.
const TOUCH: i64 = 1_000;

pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) requests: Receiver<Request>,
    pub(super) health: Arc<Health>,
    pub(super) sweep: Sweep,
    pub(super) clock: Clock,
    /// Bytes in the log since it was brought into the file last, about.
    pub(super) logged: usize,
}

impl Writer {
    /// Writes until all who could ask for it are gone and all they asked for is written, or until the first failure.
    pub(super) fn run(mut self) {
        while let Some(batch) = self.next_batch() {
            let written = self.write(&batch);
            if let Err(error) = &written {
                // Before the batch is dropped, by which its callers hear of it.
                self.broke(error);
                return;
            }
            for request in batch {
                if let Request::Keep { kept, .. } = request {
                    // A caller who is gone does not want to know.
                    let _ = kept.send(());
                }
            }
            if self.logged >= CHECKPOINT_BYTES
                && let Err(error) = self.checkpoint()
            {
                self.broke(&error);
                return;
            }
        }
        if let Err(error) = self.checkpoint() {
            self.broke(&error);
        }
    }

    fn broke(&self, error: &rusqlite::Error) {
        self.health.fail(error);
        // SQLite would try once more while it closes.
        let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }

    /// Waits for something to do, which may be nothing but a look at what is too old; `None` when nobody can ask for
    /// anything any more.
    fn next_batch(&mut self) -> Option<Vec<Request>> {
        let wait = if self.sweep.under_way() { Duration::ZERO } else { IDLE };
        let (mut batch, mut bytes, mut somebody_waits) = (Vec::new(), 0, false);
        let mut until = Instant::now() + wait;
        while batch.len() < BATCH_REQUESTS && bytes < BATCH_BYTES {
            let wait = if somebody_waits { Duration::ZERO } else { until.saturating_duration_since(Instant::now()) };
            match self.requests.recv_timeout(wait) {
                Ok(request) => {
                    match &request {
                        Request::Keep { value, .. } => {
                            bytes += value.len();
                            somebody_waits = true;
                        }
                        Request::Ended { .. } => until = until.min(Instant::now() + NOTES),
                    }
                    batch.push(request);
                }
                Err(RecvTimeoutError::Disconnected) if batch.is_empty() => return None,
                Err(_) => break,
            }
        }
        self.logged += bytes + batch.len() * REQUEST_BYTES;
        Some(batch)
    }

    fn write(&mut self, batch: &[Request]) -> rusqlite::Result<()> {
        let now = (self.clock)();
        if !self.sweep.begin_when_due(now) && batch.is_empty() {
            return Ok(());
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for request in batch {
            match request {
                Request::Keep { job, key, value, .. } => keep(&transaction, job, *key, value, now)?,
                Request::Ended { job, state, .. } => end(&transaction, job, *state, now)?,
            }
        }
        if self.sweep.under_way() {
            self.sweep.step(&transaction, now)?;
            self.logged += REQUEST_BYTES;
        }
        transaction.commit()
    }

    /// Brings the log into the file, as far as no reader needs it, so that the log can begin anew.
    fn checkpoint(&mut self) -> rusqlite::Result<()> {
        self.logged = 0;
        let pages: i64 = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))?;
        if pages > LONG_LOG {
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
        Ok(())
    }
}

fn keep(connection: &Connection, job: &JobId, key: Key, value: &[u8], now: Timestamp) -> rusqlite::Result<()> {
    let found: Option<(i64, i64, bool)> = connection
        .prepare_cached("SELECT id, touched, ended IS NOT NULL FROM job WHERE name = ?1")?
        .query_row([job.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let id = match found {
        None => {
            connection
                .prepare_cached("INSERT INTO job (name, touched) VALUES (?1, ?2)")?
                .execute(params![job.as_str(), now.0])?;
            connection.last_insert_rowid()
        }
        Some((id, touched, ended)) => {
            // A job that has ended and is replayed is unfinished again.
            if ended || touched.abs_diff(now.0) >= TOUCH.unsigned_abs() {
                connection
                    .prepare_cached("UPDATE job SET touched = ?2, ended = NULL, state = NULL WHERE id = ?1")?
                    .execute(params![id, now.0])?;
            }
            id
        }
    };
    connection
        .prepare_cached(
            "INSERT INTO kept (job, key, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (job, key) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![id, key.0, value])?;
    Ok(())
}

/// A job of which nothing is kept has no row, and needs none.
fn end(connection: &Connection, job: &JobId, state: JobState, now: Timestamp) -> rusqlite::Result<()> {
    let state = match state {
        JobState::Emitted => 1,
        JobState::Dropped => 2,
        JobState::DeadLettered => 3,
    };
    connection.prepare_cached("UPDATE job SET ended = ?2, state = ?3 WHERE name = ?1")?.execute(params![
        job.as_str(),
        now.0,
        state
    ])?;
    Ok(())
}
