//! Items that a dependency holds up: how long they wait, and how one that gets through wakes the others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::settings::RetryPolicy;
use super::throttle::Throttle;
use crate::model::{Failure, JobId};
use crate::ports::{Hold, PauseReason};

/// No wait is shorter, whatever a provider, a stage or the policy says. Doubles in a row, up to eight times that.
const SHORTEST: Duration = Duration::from_millis(100);
/// How much earlier than the item tries again new events are taken: what those get shows whether the dependency is the
/// cause.
const HEAD_START: Duration = Duration::from_millis(100);
/// Those who are woken by one that got through try again within this time, not all at once.
const STAGGER: Duration = Duration::from_millis(500);

/// All items of a pipeline that are held up. A watch channel: jobs write, those that wait and the main loop read.
#[derive(Clone, Default)]
pub(super) struct HeldItems(watch::Sender<State>);

#[derive(Default)]
struct State {
    stages: HashMap<Arc<str>, OfStage>,
    /// How many items of each job are held by an outage.
    by_outage: HashMap<JobId, usize>,
}

#[derive(Default)]
struct OfStage {
    items: usize,
    /// How often an item got through an outage.
    recoveries: u64,
}

impl HeldItems {
    /// How many jobs are held by an outage.
    pub(super) fn jobs(&self) -> usize {
        self.0.borrow().by_outage.len()
    }

    /// Begins to hold an item, until what is returned is dropped.
    pub(super) fn hold<'a>(&'a self, throttle: &'a Throttle, job: &'a JobId, stage: &'a Arc<str>) -> Held<'a> {
        let mut recoveries = 0;
        self.0.send_if_modified(|state| {
            let of_stage = state.stages.entry(Arc::clone(stage)).or_default();
            of_stage.items += 1;
            recoveries = of_stage.recoveries;
            false
        });
        Held { items: self, throttle, job, stage, hold: Hold::Limit, recoveries, waits: Waits::default() }
    }
}

/// One item that is held up.
pub(super) struct Held<'a> {
    items: &'a HeldItems,
    throttle: &'a Throttle,
    job: &'a JobId,
    stage: &'a Arc<str>,
    hold: Hold,
    /// The recoveries of the stage before the attempt that is waited for.
    recoveries: u64,
    waits: Waits,
}

impl Held<'_> {
    /// How long to wait now, by this policy.
    pub(super) fn next_wait(&mut self, policy: &RetryPolicy, hold: Hold, after: Option<Duration>) -> Duration {
        self.waits.next(policy, hold, after, fastrand::f64())
    }

    /// Waits, while no new jobs start. Returns how long it was.
    pub(super) async fn wait(&mut self, wait: Duration, hold: Hold, failure: Failure) -> Duration {
        let begun = Instant::now();
        self.change(hold);
        let why = PauseReason::Dependency { stage: Arc::clone(self.stage), failure };
        self.throttle.pause(wait, why, hold);
        tokio::select! {
            () = tokio::time::sleep(wait + HEAD_START) => {}
            () = self.recovery(), if hold == Hold::Outage => {
                tokio::time::sleep(STAGGER.mul_f64(fastrand::f64())).await;
            }
        }
        self.recoveries = self.items.0.borrow().recoveries(self.stage);
        begun.elapsed()
    }

    /// The item got through: if it was held by an outage, that is over for the others too.
    pub(super) fn got_through(self) {
        if self.hold == Hold::Outage {
            self.throttle.lift(self.stage);
            self.items.0.send_modify(|state| {
                if let Some(of_stage) = state.stages.get_mut(self.stage) {
                    of_stage.recoveries += 1;
                }
            });
        }
    }

    async fn recovery(&self) {
        let mut receiver = self.items.0.subscribe();
        // The sender lives as long as `self`, so the channel cannot close.
        let _ = receiver.wait_for(|state| state.recoveries(self.stage) != self.recoveries).await;
    }

    fn change(&mut self, hold: Hold) {
        let before = std::mem::replace(&mut self.hold, hold);
        if (before == Hold::Outage) != (hold == Hold::Outage) {
            self.items.0.send_if_modified(|state| {
                state.count(self.job, hold);
                false
            });
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.change(Hold::Limit);
        let mut last = false;
        self.items.0.send_if_modified(|state| {
            if let Some(of_stage) = state.stages.get_mut(self.stage) {
                of_stage.items -= 1;
                last = of_stage.items == 0;
            }
            false
        });
        if last {
            self.throttle.over(self.stage);
        }
    }
}

impl State {
    fn recoveries(&self, stage: &str) -> u64 {
        self.stages.get(stage).map_or(0, |of_stage| of_stage.recoveries)
    }

    /// An item of the job is held in this way from now on.
    fn count(&mut self, job: &JobId, hold: Hold) {
        if hold == Hold::Outage {
            *self.by_outage.entry(job.clone()).or_default() += 1;
        } else if let Some(items) = self.by_outage.get_mut(job) {
            *items -= 1;
            if *items == 0 {
                self.by_outage.remove(job);
            }
        }
    }
}

/// The waits of one item so far.
#[derive(Debug, Default)]
struct Waits {
    /// In a row without a time from the provider, for which they grow.
    grown: u32,
    /// All.
    all: u32,
}

impl Waits {
    /// An outage is waited out in waits that grow by the policy, but not shorter than asked for. A limit is asked for as
    /// long as it says, plus jitter; if it says nothing, the waits grow too.
    fn next(&mut self, policy: &RetryPolicy, hold: Hold, after: Option<Duration>, dice: f64) -> Duration {
        let shortest = SHORTEST.saturating_mul(1 << self.all.min(3));
        self.all = self.all.saturating_add(1);
        let wait = match after {
            Some(after) if hold != Hold::Outage => {
                self.grown = 0;
                after.mul_f64(1.0 + 0.25 * dice)
            }
            _ => {
                self.grown = self.grown.saturating_add(1);
                policy.wait(self.grown, after, dice)
            }
        };
        wait.max(shortest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(policy: &RetryPolicy, hold: Hold, after: &[Option<u64>]) -> Vec<u128> {
        let mut waits = Waits::default();
        let after = after.iter().map(|after| after.map(Duration::from_millis));
        after.map(|after| waits.next(policy, hold, after, 0.0).as_millis()).collect()
    }

    #[test]
    fn an_outage_is_waited_out_in_growing_waits() {
        let policy = RetryPolicy::default();
        let expected = [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
        assert_eq!(waits(&policy, Hold::Outage, &[None; 7]), expected);
        assert_eq!(waits(&policy, Hold::Outage, &[Some(0), Some(0), Some(9_000)]), [2_000, 4_000, 9_000]);
    }

    #[test]
    fn a_limit_is_waited_for_as_long_as_it_says() {
        let policy = RetryPolicy::default();
        let asked = [Some(7_000), Some(7_000), None, None, Some(1_000), None];
        assert_eq!(waits(&policy, Hold::Limit, &asked), [7_000, 7_000, 2_000, 4_000, 1_000, 2_000]);
    }

    #[test]
    fn no_wait_is_so_short_that_it_spins() {
        let hasty = RetryPolicy { first_wait: Duration::ZERO, longest_wait: Duration::ZERO, ..RetryPolicy::default() };
        for hold in [Hold::Outage, Hold::Limit, Hold::UnevenLimit] {
            for after in [None, Some(0), Some(1)] {
                assert_eq!(waits(&hasty, hold, &[after; 6]), [100, 200, 400, 800, 800, 800], "{hold:?} {after:?}");
            }
        }
    }
}
