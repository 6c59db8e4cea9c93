//! Writes to the file: many requests in one transaction, and so one synchronisation of the disk.

use bytes::Bytes;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::checkpoint::{self, Checkpoints};
use super::failure::failure;
use super::retention::Sweep;
use super::{answers, deliveries, documents, records, spending, state};
use crate::codec;
use crate::health::Failure;
use crate::request::{self, Request, Row};
use crate::settings::Clock;
use crate::writer::{Backend, Written};
use gristmill_core::model::{JobId, Timestamp};
use gristmill_core::ports::{JobState, Kept, Key};

/// A checkpoint is asked for after about this many bytes of log.
const CHECKPOINT_BYTES: usize = 4 << 20;
/// With about this many bytes of log that nobody has begun to copy, writes wait: the log must not grow without bound.
const BEHIND_BYTES: usize = 64 << 20;
/// The bytes of log that each request is assumed to take besides its value.
const REQUEST_BYTES: usize = 8 << 10;
/// Above this many pages (128 MiB) the log is truncated as well, which waits for readers.
const LONG_LOG: i64 = 32 << 10;
/// The resolution, in milliseconds, of the time at which a job was last changed.
const TOUCH: i64 = 1_000;

/// The file as its writer sees it.
pub(super) struct File {
    /// `None` while closing. Dropped before the connection: the last one to close cleans up the file.
    pub(super) checkpoints: Option<Checkpoints>,
    pub(super) connection: Connection,
    pub(super) max_size: u64,
    pub(super) sweep: Sweep,
    pub(super) clock: Clock,
    /// Approximate bytes written to the log since a checkpoint was asked for.
    pub(super) logged: usize,
}

impl Backend for File {
    fn write(&mut self, batch: &[Request]) -> Result<Written, Failure> {
        if self.checkpoints.as_ref().is_some_and(Checkpoints::is_broken) {
            return Err(self.not_copied());
        }
        self.transact(batch).map_err(|error| self.failed(&error))
    }

    fn tidy(&mut self) -> Result<(), Failure> {
        let Some(checkpoints) = &self.checkpoints else { return Ok(()) };
        if self.logged >= CHECKPOINT_BYTES && checkpoints.ask() {
            self.logged = 0;
        } else if self.logged >= BEHIND_BYTES {
            self.logged = 0;
            checkpoints.wait_and_ask();
        }
        // The log begins anew only if a write begins with nothing left to copy: never, if others copy beside writes.
        if checkpoints.take_long() { self.checkpoint().map_err(|error| self.failed(&error)) } else { Ok(()) }
    }

    fn is_behind(&self) -> bool {
        self.sweep.under_way()
    }

    fn close(&mut self) -> Result<(), Failure> {
        if self.checkpoints.take().is_some_and(Checkpoints::end) {
            return Err(self.not_copied());
        }
        self.checkpoint().map_err(|error| self.failed(&error))
    }
}

impl File {
    fn failed(&self, error: &rusqlite::Error) -> Failure {
        let failure = failure(error, self.max_size);
        if matches!(failure, Failure::Broken(_)) {
            self.copy_no_more();
        }
        failure
    }

    /// The thread beside this one has failed, and has said why.
    fn not_copied(&self) -> Failure {
        self.copy_no_more();
        Failure::Broken("its log could not be copied into it".into())
    }

    fn copy_no_more(&self) {
        // SQLite would otherwise try another checkpoint while it closes.
        let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }

    fn transact(&mut self, batch: &[Request]) -> rusqlite::Result<Written> {
        let now = (self.clock)();
        let mut written = Written::default();
        if !self.sweep.begin_when_due(now) && batch.is_empty() {
            return Ok(written);
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for request in batch {
            self.logged += request.awaited().unwrap_or(0) + REQUEST_BYTES;
            match request {
                Request::Keep { rows, .. } => {
                    self.logged += (rows.len() - 1) * REQUEST_BYTES;
                    for Row { job, key, value } in rows {
                        written.earlier.push(keep(&transaction, job, *key, value, now)?);
                    }
                }
                Request::Answer { key, value, keep, .. } => {
                    answers::keep(&transaction, *key, value, *keep, now)?;
                    self.sweep.note_answer(answers::size(value));
                }
                Request::Ended { job, state, .. } => end(&transaction, job, *state, now)?,
                Request::Intend { document, begun, items, .. } => {
                    documents::intend(&transaction, document, begun, items, now)?;
                }
                Request::Finish { document, last } => documents::finish(&transaction, document, last, now)?,
                Request::State { stage, write, .. } => {
                    written.wrote.push(state::write(&transaction, stage, write)?);
                }
                Request::Spent { on, spent, .. } => spending::add(&transaction, on, spent)?,
                // Together, below.
                Request::Change { .. } | Request::Note { .. } | Request::Deliver { .. } => {}
            }
        }
        written.changed = records::change(&transaction, request::changes(batch), now)?;
        for change in request::deliveries(batch) {
            written.delivered.push(deliveries::change(&transaction, change, now)?);
        }
        if self.sweep.under_way() {
            self.sweep.step(&transaction, now)?;
            self.logged += REQUEST_BYTES;
        }
        transaction.commit()?;
        Ok(written)
    }

    /// Checkpoints what is left, as far as no reader needs it, so that the log can begin anew.
    fn checkpoint(&mut self) -> rusqlite::Result<()> {
        if checkpoint::pages(&self.connection)? > LONG_LOG {
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
        Ok(())
    }
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
