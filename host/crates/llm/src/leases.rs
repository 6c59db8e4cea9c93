//! What this host has taken of the limits that hosts count together, and uses without asking for each call. Pure: time is
//! passed in.
//!
//! A slice of a limit is taken ahead, as large as this host uses up, and what it has not used soon is given back. So a limit
//! is kept exactly, whichever hosts ask how much, and a busy host asks the store some times a second and not for each call.

use std::time::Duration;

use gristmill_core::model::Day;
use gristmill_core::model::meter::{Bound, Want, whole};
use tokio::time::Instant;

use crate::load::Load;
use crate::rates::Dimension;
use crate::settings::{LimitSettings, Sharing};

/// How much of a limit for each minute is used, evenly.
const USED: f64 = 0.985;
/// How much of it may come on top at a time.
const BURST: f64 = 0.005;
/// How long a slice may be used after it was taken. In a minute and this time no more than the limit is used:
/// (60.5 / 60) × `USED` + `BURST` is less than 1.
const GOOD_FOR: Duration = Duration::from_millis(500);
/// The same where a limit is that of a day, which nothing uses evenly.
const GOOD_FOR_A_DAY: Duration = Duration::from_secs(5);
/// At least what a limit gives in this time is taken, in seconds: a round trip takes less.
const LEAST: f64 = 0.02;
/// At most this part of a day's limit is taken ahead.
const PART_OF_A_DAY: f64 = 1.0 / 256.0;
/// Counters count thousandths of requests and tokens.
const PARTS: f64 = 1_000.0;
/// Less of a part is a rounding error.
const ROUNDING: f64 = 1e-3;
/// A counter that nobody has used for so long is at zero by itself.
const KEEP: Duration = Duration::from_secs(5 * 60);
const KEEP_A_DAY: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// What is left of each slice.
#[derive(Debug, Default)]
pub(crate) struct Leases(Vec<Lease>);

#[derive(Debug)]
struct Lease {
    dimension: Dimension,
    limit: f64,
    /// The day that the slice is of, for a limit of a day.
    day: Day,
    /// Below zero after calls that took more than was expected.
    left: f64,
    /// What was left when it was over, and is to be given back.
    unused: f64,
    /// What the provider said is left at most, if the others do not know it yet.
    room: Option<f64>,
    from: Instant,
    until: Instant,
    /// How much was used of it.
    used: f64,
    /// How much to take next.
    size: f64,
}

/// What comes next for a call.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// There is enough of each limit.
    Fits,
    /// There is, after this time.
    Waits((Dimension, Duration)),
    /// More has to be taken of one.
    Asks(Ask),
}

/// What is asked of the store. Whatever becomes of it, it is not asked again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ask {
    pub(crate) dimension: Dimension,
    /// The day of a limit of a day.
    pub(crate) day: Option<Day>,
    pub(crate) bound: Bound,
    pub(crate) keep: Duration,
    /// To be given back first.
    pub(crate) unused: i64,
    /// So much is used at least, as the provider says.
    pub(crate) used: Option<u64>,
    pub(crate) want: Want,
    /// To be taken besides once that is granted, however little is free: of a request that is larger than what may be used
    /// at a time.
    pub(crate) beyond: i64,
}

fn parts(amount: f64) -> u64 {
    whole(amount * PARTS - ROUNDING)
}

fn signed(amount: f64) -> i64 {
    i64::try_from(parts(amount)).unwrap_or(i64::MAX)
}

impl Lease {
    fn new(dimension: Dimension, limit: f64, now: Instant) -> Self {
        let (left, unused, used, size) = (0.0, 0.0, 0.0, 0.0);
        Self { dimension, limit, day: Day::default(), left, unused, room: None, from: now, until: now, used, size }
    }

    /// The most that may be used at a time. At least one request, however low the limit is.
    fn most(&self) -> f64 {
        if self.dimension.is_of_a_day() { self.limit } else { (self.limit * BURST).max(1.0) }
    }

    fn per_minute(&self) -> f64 {
        if self.dimension.is_of_a_day() { 0.0 } else { self.limit * USED }
    }

    fn good_for(&self) -> Duration {
        if self.dimension.is_of_a_day() { GOOD_FOR_A_DAY } else { GOOD_FOR }
    }

    /// What a call needs of it. One that needs more than a day's limit may have all of a day.
    fn need(&self, load: Load) -> f64 {
        let need = self.dimension.of(load);
        if self.dimension.is_of_a_day() { need.min(self.limit) } else { need }
    }

    fn is_enough(&self, need: f64) -> bool {
        self.left + 1.0 / PARTS >= need
    }

    /// Ends a slice whose time, or whose day, is over.
    fn end(&mut self, today: Day, now: Instant) {
        if self.dimension.is_of_a_day() && self.day != today {
            (self.day, self.left, self.unused, self.room) = (today, 0.0, 0.0, None);
        }
        if now >= self.until && self.left > 0.0 {
            (self.unused, self.left) = (self.unused + self.left, 0.0);
        }
    }

    fn ask(&mut self, need: f64, within: Duration, now: Instant) -> Ask {
        // One that was used up before its time was too small, and one that was not was too large.
        self.size = if now < self.until { self.size.max(self.used).max(need) * 2.0 } else { self.used };
        let (most, a_day) = (self.most(), self.dimension.is_of_a_day());
        let missing = need - self.left;
        let at_once = if a_day { 0.0 } else { self.per_minute() * LEAST / 60.0 };
        let least = missing.min(most).max(at_once);
        let largest = if a_day { self.limit * PART_OF_A_DAY } else { most };
        let size = self.size.min(largest).max(least);
        let used = self.room.take().map(|room| parts(most - room)).filter(|used| *used > 0);
        let unused = std::mem::take(&mut self.unused);
        Ask {
            dimension: self.dimension,
            day: a_day.then_some(self.day),
            bound: Bound { most: parts(most), per_minute: parts(self.per_minute()) },
            keep: if a_day { KEEP_A_DAY } else { KEEP },
            unused: signed(unused),
            used,
            want: Want { least: parts(least), most: parts(size), within },
            beyond: signed(missing - least),
        }
    }
}

impl Leases {
    /// The limits of these targets that are those of all hosts: of several for one thing, the lowest. What was taken of one
    /// stays taken.
    pub(crate) fn set<'l>(&mut self, limits: impl Iterator<Item = &'l LimitSettings> + Clone, now: Instant) {
        for dimension in Dimension::ALL {
            let shared = limits.clone().filter(|limits| limits.share == Sharing::Group);
            let limit = shared.filter_map(|limits| dimension.set_by(limits)).reduce(f64::min);
            match (limit, self.0.iter_mut().find(|lease| lease.dimension == dimension)) {
                (Some(limit), Some(lease)) => lease.limit = limit,
                (Some(limit), None) => self.0.push(Lease::new(dimension, limit, now)),
                (None, _) => self.0.retain(|lease| lease.dimension != dimension),
            }
        }
    }

    /// What comes next for a call that takes this and may wait for so long.
    pub(crate) fn next(&mut self, load: Load, within: Duration, today: Day, now: Instant) -> Next {
        let mut waits: Option<(Dimension, Duration)> = None;
        for lease in &mut self.0 {
            lease.end(today, now);
            let need = lease.need(load);
            if !lease.is_enough(need) {
                return Next::Asks(lease.ask(need, within, now));
            }
            let wait = lease.from.saturating_duration_since(now);
            if waits.is_none_or(|(_, longest)| wait > longest) {
                waits = Some((lease.dimension, wait));
            }
        }
        waits.filter(|(_, wait)| !wait.is_zero()).map_or(Next::Fits, Next::Waits)
    }

    /// So many parts were granted, to be used after this time.
    pub(crate) fn granted(&mut self, ask: &Ask, amount: u64, after: Duration, now: Instant) {
        let lease = self.0.iter_mut().find(|lease| lease.dimension == ask.dimension);
        let Some(lease) = lease.filter(|lease| ask.day.is_none_or(|day| day == lease.day)) else { return };
        lease.left += (amount as f64 + ask.beyond as f64) / PARTS;
        lease.from = lease.from.max(now + after);
        lease.until = now + after + lease.good_for();
        lease.used = 0.0;
    }

    pub(crate) fn take(&mut self, load: Load) {
        for lease in &mut self.0 {
            let need = lease.need(load);
            lease.left -= need;
            lease.used += need;
        }
    }

    /// A call took `used` for which `taken` was taken.
    pub(crate) fn settle(&mut self, taken: Load, used: Load) {
        for lease in &mut self.0 {
            let excess = lease.need(taken) - lease.dimension.of(used);
            lease.left += excess;
            lease.used -= excess;
        }
    }

    /// No more than this is left, as the provider says.
    pub(crate) fn lower(&mut self, room: &[(Dimension, u64)]) {
        for lease in &mut self.0 {
            for (_, left) in room.iter().filter(|(said, _)| *said == lease.dimension) {
                let left = *left as f64;
                if left < lease.most() {
                    lease.room = Some(left);
                    lease.left = lease.left.min(left);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
