//! The webhooks that are to be sent. Leases are by the clock of the server.

use deadpool_postgres::Transaction;
use tokio_postgres::Row;

use super::failure::failure;
use super::records::{decode, plain};
use super::statement::{Parameters, execute, query};
use crate::health::Failure;
use crate::records::{DeliveryChange, Done};
use gristmill_core::model::{JobId, JobRecord, Run, Timestamp};
use gristmill_core::ports::{Delivery, Tried};

const DUE: &str = "
    WITH taken AS (
        UPDATE gristmill.delivery d SET leased = clock_timestamp() + make_interval(secs => $3)
        FROM (
            SELECT record, run FROM gristmill.delivery
            WHERE pipeline = $1 AND due <= $2 AND (leased IS NULL OR leased < clock_timestamp())
            ORDER BY due LIMIT $4 FOR UPDATE SKIP LOCKED
        ) AS g
        WHERE d.record = g.record AND d.run = g.run
        RETURNING d.record, d.run, d.url, d.tries, d.tried, d.status, d.error, d.due
    )
    SELECT t.run, t.url, t.tries, t.tried, t.status, t.error, t.due, r.value
    FROM taken t JOIN gristmill.record r ON r.id = t.record ORDER BY t.due";

const TRIED: &str = "
    UPDATE gristmill.delivery SET tries = tries + 1, tried = $4, status = $5, error = $6, due = $7, leased = NULL
    WHERE record = (SELECT id FROM gristmill.record WHERE pipeline = $1 AND name = $2) AND run = $3";

const AGAIN: &str = "
    UPDATE gristmill.delivery d SET due = $3, leased = NULL
    WHERE record = (SELECT id FROM gristmill.record WHERE pipeline = $1 AND name = $2)
        AND run = (SELECT max(o.run) FROM gristmill.delivery o WHERE o.record = d.record)";

pub(super) const OF: &str = "
    SELECT d.run, d.url, d.tries, d.tried, d.status, d.error, d.due
    FROM gristmill.delivery d JOIN gristmill.record r ON r.id = d.record
    WHERE r.pipeline = $1 AND r.name = $2 ORDER BY d.run";

/// The longest lease: longer than anybody needs one, and still a date.
const LONGEST_SECONDS: f64 = 365.0 * 24.0 * 60.0 * 60.0;

/// Makes a change.
pub(super) async fn change(
    transaction: &Transaction<'_>,
    pipeline: &str,
    change: &DeliveryChange,
) -> Result<Done, Failure> {
    let failed = |error: tokio_postgres::Error| failure(&error);
    match change {
        DeliveryChange::Due { now, lease, most } => {
            let (seconds, most) = (lease.as_secs_f64().min(LONGEST_SECONDS), i64::from(*most));
            let rows = query(transaction, DUE, &[&pipeline, &now.0, &seconds, &most]).await.map_err(failed)?;
            rows.iter().map(taken).collect::<Result<_, _>>().map(Done::Due)
        }
        DeliveryChange::Tried { job, run, tried: Tried { at, status, error }, next } => {
            let (run, status, next) = (i64::from(run.0), status.map(i32::from), next.map(|next| next.0));
            let error = error.as_deref().map(plain);
            let given: Parameters<'_> = &[&pipeline, &job.as_str(), &run, &at.0, &status, &error, &next];
            execute(transaction, TRIED, given).await.map_err(failed)?;
            Ok(Done::Made)
        }
        DeliveryChange::Again { job, now } => {
            let changed = execute(transaction, AGAIN, &[&pipeline, &job.as_str(), &now.0]).await.map_err(failed)?;
            Ok(Done::Again(changed > 0))
        }
    }
}

fn taken(row: &Row) -> Result<(Delivery, JobRecord), Failure> {
    let record = decode(row.get(7))?;
    Ok((delivery(&record.job, row), record))
}

/// A row of [`OF`].
pub(super) fn delivery(job: &JobId, row: &Row) -> Delivery {
    let small = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    let status = row.get::<_, Option<i32>>(4).and_then(|status| u16::try_from(status).ok());
    let tried = row.get::<_, Option<i64>>(3);
    Delivery {
        job: job.clone(),
        run: Run(small(row.get(0))),
        url: row.get(1),
        tries: small(row.get(2)),
        last: tried.map(|at| Tried { at: Timestamp(at), status, error: row.get(5) }),
        due: row.get::<_, Option<i64>>(6).map(Timestamp),
    }
}
