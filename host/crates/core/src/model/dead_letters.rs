//! Decides when so many jobs fail that the events are unlikely to be the cause.

use std::collections::VecDeque;
use std::num::NonZeroU32;

/// How many dead letters are considered normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeadLetterBounds {
    /// The largest share of faults among the last [`WINDOW`] jobs, from 0 to 1; checked once the window is full. 1 never
    /// stops.
    pub rate: f64,
    /// This many faults in a row are too many.
    pub in_a_row: NonZeroU32,
    /// The largest share of rejections in the same window. 1 never stops.
    pub rejected: f64,
}

/// The number of jobs that the rates cover. This and the default of 1,000 in a row are what Sentry's consumers use.
const WINDOW: usize = 10_000;

impl Default for DeadLetterBounds {
    /// Faults: 1% of the window, and 1,000 in a row. Any number of rejections.
    fn default() -> Self {
        Self { rate: 0.01, in_a_row: NonZeroU32::MIN.saturating_add(999), rejected: 1.0 }
    }
}

/// How a job ended, as far as it says something about the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEnd {
    /// Emitted, dropped or deleted.
    Good,
    /// In the dead letters, because a stage rejected the data on purpose.
    Rejected,
    /// In the dead letters, because something did not work.
    Fault,
}

/// Watches how jobs end. Beyond its bounds the pipeline itself is at fault, for example after a bad deployment, and
/// continuing would move the whole topic to the dead letters.
#[derive(Debug)]
pub struct DeadLetterRate {
    bounds: DeadLetterBounds,
    /// The last jobs.
    last: VecDeque<JobEnd>,
    faults: usize,
    rejected: usize,
    in_a_row: u32,
}

impl DeadLetterRate {
    /// Starts with no jobs recorded.
    #[must_use]
    pub fn new(bounds: DeadLetterBounds) -> Self {
        Self { bounds, last: VecDeque::new(), faults: 0, rejected: 0, in_a_row: 0 }
    }

    /// Records the end of a job.
    pub fn note(&mut self, end: JobEnd) {
        self.last.push_back(end);
        self.count(end, 1);
        if self.last.len() > WINDOW
            && let Some(oldest) = self.last.pop_front()
        {
            self.count(oldest, -1);
        }
        self.in_a_row = if end == JobEnd::Fault { self.in_a_row.saturating_add(1) } else { 0 };
    }

    fn count(&mut self, end: JobEnd, change: isize) {
        let counted = match end {
            JobEnd::Good => return,
            JobEnd::Rejected => &mut self.rejected,
            JobEnd::Fault => &mut self.faults,
        };
        *counted = counted.saturating_add_signed(change);
    }

    /// Why the pipeline must stop; `None` if it may continue.
    #[must_use]
    pub fn too_many(&self) -> Option<String> {
        if self.in_a_row >= self.bounds.in_a_row.get() {
            return Some(format!("{} jobs in a row failed (limits.max_dead_letters_in_a_row)", self.in_a_row));
        }
        if self.last.len() < WINDOW {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 10,000")]
        let share = |count: usize| count as f64 / WINDOW as f64;
        if share(self.faults) > self.bounds.rate {
            return Some(format!("{} of the last {WINDOW} jobs failed (limits.max_dead_letter_rate)", self.faults));
        }
        (share(self.rejected) > self.bounds.rejected)
            .then(|| format!("{} of the last {WINDOW} jobs were rejected (limits.max_reject_rate)", self.rejected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(dead: impl IntoIterator<Item = bool>) -> Option<usize> {
        stopped(DeadLetterBounds::default(), dead, JobEnd::Fault)
    }

    /// The first job after which the pipeline stops, where `bad` are the jobs that end as told.
    fn stopped(bounds: DeadLetterBounds, bad: impl IntoIterator<Item = bool>, end: JobEnd) -> Option<usize> {
        let mut rate = DeadLetterRate::new(bounds);
        bad.into_iter().position(|bad| {
            rate.note(if bad { end } else { JobEnd::Good });
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
        let bounds = DeadLetterBounds { rate: 1.0, in_a_row: NonZeroU32::MAX, ..DeadLetterBounds::default() };
        assert_eq!(stopped(bounds, (0..30_000).map(|_| true), JobEnd::Fault), None);
    }

    #[test]
    fn what_is_rejected_on_purpose_has_a_bound_of_its_own() {
        let all = || (0..30_000).map(|_| true);
        assert_eq!(stopped(DeadLetterBounds::default(), all(), JobEnd::Rejected), None, "off by default");
        let bounds = DeadLetterBounds { rejected: 0.5, ..DeadLetterBounds::default() };
        assert_eq!(stopped(bounds, all(), JobEnd::Rejected), Some(9_999));
        assert_eq!(stopped(bounds, (0..30_000).map(|job| job % 2 == 0), JobEnd::Rejected), None);
    }
}
