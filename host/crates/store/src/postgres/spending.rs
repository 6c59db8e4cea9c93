//! What was spent on models: a row for each day, stage, alias and target.

use std::borrow::Cow;
use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use tokio_postgres::{Error, Row};

use super::statement::{execute, query};
use crate::request::Request;
use gristmill_core::model::{Day, Spent, SpentOn, Usd};

pub(super) const ALL: &str = "
    SELECT day, stage, alias, target, calls, input, cached_input, output, nano_usd, unpriced FROM gristmill.spent
    WHERE pipeline = $1 ORDER BY day, stage, alias, target";

/// Sums stop at the largest number of the column.
const ADD: &str = "
    INSERT INTO gristmill.spent AS old
    SELECT $1::text, * FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
        $9::bigint[], $10::bigint[], $11::bigint[]) AS g (day, stage, alias, target) ORDER BY day, stage, alias, target
    ON CONFLICT (pipeline, day, stage, alias, target) DO UPDATE SET
        calls = least(old.calls, 9223372036854775807 - excluded.calls) + excluded.calls,
        input = least(old.input, 9223372036854775807 - excluded.input) + excluded.input,
        cached_input = least(old.cached_input, 9223372036854775807 - excluded.cached_input) + excluded.cached_input,
        output = least(old.output, 9223372036854775807 - excluded.output) + excluded.output,
        nano_usd = least(old.nano_usd, 9223372036854775807 - excluded.nano_usd) + excluded.nano_usd,
        unpriced = least(old.unpriced, 9223372036854775807 - excluded.unpriced) + excluded.unpriced";

/// A write and not a question, because it waits for a transaction of ours that the server may still be committing.
const ADDED: &str = "
    INSERT INTO gristmill.writer (id, added) VALUES ($1, 0)
    ON CONFLICT (id) DO UPDATE SET seen = now() RETURNING added";

const NOTE_ADDED: &str = "
    INSERT INTO gristmill.writer (id, added) VALUES ($1, $2)
    ON CONFLICT (id) DO UPDATE SET added = $2, seen = now()";

/// One who adds to what was spent, and never adds the same twice.
pub(super) struct Adder {
    /// Unique among all hosts and runs.
    pub(super) id: String,
    /// The number of the last note that was added. `None` while it is not known whether the last batch arrived.
    pub(super) added: Option<u64>,
}

impl Adder {
    /// Adds the notes of the batch that were not added yet. Returns the number of the last one; it counts once the
    /// transaction is committed. Last in the transaction, because all hosts change the same rows.
    pub(super) async fn write(
        &self,
        transaction: &Transaction<'_>,
        pipeline: &str,
        batch: &[Request],
    ) -> Result<u64, Error> {
        let added = match self.added {
            Some(added) => added,
            None => {
                let found = query(transaction, ADDED, &[&self.id]).await?;
                found.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs())
            }
        };
        let mut last = added;
        let mut sums: BTreeMap<&SpentOn, Spent> = BTreeMap::new();
        for request in batch {
            if let Request::Spent { on, spent, number } = request
                && *number > added
            {
                let sum = sums.entry(on).or_default();
                *sum = sum.plus(*spent);
                last = last.max(*number);
            }
        }
        if !sums.is_empty() {
            execute(transaction, NOTE_ADDED, &[&self.id, &column(last)]).await?;
            add(transaction, pipeline, &sums).await?;
        }
        Ok(last)
    }
}

async fn add(transaction: &Transaction<'_>, pipeline: &str, sums: &BTreeMap<&SpentOn, Spent>) -> Result<(), Error> {
    let days: Vec<i64> = sums.keys().map(|on| on.day.0.into()).collect();
    let stages: Vec<Cow<'_, str>> = sums.keys().map(|on| text(&on.stage)).collect();
    let aliases: Vec<Cow<'_, str>> = sums.keys().map(|on| text(&on.alias)).collect();
    let targets: Vec<Cow<'_, str>> = sums.keys().map(|on| text(&on.target)).collect();
    let mut columns: [Vec<i64>; 6] = Default::default();
    for spent in sums.values() {
        // In full, so that a new field does not compile before it has a column.
        let Spent { calls, input_tokens, cache_read_input_tokens, output_tokens, cost, unpriced } = *spent;
        let row = [calls, input_tokens, cache_read_input_tokens, output_tokens, cost.get(), unpriced];
        for (column_of, number) in columns.iter_mut().zip(row) {
            column_of.push(column(number));
        }
    }
    let [calls, input, cached, output, nano, unpriced] = &columns;
    let given: super::statement::Parameters<'_> =
        &[&pipeline, &days, &stages, &aliases, &targets, calls, input, cached, output, nano, unpriced];
    execute(transaction, ADD, given).await.map(drop)
}

/// What a provider says can be any number.
fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// PostgreSQL keeps every text but this character.
fn text(given: &str) -> Cow<'_, str> {
    if given.contains('\0') { Cow::Owned(given.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(given) }
}

/// A row of [`ALL`].
pub(super) fn row(row: &Row) -> (SpentOn, Spent) {
    let number = |index: usize| row.get::<_, i64>(index).unsigned_abs();
    let shared = |index: usize| row.get::<_, &str>(index).into();
    let day = Day(u32::try_from(row.get::<_, i64>(0)).unwrap_or(u32::MAX));
    let on = SpentOn { day, stage: shared(1), alias: shared(2), target: shared(3) };
    let spent = Spent {
        calls: number(4),
        input_tokens: number(5),
        cache_read_input_tokens: number(6),
        output_tokens: number(7),
        cost: Usd::nano(number(8)),
        unpriced: number(9),
    };
    (on, spent)
}
