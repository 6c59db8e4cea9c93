//! One limit: how much of it is left, and when there is enough again. Pure: time is passed in.

use std::time::Duration;

use tokio::time::Instant;

/// How much of a limit for each minute is used. The rest is the burst that may come on top, so that no 60 seconds hold more
/// than the limit, wherever the provider begins to count them.
const USED: f64 = 0.99;
/// The period of such a limit, in seconds.
const MINUTE: f64 = 60.0;
/// The period of a limit for each day.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Less is a rounding error.
const NOTHING: f64 = 1e-6;

/// A limit for each minute, used evenly.
#[derive(Debug)]
pub(crate) struct Bucket {
    limit: f64,
    /// Below zero after a call that took more than there was.
    level: f64,
    at: Instant,
}

impl Bucket {
    pub(crate) fn new(limit: f64, now: Instant) -> Self {
        let mut bucket = Self { limit, level: 0.0, at: now };
        bucket.level = bucket.burst();
        bucket
    }

    /// Changes the limit; what was taken stays taken.
    pub(crate) fn set(&mut self, limit: f64, now: Instant) {
        self.refill(now);
        self.limit = limit;
        self.level = self.level.min(self.burst());
    }

    /// How long until there is enough; zero if there is now. What needs more than the bucket holds waits until it is full,
    /// and leaves it below zero.
    pub(crate) fn wait(&mut self, need: f64, now: Instant) -> Duration {
        self.refill(now);
        if self.limit <= 0.0 {
            return Duration::MAX;
        }
        let missing = need.min(self.burst()) - self.level;
        if missing <= NOTHING {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(missing / self.per_second()).unwrap_or(Duration::MAX)
    }

    pub(crate) fn take(&mut self, amount: f64, now: Instant) {
        self.refill(now);
        self.level -= amount;
    }

    /// Gives back what was taken in excess; less than nothing takes more. May fill the bucket above what time fills it to:
    /// it was taken from that time.
    pub(crate) fn give_back(&mut self, amount: f64, now: Instant) {
        // Before it: time does not fill a bucket that is full of what is given back.
        self.refill(now);
        self.level += amount;
    }

    /// The provider says that no more than this is left.
    pub(crate) fn lower(&mut self, left: f64, now: Instant) {
        self.refill(now);
        self.level = self.level.min(left);
    }

    /// The limit, and what may be taken of it at once.
    pub(crate) fn left(&mut self, now: Instant) -> (f64, f64) {
        self.refill(now);
        (self.limit, self.level.max(0.0))
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        let burst = self.burst();
        if self.level < burst {
            self.level = (self.level + passed * self.per_second()).min(burst);
        }
    }

    fn per_second(&self) -> f64 {
        self.limit * USED / MINUTE
    }

    /// At least one request fits, however low the limit is.
    fn burst(&self) -> f64 {
        (self.limit * (1.0 - USED)).max(1.0)
    }
}

/// A limit for each day, used as fast as calls come. The day begins with its first call.
#[derive(Debug)]
pub(crate) struct Allowance {
    limit: f64,
    used: f64,
    begun: Option<Instant>,
}

impl Allowance {
    pub(crate) fn new(limit: f64) -> Self {
        Self { limit, used: 0.0, begun: None }
    }

    pub(crate) fn set(&mut self, limit: f64) {
        self.limit = limit;
    }

    /// How long until there is enough; zero if there is now. What needs more than a whole day's has a day to itself.
    pub(crate) fn wait(&mut self, need: f64, now: Instant) -> Duration {
        let left = self.ends_in(now);
        match self.used > 0.0 && self.used + need > self.limit + NOTHING || self.limit <= 0.0 {
            true => left.unwrap_or(DAY),
            false => Duration::ZERO,
        }
    }

    pub(crate) fn take(&mut self, amount: f64, now: Instant) {
        self.ends_in(now);
        self.begun.get_or_insert(now);
        self.used += amount;
    }

    pub(crate) fn give_back(&mut self, amount: f64) {
        self.used = (self.used - amount).max(0.0);
    }

    /// The provider says that no more than this is left.
    pub(crate) fn lower(&mut self, left: f64, now: Instant) {
        self.ends_in(now);
        self.begun.get_or_insert(now);
        self.used = self.used.max(self.limit - left);
    }

    /// At least so much was used before, in a day that began then.
    pub(crate) fn raise(&mut self, used: f64, begun: Instant, now: Instant) {
        self.ends_in(now);
        if used > self.used {
            self.used = used;
            self.begun = Some(self.begun.map_or(begun, |earlier| earlier.min(begun)));
        }
    }

    /// The limit, and what is left of it.
    pub(crate) fn left(&mut self, now: Instant) -> (f64, f64) {
        self.ends_in(now);
        (self.limit, (self.limit - self.used).max(0.0))
    }

    /// How long the day lasts that has begun. One that is over is forgotten.
    fn ends_in(&mut self, now: Instant) -> Option<Duration> {
        let left = DAY.saturating_sub(now.saturating_duration_since(self.begun?));
        if left.is_zero() {
            (self.begun, self.used) = (None, 0.0);
            return None;
        }
        Some(left)
    }
}

#[cfg(test)]
mod tests;
