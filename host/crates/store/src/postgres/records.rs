//! Records of jobs: loads what a batch of changes is about, locked in the order of the jobs, and writes what is different, each
//! kind with one statement for all.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use deadpool_postgres::Transaction;
use tokio_postgres::{Error, Row as Found};

use super::failure::failure;
use super::statement::{Parameters, execute, query};
use crate::health::Failure;
use crate::records::{self, Change, Done, Entry, Row, Working};
use gristmill_core::model::{JobId, JobRecord, MOST_MOMENTS};

/// The first key of the lock that a host holds while it writes keys or acts, until its transaction ends; the second is of the
/// pipeline. With it, a key is looked up and written in one step, and acts can be seen in the order of their numbers.
const LOCK: i32 = 0x4772_6a62;

const TAKE_LOCK: &str = "SELECT pg_advisory_xact_lock($1, hashtext($2))::text";

const KEYS: &str = "
    SELECT o.key, r.name, o.request FROM gristmill.once o JOIN gristmill.record r ON r.id = o.record
    WHERE o.pipeline = $1 AND o.key = ANY ($2::bytea[])";

const SETTLING: &str = "
    SELECT name FROM gristmill.record WHERE pipeline = $1 AND settles_in = $2 AND settles_at < $3";

/// Rows for jobs of which nobody has heard, so that of two hosts that note the same job one waits for the other.
const MAKE: &str = "
    INSERT INTO gristmill.record (pipeline, name, created, status, percent, is_over, value)
    SELECT $1::text, name, 0, 0, 0, false, ''
    FROM (SELECT DISTINCT name COLLATE \"C\" AS name FROM unnest($2::text[]) AS name) AS g
    WHERE NOT EXISTS (SELECT 1 FROM gristmill.record r WHERE r.pipeline = $1 AND r.name = g.name)
    ORDER BY name
    ON CONFLICT (pipeline, name) DO NOTHING";

const LOAD: &str = "
    SELECT value FROM gristmill.record WHERE pipeline = $1 AND name = ANY ($2::text[]) ORDER BY name FOR UPDATE";

const WRITE: &str = "
    INSERT INTO gristmill.record
        (pipeline, name, created, status, percent, is_over, owner, batch, settles_in, settles_at, value)
    SELECT $1::text, * FROM unnest($2::text[], $3::bigint[], $4::smallint[], $5::smallint[], $6::boolean[], $7::bytea[],
        $8::bytea[], $9::text[], $10::bytea[], $11::bytea[]) AS g (name) ORDER BY name COLLATE \"C\"
    ON CONFLICT (pipeline, name) DO UPDATE SET
        created = excluded.created, status = excluded.status, percent = excluded.percent, is_over = excluded.is_over,
        owner = excluded.owner, batch = excluded.batch, settles_in = excluded.settles_in,
        settles_at = excluded.settles_at, value = excluded.value, touched = now()
    RETURNING name, id";

const WRITE_ATTRIBUTES: &str = "
    INSERT INTO gristmill.attribute (pipeline, digest, created, name, record)
    SELECT $1::text, * FROM unnest($2::bytea[], $3::bigint[], $4::text[], $5::bigint[])
    ON CONFLICT DO NOTHING";

const WRITE_KEYS: &str = "
    INSERT INTO gristmill.once (pipeline, key, record, request)
    SELECT $1::text, * FROM unnest($2::bytea[], $3::bigint[], $4::bytea[])
    ON CONFLICT (pipeline, key) DO UPDATE SET record = excluded.record, request = excluded.request";

const WRITE_ACTS: &str = "
    INSERT INTO gristmill.act (pipeline, record, name, run)
    SELECT $1::text, * FROM unnest($2::bigint[], $3::text[], $4::bigint[])";

const FORGET_ACTS: &str = "DELETE FROM gristmill.act WHERE record = ANY ($1::bigint[])";

/// At most so many of each run.
const WRITE_MOMENTS: &str = "
    INSERT INTO gristmill.moment (record, run, number, value)
    SELECT g.record, g.run, coalesce(o.last, 0) + g.ordinal, g.value
    FROM (
        SELECT record, run, value, row_number() OVER (PARTITION BY record, run ORDER BY place) AS ordinal
        FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) WITH ORDINALITY AS u (record, run, value, place)
    ) AS g
    CROSS JOIN LATERAL (
        SELECT max(m.number) AS last FROM gristmill.moment m WHERE m.record = g.record AND m.run = g.run
    ) AS o
    WHERE coalesce(o.last, 0) + g.ordinal <= $4::bigint";

const WRITE_DELIVERIES: &str = "
    INSERT INTO gristmill.delivery (pipeline, record, run, url, due)
    SELECT $1::text, * FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::bigint[])
    ON CONFLICT (record, run) DO NOTHING";

/// Makes the changes, in order.
pub(super) async fn change<'a>(
    transaction: &Transaction<'_>,
    pipeline: &str,
    changes: impl Iterator<Item = &'a Change>,
) -> Result<Vec<Done>, Failure> {
    let changes: Vec<&Change> = changes.collect();
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let mut working = load(transaction, pipeline, &changes).await?;
    let done = changes.into_iter().map(|change| working.apply(change)).collect();
    write(transaction, pipeline, &working).await.map_err(|error| failure(&error))?;
    Ok(done)
}

async fn load(transaction: &Transaction<'_>, pipeline: &str, changes: &[&Change]) -> Result<Working, Failure> {
    let failed = |error: Error| failure(&error);
    let mut working = Working::default();
    let mut jobs: BTreeSet<String> = BTreeSet::new();
    let mut noted: Vec<&str> = Vec::new();
    let mut keys: Vec<[u8; 32]> = Vec::new();
    for change in changes {
        let named = change.jobs();
        if matches!(change, Change::Note(_)) {
            noted.extend(named.iter().map(|job| job.as_str()));
        }
        jobs.extend(named.into_iter().map(|job| job.as_str().to_owned()));
        keys.extend(change.keys());
        if let Change::Settled(partition, position, _) = change {
            let (partition, position) = (partition.to_string(), position.0.to_be_bytes());
            let given: Parameters<'_> = &[&pipeline, &partition, &position.as_slice()];
            let found = query(transaction, SETTLING, given).await.map_err(failed)?;
            jobs.extend(found.iter().map(|row| row.get::<_, String>(0)));
        }
    }
    if !keys.is_empty() || changes.iter().any(|change| matches!(change, Change::Ask(..))) {
        query(transaction, TAKE_LOCK, &[&LOCK, &pipeline]).await.map_err(failed)?;
    }
    if !keys.is_empty() {
        let keys: Vec<&[u8]> = keys.iter().map(<[u8; 32]>::as_slice).collect();
        for row in query(transaction, KEYS, &[&pipeline, &keys]).await.map_err(failed)? {
            if let Some((key, job, request)) = key(&row) {
                jobs.insert(job.as_str().to_owned());
                working.load_key(key, job, request);
            }
        }
    }
    if !noted.is_empty() {
        execute(transaction, MAKE, &[&pipeline, &noted]).await.map_err(failed)?;
    }
    let jobs: Vec<String> = jobs.into_iter().collect();
    for row in query(transaction, LOAD, &[&pipeline, &jobs]).await.map_err(failed)? {
        let value: Vec<u8> = row.get(0);
        // One that was made just now.
        if !value.is_empty() {
            working.load(decode(value)?);
        }
    }
    Ok(working)
}

fn key(row: &Found) -> Option<([u8; 32], JobId, [u8; 32])> {
    let bytes = |index: usize| row.get::<_, &[u8]>(index).try_into().ok();
    Some((bytes(0)?, JobId::read(row.get(1))?, bytes(2)?))
}

/// The record.
///
/// # Errors
/// It was written by a newer version.
pub(super) fn decode(value: Vec<u8>) -> Result<JobRecord, Failure> {
    records::decode(Bytes::from(value)).ok_or_else(|| Failure::Broken(records::unreadable("in its tables")))
}

async fn write(transaction: &Transaction<'_>, pipeline: &str, working: &Working) -> Result<(), Error> {
    let entries: Vec<&Entry> = working.changed().collect();
    if entries.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row> = entries.iter().map(|entry| Row::of(&entry.record)).collect();
    let ids = write_records(transaction, pipeline, &entries, &rows).await?;
    let of = |entry: &Entry| ids.get(entry.record.job.as_str()).copied().unwrap_or_default();
    write_attributes(transaction, pipeline, &entries, &rows, of).await?;

    let keys: Vec<_> = entries.iter().filter_map(|entry| entry.once.map(|once| (of(entry), once))).collect();
    if !keys.is_empty() {
        let records: Vec<i64> = keys.iter().map(|(record, _)| *record).collect();
        let names: Vec<&[u8]> = keys.iter().map(|(_, (key, _))| key.as_slice()).collect();
        let requests: Vec<&[u8]> = keys.iter().map(|(_, (_, request))| request.as_slice()).collect();
        execute(transaction, WRITE_KEYS, &[&pipeline, &names, &records, &requests]).await?;
    }
    write_acts(transaction, pipeline, &entries, of).await?;

    let moments: Vec<_> =
        entries.iter().flat_map(|entry| entry.moments.iter().map(|moment| (of(entry), moment))).collect();
    if !moments.is_empty() {
        let records: Vec<i64> = moments.iter().map(|(record, _)| *record).collect();
        let runs: Vec<i64> = moments.iter().map(|(_, moment)| moment.run.0.into()).collect();
        let values: Vec<Vec<u8>> = moments.iter().map(|(_, moment)| records::encode_moment(moment)).collect();
        let most = i64::try_from(MOST_MOMENTS).unwrap_or(i64::MAX);
        execute(transaction, WRITE_MOMENTS, &[&records, &runs, &values, &most]).await?;
    }
    let deliveries: Vec<_> =
        entries.iter().flat_map(|entry| entry.deliveries.iter().map(move |run| (*entry, *run))).collect();
    if !deliveries.is_empty() {
        let records: Vec<i64> = deliveries.iter().map(|(entry, _)| of(entry)).collect();
        let runs: Vec<i64> = deliveries.iter().map(|(_, run)| run.0.into()).collect();
        let url = |entry: &'_ Entry| plain(entry.record.webhook.as_deref().unwrap_or_default()).into_owned();
        let urls: Vec<String> = deliveries.iter().map(|(entry, _)| url(entry)).collect();
        let due: Vec<i64> = deliveries.iter().map(|(entry, _)| entry.record.updated.0).collect();
        execute(transaction, WRITE_DELIVERIES, &[&pipeline, &records, &runs, &urls, &due]).await?;
    }
    Ok(())
}

/// The numbers of the rows, by the names of their jobs.
async fn write_records(
    transaction: &Transaction<'_>,
    pipeline: &str,
    entries: &[&Entry],
    rows: &[Row],
) -> Result<BTreeMap<String, i64>, Error> {
    let records = || entries.iter().map(|entry| &entry.record);
    let names: Vec<&str> = records().map(|record| record.job.as_str()).collect();
    let created: Vec<i64> = records().map(|record| record.created.0).collect();
    let values: Vec<Vec<u8>> = records().map(records::encode).collect();
    let statuses: Vec<i16> = rows.iter().map(|row| row.status).collect();
    let percents: Vec<i16> = rows.iter().map(|row| row.percent).collect();
    let are_over: Vec<bool> = rows.iter().map(|row| row.is_over).collect();
    let owners: Vec<Option<&[u8]>> = rows.iter().map(|row| row.owner.as_ref().map(<[u8; 32]>::as_slice)).collect();
    let batches: Vec<Option<&[u8]>> = rows.iter().map(|row| row.batch.as_ref().map(<[u8; 32]>::as_slice)).collect();
    let settling = || rows.iter().map(|row| row.settling.as_ref());
    let partitions: Vec<Option<String>> =
        settling().map(|place| place.map(|(partition, _)| partition.to_string())).collect();
    let positions: Vec<Option<&[u8]>> =
        settling().map(|place| place.map(|(_, position)| position.as_slice())).collect();
    let given: Parameters<'_> = &[
        &pipeline,
        &names,
        &created,
        &statuses,
        &percents,
        &are_over,
        &owners,
        &batches,
        &partitions,
        &positions,
        &values,
    ];
    let written = query(transaction, WRITE, given).await?;
    Ok(written.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Those of new records.
async fn write_attributes(
    transaction: &Transaction<'_>,
    pipeline: &str,
    entries: &[&Entry],
    rows: &[Row],
    of: impl Fn(&Entry) -> i64,
) -> Result<(), Error> {
    let (mut digests, mut created, mut names, mut records) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (entry, row) in entries.iter().zip(rows).filter(|(entry, _)| entry.stored.is_none()) {
        for attribute in &row.attributes {
            digests.push(attribute.as_slice());
            created.push(entry.record.created.0);
            names.push(entry.record.job.as_str());
            records.push(of(entry));
        }
    }
    if records.is_empty() {
        return Ok(());
    }
    execute(transaction, WRITE_ATTRIBUTES, &[&pipeline, &digests, &created, &names, &records]).await.map(drop)
}

async fn write_acts(
    transaction: &Transaction<'_>,
    pipeline: &str,
    entries: &[&Entry],
    of: impl Fn(&Entry) -> i64,
) -> Result<(), Error> {
    let asked: Vec<_> = entries.iter().flat_map(|entry| entry.asked.iter().map(move |run| (*entry, *run))).collect();
    if !asked.is_empty() {
        let records: Vec<i64> = asked.iter().map(|(entry, _)| of(entry)).collect();
        let names: Vec<&str> = asked.iter().map(|(entry, _)| entry.record.job.as_str()).collect();
        let runs: Vec<i64> = asked.iter().map(|(_, run)| run.0.into()).collect();
        execute(transaction, WRITE_ACTS, &[&pipeline, &records, &names, &runs]).await?;
    }
    let over: Vec<i64> = entries.iter().filter(|entry| entry.forgets_acts()).map(|entry| of(entry)).collect();
    if !over.is_empty() {
        execute(transaction, FORGET_ACTS, &[&over]).await?;
    }
    Ok(())
}

/// PostgreSQL keeps every text but this character.
pub(super) fn plain(given: &str) -> Cow<'_, str> {
    if given.contains('\0') { Cow::Owned(given.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(given) }
}
