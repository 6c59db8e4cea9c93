//! How much of a bounded amount is used: that of a provider's limit, or of a budget. Pure: time is passed in.

use std::time::Duration;

/// Seconds in the time that `per_minute` counts in.
const MINUTE: f64 = 60.0;
/// Less is a rounding error.
const NOTHING: f64 = 1e-6;

/// What bounds an amount, in whole numbers of whatever is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// The most that may be used at a time.
    pub most: u64,
    /// How much becomes free again in each minute, evenly. 0 for an amount that is used once and for all: that of a day, say.
    pub per_minute: u64,
}

impl Bound {
    /// How long until so much has become free. `None` if it never does.
    fn frees(self, amount: f64) -> Option<Duration> {
        if amount <= NOTHING {
            return Some(Duration::ZERO);
        }
        if self.per_minute == 0 {
            return None;
        }
        Duration::try_from_secs_f64(amount * MINUTE / self.per_minute as f64).ok()
    }
}

/// What is wanted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// Less is of no use.
    pub least: u64,
    /// More is not taken, even if it is free. At least `least`.
    pub most: u64,
    /// How long `least` may be waited for.
    pub within: Duration,
}

/// What was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// So much. It may be used after this time: until then it is not free yet, but nobody else gets it.
    Granted {
        /// From `least` to `most`.
        amount: u64,
        /// At most `within`.
        after: Duration,
    },
    /// Nothing.
    Short {
        /// How much is used, by all.
        used: u64,
        /// How long until `least` is free if nobody takes any of it. `None` if only `settle` can free it.
        free_in: Option<Duration>,
    },
}

/// An amount in whole units, rounded up; nothing for what is below zero.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what does not fit becomes the nearest that does"
)]
pub fn whole(amount: f64) -> u64 {
    amount.ceil() as u64
}

/// How much is used. The rule of every counter, wherever it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Meter {
    used: f64,
    /// When that was so, from any moment on that is always the same.
    at: Duration,
}

impl Meter {
    /// Takes what is wanted. In order: what was taken first is used first, so nobody waits for ever beside others that take
    /// less. An amount above `bound.most` is granted only where it becomes free again, and then leaves nothing for a while.
    pub fn take(&mut self, bound: Bound, want: Want, now: Duration) -> Taken {
        self.pass(bound, now);
        let free = bound.most as f64 - self.used;
        let least = want.least as f64;
        if free + NOTHING >= least {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "not below zero, nor above `most`"
            )]
            let amount = (free.max(0.0) as u64).clamp(want.least, want.most.max(want.least));
            self.used += amount as f64;
            return Taken::Granted { amount, after: Duration::ZERO };
        }
        match bound.frees(least - free) {
            Some(after) if after <= want.within => {
                self.used += least;
                Taken::Granted { amount: want.least, after }
            }
            free_in => Taken::Short { used: self.used(), free_in },
        }
    }

    /// Adds what was used beyond what was taken, or gives back what was not used, whatever the bound. Never below zero.
    pub fn settle(&mut self, bound: Bound, change: i64, now: Duration) {
        self.pass(bound, now);
        self.used = (self.used + change as f64).max(0.0);
    }

    /// At least so much is used, as somebody knows who counts too. The same word again changes nothing.
    pub fn raise(&mut self, bound: Bound, used: u64, now: Duration) {
        self.pass(bound, now);
        self.used = self.used.max(used as f64);
    }

    /// How much is used, as of the last change.
    #[must_use]
    pub fn used(&self) -> u64 {
        whole(self.used)
    }

    /// What became free meanwhile. A clock that was set back frees nothing.
    fn pass(&mut self, bound: Bound, now: Duration) {
        let seconds = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.used = (self.used - seconds * bound.per_minute as f64 / MINUTE).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A_SECOND_EACH: Bound = Bound { most: 10, per_minute: 60 };
    const ONCE: Bound = Bound { most: 10, per_minute: 0 };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn want(least: u64, most: u64, within: u64) -> Want {
        Want { least, most, within: at(within) }
    }

    fn granted(amount: u64, after: u64) -> Taken {
        Taken::Granted { amount, after: at(after) }
    }

    fn short(used: u64, free_in: Option<u64>) -> Taken {
        Taken::Short { used, free_in: free_in.map(at) }
    }

    #[test]
    fn as_much_is_taken_as_is_free_and_wanted() {
        let mut meter = Meter::default();
        assert_eq!(meter.take(ONCE, want(1, 4, 0), at(0)), granted(4, 0));
        assert_eq!(meter.take(ONCE, want(1, 9, 0), at(0)), granted(6, 0));
        assert_eq!(meter.take(ONCE, want(1, 9, 60), at(1_000)), short(10, None), "it never becomes free");
        meter.settle(ONCE, -3, at(1_000));
        assert_eq!(meter.take(ONCE, want(4, 4, 60), at(1_000)), short(7, None));
        assert_eq!(meter.take(ONCE, want(3, 4, 60), at(1_000)), granted(3, 0));
        assert_eq!(meter.take(ONCE, want(0, 0, 0), at(1_000)), granted(0, 0), "nothing always fits");
    }

    #[test]
    fn what_becomes_free_can_be_taken_ahead_in_order() {
        let mut meter = Meter::default();
        assert_eq!(meter.take(A_SECOND_EACH, want(10, 10, 0), at(100)), granted(10, 0));
        assert_eq!(meter.take(A_SECOND_EACH, want(3, 9, 2), at(100)), short(10, Some(3)));
        assert_eq!(meter.take(A_SECOND_EACH, want(3, 9, 3), at(100)), granted(3, 3), "no more than has to be");
        assert_eq!(meter.take(A_SECOND_EACH, want(1, 1, 9), at(100)), granted(1, 4), "behind the first");
        assert_eq!(meter.take(A_SECOND_EACH, want(2, 9, 0), at(110)), granted(6, 0));
    }

    #[test]
    fn more_than_the_most_is_granted_only_where_it_becomes_free_again() {
        let mut meter = Meter::default();
        assert_eq!(meter.take(A_SECOND_EACH, want(25, 25, 60), at(0)), granted(25, 15));
        assert_eq!(meter.take(A_SECOND_EACH, want(1, 1, 60), at(15)), granted(1, 1), "then nothing is left");
        assert_eq!(Meter::default().take(ONCE, want(11, 11, 60), at(0)), short(0, None));
    }

    #[test]
    fn what_others_know_counts_once() {
        let mut meter = Meter::default();
        meter.take(ONCE, want(2, 2, 0), at(0));
        for _ in 0..3 {
            meter.raise(ONCE, 7, at(0));
        }
        meter.raise(ONCE, 1, at(0));
        assert_eq!(meter.used(), 7);
        meter.settle(ONCE, 100, at(0));
        assert_eq!(
            meter.take(ONCE, want(1, 1, 0), at(0)),
            short(107, None),
            "what was used counts, whatever the bound"
        );
        meter.settle(ONCE, -1_000, at(0));
        assert_eq!(meter.used(), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_frees_nothing_twice() {
        let mut meter = Meter::default();
        meter.take(A_SECOND_EACH, want(10, 10, 0), at(100));
        assert_eq!(meter.take(A_SECOND_EACH, want(5, 5, 0), at(105)), granted(5, 0));
        assert_eq!(meter.take(A_SECOND_EACH, want(1, 1, 0), at(90)), short(10, Some(1)));
        assert_eq!(meter.take(A_SECOND_EACH, want(1, 1, 0), at(105)), short(10, Some(1)));
    }
}
