//! The size and seed of a run, and how many tests run at a time.

use std::fmt::Display;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The exit code of a pipeline that stopped by its own policy.
pub(crate) const STOPPED_BY_POLICY: i32 = 3;

/// Most tests here depend on time, and CI has two cores.
static PLACES: Semaphore = Semaphore::const_new(2);

/// Waits for one of two places.
pub(crate) async fn place() -> SemaphorePermit<'static> {
    PLACES.acquire().await.unwrap()
}

/// Waits until no other test runs: for tests that measure.
pub(crate) async fn alone() -> SemaphorePermit<'static> {
    PLACES.acquire_many(2).await.unwrap()
}

/// `full` in a soak run, `short` otherwise.
pub(crate) fn size<T>(short: T, full: T) -> T {
    if std::env::var_os("GRISTMILL_SOAK").is_some() { full } else { short }
}

/// A number from an environment variable, if it is set.
pub(crate) fn set<T: FromStr>(variable: &str) -> Option<T> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is {value:?}; it must be a whole number")))
}

/// The random numbers and the printed figures of one test.
pub(crate) struct Run {
    name: &'static str,
    seed: u64,
}

impl Run {
    /// A run whose seed is `GRISTMILL_TEST_SEED`, or the current time.
    pub(crate) fn new(name: &'static str) -> Self {
        let now = || u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
        let run = Self { name, seed: set("GRISTMILL_TEST_SEED").unwrap_or_else(now) };
        run.say("begins", "");
        run
    }

    /// Separate random numbers for each part of the run, so that concurrent parts do not affect each other.
    pub(crate) fn dice(&self, part: u64) -> Rng {
        Rng::with_seed(self.seed.wrapping_add(part))
    }

    /// Prints one line with the seed and the load of the machine.
    pub(crate) fn say(&self, what: &str, figures: impl Display) {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load: Vec<&str> = load.split(' ').take(3).collect();
        println!("{} {what}: {figures} [seed {}, load average {}]", self.name, self.seed, load.join(" "));
    }
}

/// The median, if there are values.
pub(crate) fn median<T: Ord + Copy>(values: &[T]) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}
