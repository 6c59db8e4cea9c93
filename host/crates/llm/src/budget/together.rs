//! Budgets as all hosts with one store count them.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gristmill_core::model::meter::{Bound, Taken, Want};
use gristmill_core::model::{Day, Usd};
use gristmill_core::ports::{Counter, Counters, StoreError};

/// How long what was spent on a day is remembered.
const KEEP_A_DAY: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// What is counted on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pot {
    Total,
    Day(Day),
    StageTotal(Arc<str>),
    StageDay(Arc<str>, Day),
}

impl fmt::Display for Pot {
    /// As in the name of its counter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Total => f.write_str("total"),
            Self::Day(day) => write!(f, "day/{day}"),
            Self::StageTotal(stage) => write!(f, "stage/{stage}/total"),
            Self::StageDay(stage, day) => write!(f, "stage/{stage}/day/{day}"),
        }
    }
}

/// What this host needs of a pot beyond what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) pot: Pot,
    pub(super) limit: Usd,
    /// What is known to be spent of it.
    pub(super) spent: Usd,
    pub(super) amount: Usd,
}

/// The counters of a pipeline.
pub(super) struct Together {
    counters: Arc<dyn Counters>,
    pipeline: Arc<str>,
    /// Those that know what was spent before this process. Locked because many calls look; never held across a wait.
    told: Mutex<HashSet<String>>,
}

impl Together {
    pub(super) fn new(counters: Arc<dyn Counters>, pipeline: &str) -> Self {
        Self { counters, pipeline: pipeline.into(), told: Mutex::default() }
    }

    /// Takes what is missing, all or nothing. A dropped call may have taken it.
    pub(super) async fn take(&self, missing: &Missing) -> Result<Taken, StoreError> {
        let counter = self.counter(&missing.pot, missing.limit);
        let is_told = |name: &str| self.told.lock().unwrap_or_else(PoisonError::into_inner).contains(name);
        if !is_told(&counter.name) {
            self.counters.raise(&counter, missing.spent.get()).await?;
            self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(counter.name.to_string());
        }
        let amount = missing.amount.get();
        self.counters.take(&counter, Want { least: amount, most: amount, within: Duration::ZERO }).await
    }

    /// Gives back what this host did not need.
    pub(super) async fn give_back(&self, pot: &Pot, amount: Usd) -> Result<(), StoreError> {
        let counter = self.counter(pot, Usd::ZERO);
        self.counters.settle(&counter, -i64::try_from(amount.get()).unwrap_or(i64::MAX)).await
    }

    /// Counts billionths of a dollar.
    fn counter(&self, pot: &Pot, limit: Usd) -> Counter {
        let keep = match pot {
            Pot::Day(_) | Pot::StageDay(..) => Some(KEEP_A_DAY),
            Pot::Total | Pot::StageTotal(_) => None,
        };
        let name = format!("budget/{}/{pot}", self.pipeline).into();
        Counter { name, bound: Bound { most: limit.get(), per_minute: 0 }, keep }
    }
}
