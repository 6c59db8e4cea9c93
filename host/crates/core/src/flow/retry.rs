//! How often an item is tried, and how long to wait in between.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::settings::{Span, span};

/// The policy of one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts in total, including the first. At most 2 after a trap.
    #[schemars(range(max = 100))]
    pub attempts: NonZeroU32,
    /// Wait after the first attempt; doubles after each further one, plus up to a quarter of jitter.
    #[serde(with = "span")]
    #[schemars(with = "Span", extend("x-min" = "0s", "x-max" = "1h"))]
    pub first_wait: Duration,
    /// Upper bound of a wait, jitter aside; a stage can ask for a longer wait. Not below `first_wait`.
    #[serde(with = "span")]
    #[schemars(with = "Span", extend("x-min" = "0s", "x-max" = "1h"))]
    pub longest_wait: Duration,
    /// No attempt begins later than this after the first. Waits for a model that is down or limited do not count, unless
    /// the limit lets other events through.
    #[serde(with = "span")]
    #[schemars(with = "Span", extend("x-min" = "0s", "x-max" = "24h"))]
    pub deadline: Duration,
}

/// A retry after a trap almost always hits the same bug, so it gets only one more chance in a fresh instance.
const ATTEMPTS_AFTER_TRAP: u32 = 2;

impl RetryPolicy {
    /// How long to wait before another attempt after the `attempt`-th (from 1) failed, with `spent` the time since the
    /// first began. `None` if it was the last one. For `asked` and `dice`, see [`Self::wait`].
    #[must_use]
    pub fn again(&self, attempt: u32, spent: Duration, asked: Option<Duration>, dice: f64) -> Option<Duration> {
        let wait = self.wait(attempt, asked, dice);
        (attempt < self.attempts.get() && self.allows(spent, wait)).then_some(wait)
    }

    /// Whether an attempt may begin after this wait, with `spent` the time since the first began.
    #[must_use]
    pub fn allows(&self, spent: Duration, wait: Duration) -> bool {
        spent.saturating_add(wait) <= self.deadline
    }

    /// The same policy for an item whose stage trapped.
    #[must_use]
    pub fn after_trap(self) -> Self {
        let fewer = self.attempts.get().min(ATTEMPTS_AFTER_TRAP);
        Self { attempts: NonZeroU32::new(fewer).unwrap_or(NonZeroU32::MIN), ..self }
    }

    /// How long to wait after the `attempt`-th attempt (from 1): the first wait, doubled after each further attempt,
    /// plus up to a quarter of it by `dice` (0 to 1) so that many items do not retry at once. Never less than the stage
    /// `asked` for.
    #[must_use]
    pub fn wait(&self, attempt: u32, asked: Option<Duration>, dice: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(20);
        let wait = self.first_wait.saturating_mul(1 << doublings).min(self.longest_wait);
        wait.max(asked.unwrap_or_default()).mul_f64(1.0 + 0.25 * dice.clamp(0.0, 1.0))
    }
}

impl Default for RetryPolicy {
    /// 3 attempts, waits of 2 s and 4 s, never above 60 s, all within 15 minutes.
    fn default() -> Self {
        Self {
            attempts: NonZeroU32::MIN.saturating_add(2),
            first_wait: Duration::from_secs(2),
            longest_wait: Duration::from_secs(60),
            deadline: Duration::from_secs(15 * 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = RetryPolicy { longest_wait: Duration::from_secs(5), ..RetryPolicy::default() };
        let waits: Vec<u64> = (1..=4).map(|attempt| policy.wait(attempt, None, 0.0).as_secs()).collect();
        assert_eq!(waits, [2, 4, 5, 5]);
    }

    #[test]
    fn a_stage_can_ask_for_longer_but_not_for_shorter() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.wait(1, Some(Duration::from_secs(30)), 0.0).as_secs(), 30);
        assert_eq!(policy.wait(1, Some(Duration::from_millis(1)), 0.0).as_secs(), 2);
    }

    #[test]
    fn jitter_only_lengthens() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.wait(1, None, 1.0), Duration::from_millis(2_500));
    }

    #[test]
    fn a_trap_gets_one_more_chance() {
        let policy = RetryPolicy::default().after_trap();
        assert!(policy.again(1, Duration::ZERO, None, 0.0).is_some());
        assert_eq!(policy.again(2, Duration::ZERO, None, 0.0), None);
    }

    #[test]
    fn no_attempt_begins_after_the_deadline() {
        let policy = RetryPolicy { deadline: Duration::from_secs(10), ..RetryPolicy::default() };
        let seconds = Duration::from_secs;
        assert_eq!(policy.again(1, seconds(8), None, 0.0), Some(seconds(2)));
        assert_eq!(policy.again(1, seconds(9), None, 0.0), None, "the next attempt would begin at 11 s");
        assert_eq!(policy.again(1, seconds(0), Some(seconds(11)), 0.0), None, "even if the stage asked for the wait");
    }
}
