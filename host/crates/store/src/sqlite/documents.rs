//! What documents have left in the sink: the tables of documents and of their items.

use rusqlite::{Connection, OptionalExtension, params};

use crate::generation::{blob, decode, encode, suffix};
use gristmill_core::model::{DocumentId, History, ItemId, RecordGeneration, Timestamp};
use gristmill_core::ports::{Placed, Remembered};

/// What is remembered of a document.
pub(super) fn find(connection: &Connection, document: &DocumentId) -> rusqlite::Result<Remembered> {
    let decoded = |given: Option<Vec<u8>>| given.and_then(|given| decode(&given));
    let found = connection
        .prepare_cached("SELECT id, last, begun FROM document WHERE name = ?1")?
        .query_row([document.as_str()], |row| {
            let history = History { last: decoded(row.get(1)?), begun: decoded(row.get(2)?) };
            Ok((row.get::<_, i64>(0)?, history))
        })
        .optional()?;
    let Some((id, history)) = found else { return Ok(Remembered::default()) };
    let mut statement = connection.prepare_cached("SELECT topic, name FROM item WHERE document = ?1")?;
    let mut rows = statement.query([id])?;
    let mut placed = Vec::new();
    while let Some(row) = rows.next()? {
        let (topic, name) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
        placed.push(Placed { topic: topic.into(), item: ItemId::kept(document, name) });
    }
    Ok(Remembered { history, placed })
}

/// Notes that the record is about to be written, as these items. A document of which nothing is in the sink stays one
/// that can be forgotten if this adds nothing.
pub(super) fn intend(
    connection: &Connection,
    document: &DocumentId,
    begun: &RecordGeneration,
    items: &[Placed],
    now: Timestamp,
) -> rusqlite::Result<()> {
    let id: i64 = connection
        .prepare_cached(
            "INSERT INTO document (name, touched, begun, empty) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (name) DO UPDATE SET touched = ?2, empty = empty AND ?4,
                 begun = CASE WHEN substr(begun, 1, 24) > substr(?3, 1, 24) THEN begun ELSE ?3 END
             RETURNING id",
        )?
        .query_row(params![document.as_str(), now.0, encode(begun), items.is_empty()], |row| row.get(0))?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO item (document, topic, name, generation) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (document, topic, name) DO UPDATE SET generation = max(generation, ?4)",
    )?;
    for Placed { topic, item } in items {
        insert.execute(params![id, topic, suffix(document, item), blob(begun.generation)])?;
    }
    Ok(())
}

/// Notes that the record is in the sink, and forgets the items that only smaller generations have written. Nothing if a
/// greater one is there.
pub(super) fn finish(
    connection: &Connection,
    document: &DocumentId,
    last: &RecordGeneration,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let id: Option<i64> = connection
        .prepare_cached(
            "INSERT INTO document (name, touched, last, empty) VALUES (?1, ?2, ?3, 0)
             ON CONFLICT (name) DO UPDATE SET touched = ?2, last = ?3
                 WHERE last IS NULL OR substr(last, 1, 24) <= substr(?3, 1, 24)
             RETURNING id",
        )?
        .query_row(params![document.as_str(), now.0, encode(last)], |row| row.get(0))
        .optional()?;
    let Some(id) = id else { return Ok(()) };
    connection
        .prepare_cached("DELETE FROM item WHERE document = ?1 AND generation < ?2")?
        .execute(params![id, blob(last.generation)])?;
    connection
        .prepare_cached(
            "UPDATE document SET empty = NOT EXISTS (SELECT 1 FROM item WHERE document = ?1) WHERE id = ?1",
        )?
        .execute([id])?;
    Ok(())
}

/// Forgets at most `rows` documents that have left nothing in the sink and were last written before `before`. Returns
/// how many.
pub(super) fn forget(connection: &Connection, before: i64, rows: usize) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM document WHERE id IN
             (SELECT id FROM document WHERE empty AND touched < ?1 ORDER BY touched LIMIT ?2)",
        )?
        .execute(params![before, rows])
}
