//! The table of what was spent on models: a row for each day, stage, alias and target.

use std::path::Path;

use bytes::Bytes;
use rusqlite::{Connection, Row, params};

use super::file;
use crate::codec;
use gristmill_core::model::{Day, JobId, Spent, SpentOn, Usd};
use gristmill_core::ports::StoreError;

/// What the pipeline has spent by the store in this folder, the oldest day first; nothing if it has no store yet. Blocks.
/// The pipeline may run meanwhile.
///
/// # Errors
/// The store cannot be opened or read.
pub fn spending_of(folder: &Path, pipeline: &str) -> Result<Vec<(SpentOn, Spent)>, StoreError> {
    let path = file::path(folder, pipeline)?;
    let Some(connection) = file::look(&path)? else { return Ok(Vec::new()) };
    let read = is_there(&connection).and_then(|there| if there { all(&connection) } else { Ok(Vec::new()) });
    read.map_err(|error| StoreError::Broken { store: path.display().to_string(), reason: error.to_string() })
}

/// Whether the store has the table: one that an earlier version wrote last has none.
fn is_there(connection: &Connection) -> rusqlite::Result<bool> {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'spent'";
    connection.query_row(tables, [], |row| Ok(row.get::<_, i64>(0)? > 0))
}

/// Adds to a row. Sums stop at the largest number of the column.
pub(super) fn add(connection: &Connection, on: &SpentOn, spent: &Spent) -> rusqlite::Result<()> {
    let SpentOn { day, stage, alias, target } = on;
    // In full, so that a new field does not compile before it has a column.
    let Spent { calls, input_tokens, cache_read_input_tokens, output_tokens, cost, unpriced } = spent;
    connection
        .prepare_cached(
            "INSERT INTO spent VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (day, stage, alias, target) DO UPDATE SET
                 calls = min(calls, 9223372036854775807 - ?5) + ?5,
                 input = min(input, 9223372036854775807 - ?6) + ?6,
                 cached_input = min(cached_input, 9223372036854775807 - ?7) + ?7,
                 output = min(output, 9223372036854775807 - ?8) + ?8,
                 nano_usd = min(nano_usd, 9223372036854775807 - ?9) + ?9,
                 unpriced = min(unpriced, 9223372036854775807 - ?10) + ?10",
        )?
        .execute(params![
            day.0,
            stage,
            alias,
            target,
            column(*calls),
            column(*input_tokens),
            column(*cache_read_input_tokens),
            column(*output_tokens),
            column(cost.get()),
            column(*unpriced)
        ])?;
    Ok(())
}

/// What a provider says can be any number.
fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// All rows, the oldest day first.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<(SpentOn, Spent)>> {
    let mut statement = connection.prepare_cached(
        "SELECT day, stage, alias, target, calls, input, cached_input, output, nano_usd, unpriced FROM spent
         ORDER BY day, stage, alias, target",
    )?;
    let number = |row: &Row<'_>, index| row.get::<_, i64>(index).map(|number| number.unsigned_abs());
    let rows = statement.query_map([], |row| {
        let on = SpentOn { day: Day(row.get(0)?), stage: row.get(1)?, alias: row.get(2)?, target: row.get(3)? };
        let spent = Spent {
            calls: number(row, 4)?,
            input_tokens: number(row, 5)?,
            cache_read_input_tokens: number(row, 6)?,
            output_tokens: number(row, 7)?,
            cost: Usd::nano(number(row, 8)?),
            unpriced: number(row, 9)?,
        };
        Ok((on, spent))
    })?;
    rows.collect()
}

/// What the answers took that are kept of a job.
pub(super) fn of_job(connection: &Connection, job: &JobId) -> rusqlite::Result<Spent> {
    let mut statement =
        connection.prepare_cached("SELECT value FROM kept WHERE job = (SELECT id FROM job WHERE name = ?1)")?;
    let values: Vec<Vec<u8>> =
        statement.query_map([job.as_str()], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(codec::spent_on(values.into_iter().map(Bytes::from)))
}
