//! How long things took: counts by size, in constant memory.

use std::time::Duration;

/// Parts of each doubling: a bound is at most one part, 6%, above what it stands for.
const PARTS: u64 = 16;
/// Enough for 12 days in microseconds; what is longer counts as that.
const BUCKETS: usize = 592;

/// How many took how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Durations {
    counts: Vec<u32>,
    all: u64,
}

impl Default for Durations {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], all: 0 }
    }
}

impl Durations {
    pub(super) fn note(&mut self, duration: Duration) {
        let count = &mut self.counts[bucket(duration)];
        *count = count.saturating_add(1);
        self.all += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
        self.all += other.all;
    }

    /// How many there are.
    pub(super) fn all(&self) -> u64 {
        self.all
    }

    /// What so many of them did not exceed. `None` if there are fewer.
    pub(super) fn at_rank(&self, rank: u64) -> Option<Duration> {
        let mut below = 0;
        let reached = |count: &u32| {
            below += u64::from(*count);
            below >= rank.max(1)
        };
        self.counts.iter().position(reached).map(upper_bound)
    }

    /// How many exceeded this, those of its own bucket not counted.
    pub(super) fn above(&self, bound: Duration) -> u64 {
        self.counts[bucket(bound) + 1..].iter().copied().map(u64::from).sum()
    }
}

fn bucket(duration: Duration) -> usize {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let index = match micros.checked_ilog2() {
        Some(power @ 4..) => u64::from(power - 3) * PARTS + ((micros >> (power - 4)) & (PARTS - 1)),
        _ => micros,
    };
    usize::try_from(index).unwrap_or(usize::MAX).min(BUCKETS - 1)
}

/// The longest duration of a bucket.
fn upper_bound(bucket: usize) -> Duration {
    let bucket = bucket as u64;
    let micros = match bucket / PARTS {
        0 => bucket,
        doubling => ((PARTS + bucket % PARTS + 1) << (doubling - 1)) - 1,
    };
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_never_below_and_at_most_a_sixteenth_above_what_it_stands_for() {
        let mut last = 0;
        for micros in (0..5_000).chain((13..40).map(|power| (1 << power) + 12_345)) {
            let index = bucket(Duration::from_micros(micros));
            assert!(index >= last, "in order");
            last = index;
            let bound = u64::try_from(upper_bound(index).as_micros()).unwrap();
            assert!((micros..=micros + micros / 16).contains(&bound), "{bound} for {micros}");
        }
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1, "counted, however long");
    }

    #[test]
    fn ranks_and_what_is_above_are_counted() {
        let mut durations = Durations::default();
        (1..=100).for_each(|millis| durations.note(Duration::from_millis(millis)));
        let at = |rank| durations.at_rank(rank).unwrap().as_millis();
        assert!((95..=101).contains(&at(95)), "{}", at(95));
        assert_eq!(durations.at_rank(101), None);
        assert_eq!(durations.above(Duration::from_secs(1)), 0);
        assert!((44..=50).contains(&durations.above(Duration::from_millis(50))));
        let mut twice = durations.clone();
        twice.add(&durations);
        assert_eq!((twice.all(), twice.at_rank(190)), (200, durations.at_rank(95)));
    }
}
