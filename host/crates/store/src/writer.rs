//! The one thread that writes. What has come while the last transaction went to the disk goes into the next, so that
//! many callers share one synchronisation of the disk.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::codec;
use super::health::{Failure, Health};
use super::retention::Sweep;
use super::settings::Clock;
use gristmill_core::model::{JobId, Timestamp};
use gristmill_core::ports::{JobState, Kept, Key};

/// What is to be written. Each holds its part of the queue until it is.
pub(super) enum Request {
    Keep {
        job: JobId,
        key: Key,
        value: Vec<u8>,
        /// Told when it is on the disk, and what was there before, which stays; or why not when that passes. Dropped when it
        /// never will be.
        kept: oneshot::Sender<Result<Option<Kept>, String>>,
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
            let written = match self.write(&batch) {
                Ok(written) => written,
                Err(error) => match self.health.classify(&error) {
                    Failure::Transient(reason) => {
                        answer(batch, std::iter::repeat_with(|| Err(reason.clone())));
                        continue;
                    }
                    // Before the batch is dropped, by which its callers hear of it.
                    Failure::Broken => {
                        self.broke(&error);
                        return;
                    }
                },
            };
            answer(batch, written.into_iter().map(Ok));
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

    /// Writes the batch. Returns, for each thing that was to be kept, what had been kept before.
    fn write(&mut self, batch: &[Request]) -> rusqlite::Result<Vec<Option<Kept>>> {
        let now = (self.clock)();
        let mut earlier = Vec::new();
        if !self.sweep.begin_when_due(now) && batch.is_empty() {
            return Ok(earlier);
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for request in batch {
            match request {
                Request::Keep { job, key, value, .. } => earlier.push(keep(&transaction, job, *key, value, now)?),
                Request::Ended { job, state, .. } => end(&transaction, job, *state, now)?,
            }
        }
        if self.sweep.under_way() {
            self.sweep.step(&transaction, now)?;
            self.logged += REQUEST_BYTES;
        }
        transaction.commit()?;
        Ok(earlier)
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

/// Tells those who wait what became of what they wanted kept.
fn answer(batch: Vec<Request>, mut answers: impl Iterator<Item = Result<Option<Kept>, String>>) {
    for request in batch {
        if let Request::Keep { kept, .. } = request
            && let Some(answer) = answers.next()
        {
            // A caller who is gone does not want to know.
            let _ = kept.send(answer);
        }
    }
}

/// Keeps a value unless there is one already, and returns that one. One that this version cannot read is replaced.
fn keep(
    connection: &Connection,
    job: &JobId,
    key: Key,
    value: &[u8],
    now: Timestamp,
) -> rusqlite::Result<Option<Kept>> {
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
    let inserted = connection
        .prepare_cached("INSERT INTO kept (job, key, value) VALUES (?1, ?2, ?3) ON CONFLICT (job, key) DO NOTHING")?
        .execute(params![id, key.0, value])?;
    if inserted == 1 {
        return Ok(None);
    }
    let earlier: Vec<u8> = connection
        .prepare_cached("SELECT value FROM kept WHERE job = ?1 AND key = ?2")?
        .query_row(params![id, key.0], |row| row.get(0))?;
    let earlier = codec::decode(Bytes::from(earlier));
    if earlier.is_none() {
        connection
            .prepare_cached("UPDATE kept SET value = ?3 WHERE job = ?1 AND key = ?2")?
            .execute(params![id, key.0, value])?;
    }
    Ok(earlier)
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
