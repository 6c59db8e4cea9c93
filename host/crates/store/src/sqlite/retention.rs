//! Deletes what is too old, in small steps within the writer's transactions.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::{answers, documents, records};
use gristmill_core::model::Timestamp;

/// Milliseconds between the starts of two sweeps.
const EVERY: i64 = 60_000;
/// Maximum rows deleted in one step.
const STEP_ROWS: usize = 256;
/// A sweep also begins when this part of the bytes that answers may take was written since the last one.
const CROWDED: i64 = 8;
/// Maximum bytes deleted in one step, exceeded by one row at most.
const STEP_BYTES: usize = 4 << 20;
/// Free pages that one step returns to the file system.
const STEP_PAGES: u32 = 256;
/// Pages are returned only while more than this, and more than half of all, are free: a steady pipeline soon needs
/// again what it frees.
const SPARE_PAGES: u64 = 1_024;

/// Deletes jobs and their records by their age, documents that have left nothing in the sink, and answers by their age or for want of room.
pub(super) struct Sweep {
    keep_ended: i64,
    keep_unfinished: i64,
    /// How many bytes of answers may stay.
    answers: i64,
    /// How many bytes of them were written since the last sweep began.
    answered: i64,
    begun: Option<Timestamp>,
    under_way: bool,
}

impl Sweep {
    pub(super) fn new(keep_ended: Duration, keep_unfinished: Duration, answers: u64) -> Self {
        let milliseconds = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self {
            keep_ended: milliseconds(keep_ended),
            keep_unfinished: milliseconds(keep_unfinished),
            answers: i64::try_from(answers).unwrap_or(i64::MAX),
            answered: 0,
            begun: None,
            under_way: false,
        }
    }

    /// Starts a sweep if the last one started long enough ago, by the wall clock. Returns whether one is under way.
    pub(super) fn begin_when_due(&mut self, now: Timestamp) -> bool {
        // A clock that was set back must not stop the sweeps. Between two of them the answers must not grow without bound.
        let crowded = self.answered > self.answers / CROWDED;
        if crowded || self.begun.is_none_or(|begun| now.0.abs_diff(begun.0) >= EVERY.unsigned_abs()) {
            self.begun = Some(now);
            self.answered = 0;
            self.under_way = true;
        }
        self.under_way
    }

    /// Notes that an answer of this size was written.
    pub(super) fn note_answer(&mut self, bytes: usize) {
        self.answered = self.answered.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(super) fn under_way(&self) -> bool {
        self.under_way
    }

    /// Deletes some of what is too old; the sweep ends when nothing is left to do. Call it in a transaction.
    pub(super) fn step(&mut self, connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        let mut left = Left { rows: STEP_ROWS, bytes: STEP_BYTES };
        let ended = "SELECT id FROM job WHERE ended IS NOT NULL AND ended < ?1 ORDER BY ended LIMIT ?2";
        let unfinished = "SELECT id FROM job WHERE ended IS NULL AND touched < ?1 ORDER BY touched LIMIT ?2";
        for (old, keep) in [(ended, self.keep_ended), (unfinished, self.keep_unfinished)] {
            let mut statement = connection.prepare_cached(old)?;
            let jobs: Vec<i64> = statement
                .query_map(params![now.0.saturating_sub(keep), left.rows], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            for job in jobs {
                if !delete(connection, job, &mut left)? {
                    return Ok(());
                }
            }
        }
        let (over, unfinished) = (now.0.saturating_sub(self.keep_ended), now.0.saturating_sub(self.keep_unfinished));
        left.rows -= records::forget(connection, over, unfinished, left.rows)?;
        left.rows -= documents::forget(connection, unfinished, left.rows)?;
        left.rows -= answers::forget(connection, now, self.answers, left.rows)?;
        self.under_way = left.rows == 0 || shrink(connection)?;
        Ok(())
    }
}

/// What a step may still delete.
struct Left {
    rows: usize,
    bytes: usize,
}

/// Deletes a job and what is kept of it; false if that was too much for this step. A job that is partly deleted pays
/// again for that part only.
fn delete(connection: &Connection, job: i64, left: &mut Left) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT key, length(value) FROM kept WHERE job = ?1 LIMIT ?2")?;
    let kept: Vec<(Vec<u8>, usize)> = statement
        .query_map(params![job, left.rows], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (key, bytes) in kept {
        if left.rows == 0 || left.bytes == 0 {
            return Ok(false);
        }
        connection.prepare_cached("DELETE FROM kept WHERE job = ?1 AND key = ?2")?.execute(params![job, key])?;
        left.rows -= 1;
        left.bytes = left.bytes.saturating_sub(bytes);
    }
    if left.rows == 0 || left.bytes == 0 {
        return Ok(false);
    }
    connection.prepare_cached("DELETE FROM job WHERE id = ?1")?.execute([job])?;
    left.rows -= 1;
    Ok(true)
}

/// Returns some free pages to the file system if most are free; true if there may be more to return.
fn shrink(connection: &Connection) -> rusqlite::Result<bool> {
    let count = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    let (pages, free) = (count("page_count")?, count("freelist_count")?);
    if free <= SPARE_PAGES || free * 2 <= pages {
        return Ok(false);
    }
    // Each row of the result is one returned page.
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({STEP_PAGES})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(true)
}
