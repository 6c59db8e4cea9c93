//! What documents have left in the sink: the tables of documents and of their items.

use bytes::Buf;
use rusqlite::{Connection, OptionalExtension, params};

use gristmill_core::model::{
    DocumentGeneration, DocumentId, EventId, ItemId, LastGeneration, Partition, Position, Stamp, Timestamp,
};
use gristmill_core::ports::{Placed, Remembered};

/// A generation as SQLite compares it: byte by byte.
fn blob(generation: DocumentGeneration) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&generation.milliseconds.to_be_bytes());
    bytes[8..].copy_from_slice(&generation.sequence.to_be_bytes());
    bytes
}

fn generation(mut bytes: &[u8]) -> Option<DocumentGeneration> {
    Some(DocumentGeneration {
        milliseconds: bytes.try_get_u64().ok()?,
        sequence: bytes.try_get_u128().ok().filter(|_| bytes.is_empty())?,
    })
}

fn encode(last: &LastGeneration) -> Vec<u8> {
    let LastGeneration { generation, record: Stamp { place: EventId { partition, position }, time } } = last;
    let mut bytes = blob(*generation).to_vec();
    bytes.extend(u64::from(partition.index).to_be_bytes());
    bytes.extend(position.0.to_be_bytes());
    bytes.extend(time.0.to_be_bytes());
    bytes.extend(partition.topic.as_bytes());
    bytes
}

/// `None` if another version wrote it.
fn decode(bytes: &[u8]) -> Option<LastGeneration> {
    let (first, mut rest) = bytes.split_at_checked(24)?;
    let index = u32::try_from(rest.try_get_u64().ok()?).ok()?;
    let position = Position(rest.try_get_u128().ok()?);
    let time = Timestamp(rest.try_get_i64().ok()?);
    let topic = std::str::from_utf8(rest).ok()?.into();
    let place = EventId { partition: Partition { topic, index }, position };
    Some(LastGeneration { generation: generation(first)?, record: Stamp { place, time } })
}

/// The part of an item's id after that of its document, which is the same for all of them.
fn suffix<'a>(document: &DocumentId, item: &'a ItemId) -> &'a str {
    item.as_str().strip_prefix(document.as_str()).unwrap_or(item.as_str())
}

/// What is remembered of a document.
pub(super) fn find(connection: &Connection, document: &DocumentId) -> rusqlite::Result<Remembered> {
    let found: Option<(i64, Option<Vec<u8>>)> = connection
        .prepare_cached("SELECT id, last FROM document WHERE name = ?1")?
        .query_row([document.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, last)) = found else { return Ok(Remembered::default()) };
    let mut statement = connection.prepare_cached("SELECT topic, name, generation FROM item WHERE document = ?1")?;
    let mut rows = statement.query([id])?;
    let mut placed = Vec::new();
    while let Some(row) = rows.next()? {
        let (topic, name, by) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_blob()?);
        let item = ItemId::kept(document, name);
        let by = generation(by).unwrap_or(DocumentGeneration { milliseconds: 0, sequence: 0 });
        placed.push((Placed { topic: topic.into(), item }, by));
    }
    Ok(Remembered { last: last.and_then(|last| decode(&last)), placed })
}

/// Notes that the generation is about to write these items.
pub(super) fn intend(
    connection: &Connection,
    document: &DocumentId,
    generation: DocumentGeneration,
    items: &[Placed],
    now: Timestamp,
) -> rusqlite::Result<()> {
    let id: i64 = connection
        .prepare_cached(
            "INSERT INTO document (name, touched, empty) VALUES (?1, ?2, 0)
             ON CONFLICT (name) DO UPDATE SET touched = ?2, empty = 0 RETURNING id",
        )?
        .query_row(params![document.as_str(), now.0], |row| row.get(0))?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO item (document, topic, name, generation) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (document, topic, name) DO UPDATE SET generation = max(generation, ?4)",
    )?;
    for Placed { topic, item } in items {
        insert.execute(params![id, topic, suffix(document, item), blob(generation)])?;
    }
    Ok(())
}

/// Notes that the generation is in the sink, and forgets the items that only earlier ones have written.
pub(super) fn finish(
    connection: &Connection,
    document: &DocumentId,
    last: &LastGeneration,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let id: i64 = connection
        .prepare_cached(
            "INSERT INTO document (name, touched, last, empty) VALUES (?1, ?2, ?3, 0)
             ON CONFLICT (name) DO UPDATE SET touched = ?2, last = ?3 RETURNING id",
        )?
        .query_row(params![document.as_str(), now.0, encode(last)], |row| row.get(0))?;
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
