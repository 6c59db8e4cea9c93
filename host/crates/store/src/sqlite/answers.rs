//! What models answered, for jobs that ask the same: the table of answers, which are deleted when they are too old, or to
//! make room for newer ones.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use crate::codec;
use gristmill_core::model::{ChatResponse, Timestamp};
use gristmill_core::ports::Key;

/// The approximate size of a row besides its value, in bytes.
const ROW_BYTES: usize = 128;

/// The answer kept under the key, unless it is too old or of another version.
pub(super) fn find(connection: &Connection, key: Key, now: Timestamp) -> rusqlite::Result<Option<ChatResponse>> {
    let value: Option<Vec<u8>> = connection
        .prepare_cached("SELECT value FROM answer WHERE key = ?1 AND expires > ?2")?
        .query_row(params![key.0, now.0], |row| row.get(0))
        .optional()?;
    Ok(value.and_then(|value| codec::decode_answer(Bytes::from(value))))
}

/// Keeps an encoded answer in place of an earlier one.
pub(super) fn keep(
    connection: &Connection,
    key: Key,
    value: &[u8],
    keep: Duration,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let expires = now.0.saturating_add(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
    let bytes = i64::try_from(size(value)).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "INSERT INTO answer (key, expires, bytes, value) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (key) DO UPDATE SET expires = ?2, bytes = ?3, value = ?4",
        )?
        .execute(params![key.0, expires, bytes, value])?;
    Ok(())
}

/// What an answer takes, in bytes.
pub(super) fn size(value: &[u8]) -> usize {
    value.len().saturating_add(ROW_BYTES)
}

/// Deletes at most `rows` answers: those that are too old, and, while all together are larger than `most` bytes, those that
/// soon will be. Returns how many.
pub(super) fn forget(connection: &Connection, now: Timestamp, most: i64, rows: usize) -> rusqlite::Result<usize> {
    let mut deleted = connection
        .prepare_cached(
            "DELETE FROM answer WHERE id IN (SELECT id FROM answer WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
        )?
        .execute(params![now.0, rows])?;
    let all: i64 =
        connection.prepare_cached("SELECT coalesce(sum(bytes), 0) FROM answer")?.query_row([], |row| row.get(0))?;
    let mut above = all.saturating_sub(most);
    if above <= 0 {
        return Ok(deleted);
    }
    let mut statement = connection.prepare_cached("SELECT id, bytes FROM answer ORDER BY expires LIMIT ?1")?;
    let oldest: Vec<(i64, i64)> = statement
        .query_map([rows.saturating_sub(deleted)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (id, bytes) in oldest {
        if above <= 0 {
            break;
        }
        deleted += connection.prepare_cached("DELETE FROM answer WHERE id = ?1")?.execute([id])?;
        above -= bytes;
    }
    Ok(deleted)
}
