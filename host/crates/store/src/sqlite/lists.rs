//! Records of jobs, found and listed.

use bytes::Bytes;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::records::{decode, find as find_record};
use crate::records;
use gristmill_core::model::{Cursor, JobFilter, JobId, JobQuery, JobRecord, Moment, Run, Summary};
use gristmill_core::ports::{ActNumber, AskedToCancel, Wanted};

/// The largest answer to [`Acts::asked`](gristmill_core::ports::Acts::asked).
const MOST_ACTS: i64 = 1_000;

/// The record of a job, and its history if that is wanted. A moment that cannot be read is left out.
pub(super) fn find(
    connection: &Connection,
    job: &JobId,
    wanted: Wanted,
) -> rusqlite::Result<Option<(JobRecord, Vec<Moment>)>> {
    let Some((id, record)) = find_record(connection, job.as_str())? else { return Ok(None) };
    if wanted == Wanted::Record {
        return Ok(Some((record, Vec::new())));
    }
    let mut statement = connection.prepare_cached("SELECT value FROM moment WHERE record = ?1 ORDER BY run, number")?;
    let values = statement.query_map([id], |row| row.get::<_, Vec<u8>>(0))?;
    let values: Vec<Vec<u8>> = values.collect::<rusqlite::Result<_>>()?;
    let moments = values.into_iter().filter_map(|value| records::decode_moment(Bytes::from(value)));
    Ok(Some((record, moments.collect())))
}

/// A part of the list.
pub(super) fn list(connection: &Connection, query: &JobQuery) -> rusqlite::Result<Vec<JobRecord>> {
    let JobQuery { filter, after, most } = query;
    let mut sought = Sought::of(filter);
    let order = sought.order;
    if let Some(Cursor { created, job }) = after {
        let (created, name) = (sought.given(created.0), sought.given(job.as_str().to_owned()));
        sought.conditions.push(format!("({order}.created, {order}.name) < ({created}, {name})"));
    }
    let most = sought.given(i64::from(*most));
    let sql = format!(
        "SELECT r.value FROM {} ORDER BY {order}.created DESC, {order}.name DESC LIMIT {most}",
        sought.source()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(sought.parameters), |row| decode(row.get(0)?, 0))?;
    rows.collect()
}

/// How many there are, and how far.
pub(super) fn summary(connection: &Connection, filter: &JobFilter) -> rusqlite::Result<Summary> {
    let sought = Sought::of(filter);
    let sql = format!("SELECT r.status, count(*), sum(r.percent) FROM {} GROUP BY r.status", sought.source());
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(sought.parameters))?;
    let mut summary = Summary::default();
    while let Some(row) = rows.next()? {
        let (count, percent): (u64, u64) = (row.get(1)?, row.get(2)?);
        if let Some(status) = records::status(row.get(0)?) {
            summary.by_status[status as usize] += count;
        }
        summary.percent += percent;
    }
    Ok(summary)
}

/// The cancellations after this number.
pub(super) fn asked(connection: &Connection, after: ActNumber) -> rusqlite::Result<Vec<AskedToCancel>> {
    let mut statement =
        connection.prepare_cached("SELECT number, name, run FROM act WHERE number > ?1 ORDER BY number LIMIT ?2")?;
    let after = i64::try_from(after.0).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![after, MOST_ACTS], |row| {
        Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?, row.get::<_, u32>(2)?))
    })?;
    let mut asked = Vec::new();
    for row in rows {
        let (number, job, run) = row?;
        if let Some(job) = JobId::read(&job) {
            asked.push(AskedToCancel { number: ActNumber(number), job, run: Run(run) });
        }
    }
    Ok(asked)
}

/// A filter as SQL.
struct Sought {
    from: &'static str,
    /// The table whose index has the order of the list.
    order: &'static str,
    conditions: Vec<String>,
    parameters: Vec<Value>,
}

impl Sought {
    fn of(filter: &JobFilter) -> Self {
        let JobFilter { statuses, owner, batch, attributes } = filter;
        let mut sought = match attributes.is_empty() {
            true => Self { from: "record r", order: "r", conditions: Vec::new(), parameters: Vec::new() },
            false => Self {
                from: "attribute a JOIN record r ON r.id = a.record",
                order: "a",
                conditions: Vec::new(),
                parameters: Vec::new(),
            },
        };
        for (number, attribute) in attributes.iter().enumerate() {
            let digest = sought.given(records::attribute(attribute).to_vec());
            sought.conditions.push(match number {
                0 => format!("a.digest = {digest}"),
                _ => format!(
                    "EXISTS (SELECT 1 FROM attribute b WHERE b.digest = {digest} AND b.created = r.created AND
                     b.name = r.name)"
                ),
            });
        }
        for (column, digest) in
            [("owner", owner.as_ref().map(records::owner)), ("batch", batch.as_ref().map(records::batch))]
        {
            if let Some(digest) = digest {
                let digest = sought.given(digest.to_vec());
                sought.conditions.push(format!("r.{column} = {digest}"));
            }
        }
        if !statuses.is_empty() {
            let numbers: Vec<String> = statuses.iter().map(|status| records::number(*status).to_string()).collect();
            sought.conditions.push(format!("r.status IN ({})", numbers.join(", ")));
        }
        sought
    }

    /// The name of a parameter with this value.
    fn given(&mut self, value: impl Into<Value>) -> String {
        self.parameters.push(value.into());
        format!("?{}", self.parameters.len())
    }

    fn source(&self) -> String {
        match self.conditions.as_slice() {
            [] => self.from.to_owned(),
            conditions => format!("{} WHERE {}", self.from, conditions.join(" AND ")),
        }
    }
}
