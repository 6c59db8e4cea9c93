//! The tables of what stages keep between items: a row for each entry, and one with the sums of each stage.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use gristmill_core::model::{Entry, Space, StateWrite, Wrote};

/// The entry of a stage under a key.
pub(super) fn find(connection: &Connection, stage: &str, key: &str) -> rusqlite::Result<Option<Entry>> {
    connection
        .prepare_cached("SELECT version, value FROM state WHERE stage = ?1 AND key = ?2")?
        .query_row([stage, key], |row| {
            Ok(Entry { version: row.get::<_, i64>(0)?.unsigned_abs(), value: Bytes::from(row.get::<_, Vec<u8>>(1)?) })
        })
        .optional()
}

/// Changes an entry, if what is there is expected and there is room.
pub(super) fn write(connection: &Connection, stage: &str, write: &StateWrite) -> rusqlite::Result<Wrote> {
    let before = find(connection, stage, &write.key)?;
    if !write.expected.is_met_by(before.as_ref().map(|entry| entry.version)) {
        return Ok(Wrote::Conflict(before));
    }
    let Some(space) = space(connection, stage)?.after(write, before.map(|entry| entry.value.len())) else {
        return Ok(Wrote::Full);
    };
    let Space { keys, bytes, version } = space;
    match &write.value {
        Some(value) => connection
            .prepare_cached(
                "INSERT INTO state VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (stage, key) DO UPDATE SET version = ?3, value = ?4",
            )?
            .execute(params![stage, write.key, column(version), &value[..]])?,
        None => connection
            .prepare_cached("DELETE FROM state WHERE stage = ?1 AND key = ?2")?
            .execute([stage, &write.key])?,
    };
    connection
        .prepare_cached(
            "INSERT INTO state_space VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (stage) DO UPDATE SET keys = ?2, bytes = ?3, version = ?4",
        )?
        .execute(params![stage, column(keys), column(bytes), column(version)])?;
    Ok(Wrote::Done(version))
}

fn space(connection: &Connection, stage: &str) -> rusqlite::Result<Space> {
    let space = connection
        .prepare_cached("SELECT keys, bytes, version FROM state_space WHERE stage = ?1")?
        .query_row([stage], |row| {
            let number = |index| row.get::<_, i64>(index).map(i64::unsigned_abs);
            Ok(Space { keys: number(0)?, bytes: number(1)?, version: number(2)? })
        })
        .optional()?;
    Ok(space.unwrap_or_default())
}

fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
