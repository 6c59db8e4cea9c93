//! The webhooks that are to be sent.

use rusqlite::{Connection, Row, params};

use super::records::decode;
use crate::records::{DeliveryChange, Done};
use gristmill_core::model::{JobId, JobRecord, Run, Timestamp};
use gristmill_core::ports::{Delivery, Tried};

/// Makes a change. Leases are by the clock of the store, which is `clock`.
pub(super) fn change(connection: &Connection, change: &DeliveryChange, clock: Timestamp) -> rusqlite::Result<Done> {
    match change {
        DeliveryChange::Due { now, lease, most } => {
            let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
            due(connection, *now, clock, clock.0.saturating_add(lease), *most).map(Done::Due)
        }
        DeliveryChange::Tried { job, run, tried, next } => {
            let Tried { at, status, error } = tried;
            connection
                .prepare_cached(
                    "UPDATE delivery SET tries = tries + 1, tried = ?3, status = ?4, error = ?5, due = ?6, leased = NULL
                     WHERE record = (SELECT id FROM record WHERE name = ?1) AND run = ?2",
                )?
                .execute(params![job.as_str(), run.0, at.0, status, error, next.map(|next| next.0)])?;
            Ok(Done::Made)
        }
        DeliveryChange::Again { job, now } => {
            let changed = connection
                .prepare_cached(
                    "UPDATE delivery SET due = ?2, leased = NULL
                     WHERE record = (SELECT id FROM record WHERE name = ?1)
                         AND run = (SELECT max(d.run) FROM delivery d WHERE d.record = delivery.record)",
                )?
                .execute(params![job.as_str(), now.0])?;
            Ok(Done::Again(changed > 0))
        }
    }
}

fn due(
    connection: &Connection,
    now: Timestamp,
    clock: Timestamp,
    until: i64,
    most: u32,
) -> rusqlite::Result<Vec<(Delivery, JobRecord)>> {
    let mut statement = connection.prepare_cached(
        "SELECT d.run, d.url, d.tries, d.tried, d.status, d.error, d.due, d.record, r.value
         FROM delivery d JOIN record r ON r.id = d.record
         WHERE d.due <= ?1 AND (d.leased IS NULL OR d.leased <= ?2) ORDER BY d.due LIMIT ?3",
    )?;
    let rows = statement.query_map(params![now.0, clock.0, most], |row| {
        let record = decode(row.get(8)?, 8)?;
        Ok((row.get::<_, i64>(7)?, delivery(row, &record.job)?, record))
    })?;
    let found: Vec<(i64, Delivery, JobRecord)> = rows.collect::<rusqlite::Result<_>>()?;
    let mut lease = connection.prepare_cached("UPDATE delivery SET leased = ?3 WHERE record = ?1 AND run = ?2")?;
    let mut taken = Vec::new();
    for (id, delivery, record) in found {
        lease.execute(params![id, delivery.run.0, until])?;
        taken.push((delivery, record));
    }
    Ok(taken)
}

/// Those of a job.
pub(super) fn of(connection: &Connection, job: &JobId) -> rusqlite::Result<Vec<Delivery>> {
    let mut statement = connection.prepare_cached(
        "SELECT d.run, d.url, d.tries, d.tried, d.status, d.error, d.due
         FROM delivery d JOIN record r ON r.id = d.record WHERE r.name = ?1 ORDER BY d.run",
    )?;
    statement.query_map([job.as_str()], |row| delivery(row, job))?.collect()
}

fn delivery(row: &Row<'_>, job: &JobId) -> rusqlite::Result<Delivery> {
    let tried: Option<i64> = row.get(3)?;
    let (status, error) = (row.get(4)?, row.get(5)?);
    Ok(Delivery {
        job: job.clone(),
        run: Run(row.get(0)?),
        url: row.get(1)?,
        tries: row.get(2)?,
        last: tried.map(|at| Tried { at: Timestamp(at), status, error }),
        due: row.get::<_, Option<i64>>(6)?.map(Timestamp),
    })
}
