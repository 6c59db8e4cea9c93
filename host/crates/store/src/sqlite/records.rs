//! Records of jobs: loads what a batch of changes is about, and writes what is different.

use std::collections::BTreeSet;

use bytes::Bytes;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, params};

use crate::records::{self, Change, Done, Entry, Row, Working};
use gristmill_core::model::{JobId, JobRecord, MOST_MOMENTS, Partition, Position, Timestamp};

/// Makes the changes, in order.
pub(super) fn change<'a>(
    connection: &Connection,
    changes: impl Iterator<Item = &'a Change>,
    now: Timestamp,
) -> rusqlite::Result<Vec<Done>> {
    let changes: Vec<&Change> = changes.collect();
    let mut working = load(connection, &changes)?;
    let done = changes.into_iter().map(|change| working.apply(change)).collect();
    for entry in working.changed() {
        write(connection, entry, now)?;
    }
    Ok(done)
}

fn load(connection: &Connection, changes: &[&Change]) -> rusqlite::Result<Working> {
    let mut working = Working::default();
    let mut jobs: BTreeSet<String> = BTreeSet::new();
    for change in changes {
        jobs.extend(change.jobs().into_iter().map(|job| job.as_str().to_owned()));
        for key in change.keys() {
            if let Some((job, request)) = once(connection, &key)? {
                jobs.insert(job.as_str().to_owned());
                working.load_key(key, job, request);
            }
        }
        if let Change::Settled(partition, position, _) = change {
            jobs.extend(settling(connection, partition, *position)?);
        }
    }
    for job in jobs {
        if let Some((_, record)) = find(connection, &job)? {
            working.load(record);
        }
    }
    Ok(working)
}

fn once(connection: &Connection, key: &[u8; 32]) -> rusqlite::Result<Option<(JobId, [u8; 32])>> {
    let found: Option<(String, [u8; 32])> = connection
        .prepare_cached("SELECT r.name, o.request FROM once o JOIN record r ON r.id = o.record WHERE o.key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.and_then(|(job, request)| Some((JobId::read(&job)?, request))))
}

fn settling(connection: &Connection, partition: &Partition, position: Position) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached("SELECT name FROM record WHERE partition = ?1 AND position < ?2")?;
    let found = statement.query_map(params![partition.to_string(), position.0.to_be_bytes()], |row| row.get(0))?;
    found.collect()
}

/// The record of a job, and the number of its row.
pub(super) fn find(connection: &Connection, job: &str) -> rusqlite::Result<Option<(i64, JobRecord)>> {
    connection
        .prepare_cached("SELECT id, value FROM record WHERE name = ?1")?
        .query_row([job], |row| Ok((row.get(0)?, decode(row.get(1)?, 1)?)))
        .optional()
}

/// The record in this column.
pub(super) fn decode(value: Vec<u8>, column: usize) -> rusqlite::Result<JobRecord> {
    records::decode(Bytes::from(value)).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, records::unreadable("in its tables").into())
    })
}

fn write(connection: &Connection, entry: &Entry, now: Timestamp) -> rusqlite::Result<()> {
    let record = &entry.record;
    let Row { status, percent, owner, batch, attributes, settling, is_over } = Row::of(record);
    let (partition, position) = settling.map(|(partition, position)| (partition.to_string(), position)).unzip();
    let name = record.job.as_str();
    let id: i64 = connection
        .prepare_cached(
            "INSERT INTO record (name, created, status, percent, touched, over, owner, batch, partition, position, value)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT (name) DO UPDATE SET status = ?3, percent = ?4, touched = ?5, over = ?6, partition = ?9,
                 position = ?10, value = ?11
             RETURNING id",
        )?
        .query_row(
            params![
                name,
                record.created.0,
                status,
                percent,
                now.0,
                is_over,
                owner,
                batch,
                partition,
                position,
                records::encode(record)
            ],
            |row| row.get(0),
        )?;
    if entry.stored.is_none() {
        let mut insert = connection
            .prepare_cached("INSERT INTO attribute (digest, created, name, record) VALUES (?1, ?2, ?3, ?4)")?;
        for attribute in attributes {
            insert.execute(params![attribute, record.created.0, name, id])?;
        }
    }
    if let Some((key, request)) = entry.once {
        connection
            .prepare_cached("INSERT OR REPLACE INTO once (key, record, request) VALUES (?1, ?2, ?3)")?
            .execute(params![key, id, request])?;
    }
    for run in &entry.asked {
        connection
            .prepare_cached("INSERT INTO act (record, name, run) VALUES (?1, ?2, ?3)")?
            .execute(params![id, name, run.0])?;
    }
    if entry.forgets_acts() {
        connection.prepare_cached("DELETE FROM act WHERE record = ?1")?.execute([id])?;
    }
    write_moments(connection, entry, id)?;
    for run in &entry.deliveries {
        connection
            .prepare_cached(
                "INSERT INTO delivery (record, run, url, tries, due) VALUES (?1, ?2, ?3, 0, ?4)
                 ON CONFLICT (record, run) DO NOTHING",
            )?
            .execute(params![id, run.0, record.webhook, record.updated.0])?;
    }
    Ok(())
}

/// At most so many of each run.
fn write_moments(connection: &Connection, entry: &Entry, id: i64) -> rusqlite::Result<()> {
    if entry.stored.is_none() && entry.moments.iter().all(|moment| moment.run == entry.record.run) {
        // The usual end of a short job: there are none yet to be counted.
        let mut insert =
            connection.prepare_cached("INSERT INTO moment (record, run, number, value) VALUES (?1, ?2, ?3, ?4)")?;
        for (number, moment) in (1_i64..).zip(entry.moments.iter().take(MOST_MOMENTS)) {
            insert.execute(params![id, moment.run.0, number, records::encode_moment(moment)])?;
        }
        return Ok(());
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO moment (record, run, number, value)
         SELECT ?1, ?2, coalesce(max(number), 0) + 1, ?3 FROM moment WHERE record = ?1 AND run = ?2
         HAVING coalesce(max(number), 0) < ?4",
    )?;
    for moment in &entry.moments {
        insert.execute(params![id, moment.run.0, records::encode_moment(moment), MOST_MOMENTS])?;
    }
    Ok(())
}

/// What a record is stored in, besides the row of itself.
const PARTS: [&str; 5] = [
    "DELETE FROM attribute WHERE record = ?1",
    "DELETE FROM once WHERE record = ?1",
    "DELETE FROM act WHERE record = ?1",
    "DELETE FROM delivery WHERE record = ?1",
    "DELETE FROM record WHERE id = ?1",
];

/// Deletes records that were last changed before these moments, within so many rows. Returns how many rows that were.
pub(super) fn forget(
    connection: &Connection,
    over_before: i64,
    unfinished_before: i64,
    rows: usize,
) -> rusqlite::Result<usize> {
    let over = "SELECT id FROM record WHERE over AND touched < ?1 ORDER BY touched LIMIT ?2";
    let unfinished = "SELECT id FROM record WHERE NOT over AND touched < ?1 ORDER BY touched LIMIT ?2";
    let mut deleted = 0;
    for (old, before) in [(over, over_before), (unfinished, unfinished_before)] {
        let mut statement = connection.prepare_cached(old)?;
        let ids: Vec<i64> = statement
            .query_map(params![before, rows.saturating_sub(deleted)], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for id in ids {
            // A history is the largest part. A record goes once that has gone.
            let moments = "DELETE FROM moment WHERE record = ?1 AND (run, number) IN
                           (SELECT run, number FROM moment WHERE record = ?1 LIMIT ?2)";
            let left = rows.saturating_sub(deleted);
            deleted += connection.prepare_cached(moments)?.execute(params![id, left])?;
            if deleted >= rows {
                return Ok(rows);
            }
            for part in PARTS {
                connection.prepare_cached(part)?.execute([id])?;
            }
            deleted += 1;
        }
    }
    Ok(deleted.min(rows))
}
