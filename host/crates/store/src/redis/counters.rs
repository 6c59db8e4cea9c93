//! What hosts count together. The rule of [`Meter`](gristmill_core::model::meter::Meter), as a script: one journey for each
//! change, by the clock of the server.

use std::time::Duration;

use async_trait::async_trait;
use redis::Cmd;

use super::Redis;
use super::names;
use super::scripts::{call, milliseconds};
use gristmill_core::model::meter::{Taken, Want, whole};
use gristmill_core::ports::{Counter, Counters, StoreError};

#[async_trait]
impl Counters for Redis {
    async fn take(&self, counter: &Counter, want: Want) -> Result<Taken, StoreError> {
        let mut take = self.count(counter, "take");
        take.arg(counter.bound.most).arg(want.least).arg(want.most).arg(want.within.as_secs_f64());
        let (amount, after, used) = self.ask::<(String, String, String)>(&take).await?;
        let after = after.parse().ok().and_then(|after| Duration::try_from_secs_f64(after).ok());
        Ok(match amount.parse() {
            Ok(amount) => Taken::Granted { amount: whole(amount), after: after.unwrap_or_default() },
            Err(_) => Taken::Short { used: used.parse().map(whole).unwrap_or_default(), free_in: after },
        })
    }

    async fn settle(&self, counter: &Counter, change: i64) -> Result<(), StoreError> {
        let mut settle = self.count(counter, "settle");
        settle.arg(change);
        self.ask::<redis::Value>(&settle).await.map(drop)
    }

    async fn raise(&self, counter: &Counter, used: u64) -> Result<(), StoreError> {
        let mut raise = self.count(counter, "raise");
        raise.arg(used);
        self.ask::<redis::Value>(&raise).await.map(drop)
    }
}

impl Redis {
    fn count(&self, counter: &Counter, change: &str) -> Cmd {
        let mut count = call(&self.link.scripts().count, &[&names::counter(counter)]);
        count.arg(change).arg(counter.bound.per_minute);
        match counter.keep {
            Some(keep) => count.arg(milliseconds(keep)),
            None => count.arg(""),
        };
        count
    }
}
