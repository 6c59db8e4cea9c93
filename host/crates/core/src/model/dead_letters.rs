//! Decides when there are too many dead letters for the events to be at fault.

use std::collections::VecDeque;
use std::num::NonZeroU32;

/// How many dead letters are considered normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeadLetterBounds {
    /// The largest share of the last [`WINDOW`] jobs, from 0 to 1; checked once the window is full. 1 never stops.
    pub rate: f64,
    /// This many dead-lettered jobs in a row are too many.
    pub in_a_row: NonZeroU32,
}

/// The number of jobs that the rate covers. This and the default of 1,000 in a row are what Sentry's consumers use.
const WINDOW: usize = 10_000;

impl Default for DeadLetterBounds {
    /// 1% of the window, and 1,000 in a row.
    fn default() -> Self {
        Self { rate: 0.01, in_a_row: NonZeroU32::MIN.saturating_add(999) }
    }
}

/// Watches how jobs end. Beyond its bounds the pipeline itself is at fault, for example after a bad deployment, and
/// continuing would move the whole topic to the dead letters.
#[derive(Debug)]
pub struct DeadLetterRate {
    bounds: DeadLetterBounds,
    /// The last jobs, true for a dead letter.
    last: VecDeque<bool>,
    dead: usize,
    in_a_row: u32,
}

impl DeadLetterRate {
    /// Starts with no jobs recorded.
    #[must_use]
    pub fn new(bounds: DeadLetterBounds) -> Self {
        Self { bounds, last: VecDeque::new(), dead: 0, in_a_row: 0 }
    }

    /// Records the end of a job.
    pub fn note(&mut self, dead: bool) {
        self.last.push_back(dead);
        self.dead += usize::from(dead);
        if self.last.len() > WINDOW {
            self.dead -= usize::from(self.last.pop_front() == Some(true));
        }
        self.in_a_row = if dead { self.in_a_row.saturating_add(1) } else { 0 };
    }

    /// Why the pipeline must stop; `None` if it may continue.
    #[must_use]
    pub fn too_many(&self) -> Option<String> {
        if self.in_a_row >= self.bounds.in_a_row.get() {
            return Some(format!("{} jobs in a row were dead-lettered", self.in_a_row));
        }
        #[expect(clippy::cast_precision_loss, reason = "both are below 10,001")]
        let share = self.dead as f64 / WINDOW as f64;
        (self.last.len() == WINDOW && share > self.bounds.rate)
            .then(|| format!("{} of the last {WINDOW} jobs were dead-lettered", self.dead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(dead: impl IntoIterator<Item = bool>) -> Option<usize> {
        let mut rate = DeadLetterRate::new(DeadLetterBounds::default());
        dead.into_iter().position(|dead| {
            rate.note(dead);
            rate.too_many().is_some()
        })
    }

    #[test]
    fn a_thousand_in_a_row_stop_the_pipeline() {
        assert_eq!(ends((0..5_000).map(|_| true)), Some(999));
        assert_eq!(ends((0..9_000).map(|job| job % 1_000 != 999)), None, "one good job in between restarts the count");
    }

    #[test]
    fn more_than_the_rate_of_a_full_window_stops_the_pipeline() {
        assert_eq!(ends((0..50_000).map(|job| job % 100 == 0)), None, "1% is allowed");
        assert_eq!(ends((0..50_000).map(|job| job % 99 == 0)), Some(9_999), "the first above 1% of a full window");
        assert_eq!(ends((0..9_999).map(|job| job % 2 == 0)), None, "too few jobs to judge the rate");
    }

    #[test]
    fn what_is_long_ago_does_not_count() {
        let again = (0..100).map(|_| true).chain((0..10_000).map(|_| false)).chain((0..100).map(|_| true));
        assert_eq!(ends(again), None);
    }

    #[test]
    fn a_rate_of_one_never_stops() {
        let mut rate = DeadLetterRate::new(DeadLetterBounds { rate: 1.0, in_a_row: NonZeroU32::MAX });
        (0..30_000).for_each(|_| rate.note(true));
        assert_eq!(rate.too_many(), None);
    }
}
