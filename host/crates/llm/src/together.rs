//! The limits of an endpoint as all hosts with one store count them.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use gristmill_core::model::Day;
use gristmill_core::model::meter::Taken;
use gristmill_core::ports::{Counter, Counters, StoreError};
use tokio::time::timeout;

use crate::budget::Clock;
use crate::leases::Ask;

/// A store that has not answered by then is away.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// The counters of one endpoint.
#[derive(Clone)]
pub(crate) struct Together {
    counters: Arc<dyn Counters>,
    clock: Clock,
    /// What the names of its counters begin with.
    name: Arc<str>,
}

impl Together {
    pub(crate) fn new(counters: Arc<dyn Counters>, clock: Clock, name: Arc<str>) -> Self {
        Self { counters, clock, name }
    }

    /// The day that limits of a day count for now, and how long it lasts.
    pub(crate) fn today(&self) -> (Day, Duration) {
        let now = (self.clock)();
        (Day::of(now), Day::LENGTH.saturating_sub(Day::passed(now)))
    }

    /// Takes a slice. `None` if the store does not answer; it may have given it all the same.
    pub(crate) async fn take(&self, ask: &Ask) -> Option<Taken> {
        let mut name = format!("{}/{}", self.name, ask.dimension.key());
        if let Some(day) = ask.day {
            let _ = write!(name, "/{day}");
        }
        let counter = Counter { name: name.into(), bound: ask.bound, keep: Some(ask.keep) };
        let asked = async {
            if ask.unused > 0 {
                self.counters.settle(&counter, -ask.unused).await?;
            }
            if let Some(used) = ask.used {
                self.counters.raise(&counter, used).await?;
            }
            let taken = self.counters.take(&counter, ask.want).await?;
            if ask.beyond > 0 && matches!(taken, Taken::Granted { .. }) {
                self.counters.settle(&counter, ask.beyond).await?;
            }
            Ok::<_, StoreError>(taken)
        };
        match timeout(ANSWERS_WITHIN, asked).await {
            Ok(Ok(taken)) => Some(taken),
            Ok(Err(error)) => {
                tracing::debug!(counter = &*counter.name, %error, "a counter of all hosts cannot be asked");
                None
            }
            Err(_) => None,
        }
    }
}
