//! What models answered, for jobs that ask the same.

use std::collections::BTreeMap;
use std::time::Duration;

use deadpool_postgres::Transaction;
use tokio_postgres::Error;

use super::statement::{execute, query};
use crate::request::Request;

/// The approximate size of a row besides its value, in bytes.
const ROW_BYTES: usize = 128;
/// Longer than anybody keeps an answer, and still a date.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

pub(super) const FIND: &str =
    "SELECT value FROM gristmill.answer WHERE pipeline = $1 AND key = $2 AND expires > clock_timestamp()";

const KEEP: &str = "
    INSERT INTO gristmill.answer (pipeline, key, value, bytes, expires)
    SELECT $1::text, key, value, bytes, now() + make_interval(secs => seconds)
    FROM unnest($2::bytea[], $3::bytea[], $4::bigint[], $5::double precision[]) AS g (key, value, bytes, seconds)
    ORDER BY key
    ON CONFLICT (pipeline, key) DO UPDATE SET value = excluded.value, bytes = excluded.bytes, expires = excluded.expires";

const FORGET_OLD: &str = "
    DELETE FROM gristmill.answer WHERE (pipeline, key) IN (
        SELECT pipeline, key FROM gristmill.answer WHERE pipeline = $1 AND expires <= now()
        ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED)";

const BYTES: &str = "SELECT coalesce(sum(bytes), 0)::bigint FROM gristmill.answer WHERE pipeline = $1";

/// Deletes those that soon are too old until so many bytes are gone.
const MAKE_ROOM: &str = "
    DELETE FROM gristmill.answer WHERE (pipeline, key) IN (
        SELECT pipeline, key FROM (
            SELECT pipeline, key, sum(bytes) OVER (ORDER BY expires, key) - bytes AS before
            FROM gristmill.answer WHERE pipeline = $1 ORDER BY expires, key LIMIT $2
        ) AS oldest WHERE before < $3::bigint)";

/// Keeps the answers of the batch, each in place of an earlier one. Returns how many bytes that were.
pub(super) async fn write(transaction: &Transaction<'_>, pipeline: &str, batch: &[Request]) -> Result<i64, Error> {
    let mut last = BTreeMap::new();
    for request in batch {
        if let Request::Answer { key, value, keep, .. } = request {
            last.insert(&key.0, (value.as_slice(), keep));
        }
    }
    if last.is_empty() {
        return Ok(0);
    }
    let keys: Vec<&[u8]> = last.keys().map(|key| key.as_slice()).collect();
    let values: Vec<&[u8]> = last.values().map(|(value, _)| *value).collect();
    let bytes: Vec<i64> = values.iter().map(|value| size(value)).collect();
    let seconds: Vec<f64> = last.values().map(|(_, keep)| (**keep).min(LONGEST).as_secs_f64()).collect();
    execute(transaction, KEEP, &[&pipeline, &keys, &values, &bytes, &seconds]).await?;
    Ok(bytes.iter().sum())
}

fn size(value: &[u8]) -> i64 {
    i64::try_from(value.len().saturating_add(ROW_BYTES)).unwrap_or(i64::MAX)
}

/// Deletes at most `rows` answers: those that are too old, and, while all together are larger than `most` bytes, those
/// that soon will be. Returns how many.
pub(super) async fn forget(transaction: &Transaction<'_>, pipeline: &str, most: i64, rows: i64) -> Result<u64, Error> {
    let deleted = execute(transaction, FORGET_OLD, &[&pipeline, &rows]).await?;
    let all = query(transaction, BYTES, &[&pipeline]).await?.first().map_or(0, |row| row.get::<_, i64>(0));
    let above = all.saturating_sub(most);
    if above <= 0 {
        return Ok(deleted);
    }
    Ok(deleted + execute(transaction, MAKE_ROOM, &[&pipeline, &rows, &above]).await?)
}
