//! The one thread that writes. Requests that arrive while one transaction is written go into the next, so that many
//! callers share one disk synchronisation.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::health::{Failure, Health};
use super::retention::Sweep;
use super::settings::Clock;
use super::{answers, codec, documents, spending};
use gristmill_core::model::{DocumentId, JobId, RecordGeneration, Spent, SpentOn, Timestamp};
use gristmill_core::ports::{JobState, Kept, Key, Placed};

/// A write request. Each holds its share of the queue until it is written.
pub(super) enum Request {
    Keep {
        job: JobId,
        key: Key,
        value: Vec<u8>,
        /// Answered once the request is on the disk, with the earlier value, if any, which stays; or with the reason of
        /// a transient failure. Dropped if the store is broken.
        kept: oneshot::Sender<Result<Option<Kept>, String>>,
        _room: OwnedSemaphorePermit,
    },
    /// An answer that any job may reuse.
    Answer {
        key: Key,
        value: Vec<u8>,
        keep: Duration,
        /// Like `kept` above, without a value.
        noted: oneshot::Sender<Result<(), String>>,
        _room: OwnedSemaphorePermit,
    },
    Ended {
        job: JobId,
        state: JobState,
        _room: OwnedSemaphorePermit,
    },
    Intend {
        document: DocumentId,
        begun: RecordGeneration,
        items: Vec<Placed>,
        /// The approximate size of the items, in bytes.
        bytes: usize,
        /// Like `kept` above, without a value.
        noted: oneshot::Sender<Result<(), String>>,
        _room: OwnedSemaphorePermit,
    },
    /// There are no more of these than jobs, and each job waited for its `Intend`: so they need no bound.
    Finish {
        document: DocumentId,
        last: RecordGeneration,
    },
    /// Each call of a model waits for its answer to be kept, so these need no bound either.
    Spent {
        on: SpentOn,
        spent: Spent,
    },
}

/// Maximum requests in one transaction.
const BATCH_REQUESTS: usize = 1_024;
/// Maximum bytes in one transaction, exceeded by one request at most.
const BATCH_BYTES: usize = 8 << 20;
/// No caller waits for ends of jobs to be written, so they may wait this long to share another transaction.
const NOTES: Duration = Duration::from_millis(200);
/// How often an idle writer checks whether something is too old.
const IDLE: Duration = Duration::from_secs(60);
/// The log is checkpointed into the file after about this many bytes.
const CHECKPOINT_BYTES: usize = 4 << 20;
/// The bytes of log that each request is assumed to take besides its value.
const REQUEST_BYTES: usize = 8 << 10;
/// Above this many pages (64 MiB) the log is truncated as well, which waits for readers.
const LONG_LOG: i64 = 16 << 10;
/// The resolution, in milliseconds, of the time at which a job was last changed.
const TOUCH: i64 = 1_000;

pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) requests: Receiver<Request>,
    pub(super) health: Arc<Health>,
    pub(super) sweep: Sweep,
    pub(super) clock: Clock,
    /// Approximate bytes written to the log since the last checkpoint.
    pub(super) logged: usize,
    /// Notes of a batch that failed, for the next one: nobody waits for them, so nobody would ask again.
    pub(super) again: Vec<Request>,
    /// All senders are dropped: what cannot be written now is given up.
    pub(super) ending: bool,
}

impl Writer {
    /// Writes until all senders are dropped and every request is written, or until the first permanent failure.
    pub(super) fn run(mut self) {
        while let Some(batch) = self.next_batch() {
            match self.write(&batch) {
                Ok(earlier) => drop(answer(batch, Ok(earlier))),
                Err(error) => match self.health.classify(&error) {
                    Failure::Transient(reason) => {
                        let unwritten = answer(batch, Err(reason));
                        self.again = if self.ending { Vec::new() } else { unwritten };
                        continue;
                    }
                    // Before the batch is dropped, because that wakes its callers.
                    Failure::Broken => {
                        self.broke(&error);
                        return;
                    }
                },
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
        // SQLite would otherwise try another checkpoint while it closes.
        let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }

    /// Waits for requests; the batch is empty if it is only time to check what is too old. `None` once all senders are
    /// dropped.
    fn next_batch(&mut self) -> Option<Vec<Request>> {
        let wait = match self.sweep.under_way() {
            true => Duration::ZERO,
            false if self.again.is_empty() => IDLE,
            false => NOTES,
        };
        let (mut batch, mut bytes, mut somebody_waits) = (std::mem::take(&mut self.again), 0, false);
        let mut until = Instant::now() + wait;
        while batch.len() < BATCH_REQUESTS && bytes < BATCH_BYTES {
            let wait = if somebody_waits { Duration::ZERO } else { until.saturating_duration_since(Instant::now()) };
            match self.requests.recv_timeout(wait) {
                Ok(request) => {
                    match &request {
                        Request::Keep { value, .. } | Request::Answer { value, .. } => {
                            bytes += value.len();
                            somebody_waits = true;
                        }
                        Request::Intend { bytes: items, .. } => {
                            bytes += items;
                            somebody_waits = true;
                        }
                        Request::Ended { .. } | Request::Finish { .. } | Request::Spent { .. } => {
                            until = until.min(Instant::now() + NOTES);
                        }
                    }
                    batch.push(request);
                }
                Err(RecvTimeoutError::Disconnected) if batch.is_empty() => return None,
                Err(RecvTimeoutError::Disconnected) => {
                    self.ending = true;
                    break;
                }
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
        self.logged += bytes + batch.len() * REQUEST_BYTES;
        Some(batch)
    }

    /// Writes the batch. Returns the earlier value, if any, for each `Keep`.
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
                Request::Answer { key, value, keep, .. } => {
                    answers::keep(&transaction, *key, value, *keep, now)?;
                    self.sweep.note_answer(answers::size(value));
                }
                Request::Ended { job, state, .. } => end(&transaction, job, *state, now)?,
                Request::Intend { document, begun, items, .. } => {
                    documents::intend(&transaction, document, begun, items, now)?;
                }
                Request::Finish { document, last } => documents::finish(&transaction, document, last, now)?,
                Request::Spent { on, spent } => spending::add(&transaction, on, spent)?,
            }
        }
        if self.sweep.under_way() {
            self.sweep.step(&transaction, now)?;
            self.logged += REQUEST_BYTES;
        }
        transaction.commit()?;
        Ok(earlier)
    }

    /// Checkpoints the log into the file, as far as no reader needs it, so that the log can restart.
    fn checkpoint(&mut self) -> rusqlite::Result<()> {
        self.logged = 0;
        let pages: i64 = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))?;
        if pages > LONG_LOG {
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
        Ok(())
    }
}

/// Answers the callers that wait, with the earlier value, if any, for each `Keep`, or with the reason of a transient
/// failure. Returns the notes that were not written.
fn answer(batch: Vec<Request>, written: Result<Vec<Option<Kept>>, String>) -> Vec<Request> {
    let (mut earlier, failure) = match written {
        Ok(earlier) => (earlier.into_iter(), None),
        Err(reason) => (Vec::new().into_iter(), Some(reason)),
    };
    let mut unwritten = Vec::new();
    // The callers may have gone away.
    for request in batch {
        match (request, &failure) {
            (Request::Keep { kept, .. }, None) => drop(kept.send(Ok(earlier.next().flatten()))),
            (Request::Keep { kept, .. }, Some(reason)) => drop(kept.send(Err(reason.clone()))),
            (Request::Intend { noted, .. } | Request::Answer { noted, .. }, None) => drop(noted.send(Ok(()))),
            (Request::Intend { noted, .. } | Request::Answer { noted, .. }, Some(reason)) => {
                drop(noted.send(Err(reason.clone())));
            }
            (Request::Ended { .. } | Request::Finish { .. } | Request::Spent { .. }, None) => {}
            (note @ (Request::Ended { .. } | Request::Finish { .. } | Request::Spent { .. }), Some(_)) => {
                unwritten.push(note);
            }
        }
    }
    unwritten
}

/// Keeps a value unless one is kept already, which it then returns. One that this version cannot read is replaced.
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
            // An ended job that is replayed is unfinished again.
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

/// Records the end of a job. A job of which nothing is kept has no row, and needs none.
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
