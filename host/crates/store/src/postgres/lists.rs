//! Records of jobs, found and listed.

use bytes::Bytes;
use gristmill_core::model::{Cursor, JobFilter, JobId, JobQuery, Moment, Run, Summary};
use gristmill_core::ports::{ActNumber, AskedToCancel};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::records;

pub(super) const FIND: &str =
    "SELECT value, id FROM gristmill.record WHERE pipeline = $1 AND name = $2 AND value <> ''";

pub(super) const MOMENTS: &str = "SELECT value FROM gristmill.moment WHERE record = $1 ORDER BY run, number";

pub(super) const ASKED: &str =
    "SELECT number, name, run FROM gristmill.act WHERE pipeline = $1 AND number > $2 ORDER BY number LIMIT 1000";

/// A history. A moment that cannot be read is left out.
pub(super) fn moments(rows: &[Row]) -> Vec<Moment> {
    rows.iter().filter_map(|row| records::decode_moment(Bytes::from(row.get::<_, Vec<u8>>(0)))).collect()
}

/// What hosts are to hear of.
pub(super) fn asked(rows: &[Row]) -> Vec<AskedToCancel> {
    let asked = |row: &Row| {
        Some(AskedToCancel {
            number: ActNumber(row.get::<_, i64>(0).unsigned_abs()),
            job: JobId::read(row.get(1))?,
            run: Run(u32::try_from(row.get::<_, i64>(2)).ok()?),
        })
    };
    rows.iter().filter_map(asked).collect()
}

/// How many there are, and how far, by the rows of [`Sought::summary`].
pub(super) fn summary(rows: &[Row]) -> Summary {
    let mut summary = Summary::default();
    for row in rows {
        if let Some(status) = records::status(row.get::<_, i16>(0).into()) {
            summary.by_status[status as usize] += row.get::<_, i64>(1).unsigned_abs();
        }
        summary.percent += row.get::<_, i64>(2).unsigned_abs();
    }
    summary
}

/// A question with its parameters. The statements differ by the filter: each has the plan that suits it.
pub(super) struct Sought {
    from: &'static str,
    /// The table whose index has the order of the list.
    order: &'static str,
    conditions: Vec<String>,
    parameters: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Sought {
    pub(super) fn of(pipeline: &str, filter: &JobFilter) -> Self {
        let JobFilter { statuses, owner, batch, attributes } = filter;
        let (from, order) = match attributes.is_empty() {
            true => ("gristmill.record r", "r"),
            false => ("gristmill.attribute a JOIN gristmill.record r ON r.id = a.record", "a"),
        };
        let mut sought = Self { from, order, conditions: Vec::new(), parameters: Vec::new() };
        let pipeline = sought.given(pipeline.to_owned());
        sought.conditions.push(format!("{order}.pipeline = {pipeline}"));
        for (number, attribute) in attributes.iter().enumerate() {
            let digest = sought.given(records::attribute(attribute).to_vec());
            sought.conditions.push(match number {
                0 => format!("a.digest = {digest}"),
                _ => format!(
                    "EXISTS (SELECT 1 FROM gristmill.attribute b WHERE b.pipeline = {pipeline} AND b.digest = {digest}
                     AND b.created = r.created AND b.name = r.name)"
                ),
            });
        }
        let digests = [("owner", owner.as_ref().map(records::owner)), ("batch", batch.as_ref().map(records::batch))];
        for (column, digest) in digests {
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
    fn given(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.parameters.push(Box::new(value));
        format!("${}", self.parameters.len())
    }

    fn source(&self) -> String {
        format!("{} WHERE {}", self.from, self.conditions.join(" AND "))
    }

    /// The statement for a part of the list.
    pub(super) fn list(&mut self, query: &JobQuery) -> String {
        let order = self.order;
        if let Some(Cursor { created, job }) = &query.after {
            let (created, name) = (self.given(created.0), self.given(job.as_str().to_owned()));
            self.conditions.push(format!("({order}.created, {order}.name) < ({created}, {name})"));
        }
        let most = self.given(i64::from(query.most));
        format!("SELECT r.value FROM {} ORDER BY {order}.created DESC, {order}.name DESC LIMIT {most}", self.source())
    }

    /// The statement for how many there are, and how far.
    pub(super) fn summary(&self) -> String {
        format!("SELECT r.status, count(*), sum(r.percent)::bigint FROM {} GROUP BY r.status", self.source())
    }

    /// What the statement is given.
    pub(super) fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.parameters.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }
}
