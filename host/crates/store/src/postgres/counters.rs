//! What hosts count together. The rule of [`Meter`](gristmill_core::model::meter::Meter), as functions of the database:
//! one journey for each change, by the clock of the server.

use std::time::Duration;

use async_trait::async_trait;

use super::Postgres;
use gristmill_core::model::meter::{Taken, Want, whole};
use gristmill_core::ports::{Counter, Counters, StoreError};

const TAKE: &str = "SELECT amount, after, now_used FROM gristmill.take($1, $2, $3, $4, $5, $6, $7)";
const SETTLE: &str = "SELECT gristmill.settle($1, $2, $3, $4)::text";
const RAISE: &str = "SELECT gristmill.raise($1, $2, $3, $4)::text";

#[async_trait]
impl Counters for Postgres {
    async fn take(&self, counter: &Counter, want: Want) -> Result<Taken, StoreError> {
        let Counter { name, bound, keep } = counter;
        let (most, per_minute, keep) =
            (float(bound.most), float(bound.per_minute), keep.map(|keep| keep.as_secs_f64()));
        let (least, wanted, within) = (float(want.least), float(want.most), want.within.as_secs_f64());
        let rows = self.read(TAKE, &[&name.as_ref(), &most, &per_minute, &keep, &least, &wanted, &within]).await?;
        let Some(row) = rows.first() else { return Ok(Taken::Short { used: 0, free_in: None }) };
        let after = row.get::<_, Option<f64>>(1).and_then(|after| Duration::try_from_secs_f64(after).ok());
        Ok(match row.get::<_, Option<f64>>(0) {
            Some(amount) => Taken::Granted { amount: whole(amount), after: after.unwrap_or_default() },
            None => Taken::Short { used: whole(row.get(2)), free_in: after },
        })
    }

    async fn settle(&self, counter: &Counter, change: i64) -> Result<(), StoreError> {
        let Counter { name, bound, keep } = counter;
        let (per_minute, keep) = (float(bound.per_minute), keep.map(|keep| keep.as_secs_f64()));
        self.read(SETTLE, &[&name.as_ref(), &per_minute, &keep, &(change as f64)]).await.map(drop)
    }

    async fn raise(&self, counter: &Counter, used: u64) -> Result<(), StoreError> {
        let Counter { name, bound, keep } = counter;
        let (per_minute, keep) = (float(bound.per_minute), keep.map(|keep| keep.as_secs_f64()));
        self.read(RAISE, &[&name.as_ref(), &per_minute, &keep, &float(used)]).await.map(drop)
    }
}

fn float(number: u64) -> f64 {
    number as f64
}
