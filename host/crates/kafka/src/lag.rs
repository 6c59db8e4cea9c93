//! How far behind the group is, for those who watch.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gristmill_core::model::{Next, Partition};

/// How often lag is looked at.
const INTERVAL: Duration = Duration::from_secs(5);

/// What was reported of each assigned partition, and when the next look is due.
pub(super) struct Lag {
    due: Instant,
    partitions: BTreeMap<Partition, Known>,
}

#[derive(Default)]
struct Known {
    /// What the group had committed at the assignment: the place to count from until an event is handed out.
    committed: Option<Next>,
    reported: Option<u64>,
}

impl Lag {
    pub(super) fn new(now: Instant) -> Self {
        Self { due: now + INTERVAL, partitions: BTreeMap::new() }
    }

    /// Whether it is time to look again.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = now >= self.due;
        if due {
            self.due = now + INTERVAL;
        }
        due
    }

    /// Notes what the group has committed in a partition that was assigned.
    pub(super) fn begin(&mut self, partition: Partition, committed: Next) {
        self.partitions.insert(partition, Known { committed: Some(committed), reported: None });
    }

    /// Ends the record of a partition that is no longer ours.
    pub(super) fn forget(&mut self, partition: &Partition) {
        self.partitions.remove(partition);
    }

    /// How many records are not settled, if that is known and differs from what was reported last. Counts offsets: gaps
    /// that compaction or transactions left in the partition count as records.
    pub(super) fn changed(
        &mut self,
        partition: &Partition,
        (low, high): (Option<Next>, Option<Next>),
        settled: Option<Next>,
    ) -> Option<u64> {
        let known = self.partitions.entry(partition.clone()).or_default();
        // What retention removed is not waiting any more.
        let next = settled.max(known.committed).max(low)?;
        let records = u64::try_from(high?.0.saturating_sub(next.0)).unwrap_or(u64::MAX);
        (known.reported.replace(records) != Some(records)).then_some(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition() -> Partition {
        Partition { topic: "in".into(), index: 3 }
    }

    fn lag() -> Lag {
        Lag::new(Instant::now())
    }

    const ENDS: (Option<Next>, Option<Next>) = (Some(Next(2)), Some(Next(10)));

    #[test]
    fn lag_is_counted_from_the_furthest_known_place() {
        assert_eq!(
            lag().changed(&partition(), ENDS, None),
            Some(8),
            "a group that settled nothing begins at the oldest"
        );
        let mut lag = lag();
        lag.begin(partition(), Next(4));
        assert_eq!(lag.changed(&partition(), ENDS, None), Some(6));
        assert_eq!(lag.changed(&partition(), ENDS, Some(Next(9))), Some(1));
        assert_eq!(lag.changed(&partition(), ENDS, Some(Next(11))), Some(0), "the end is known late");
    }

    #[test]
    fn lag_is_reported_when_it_changed() {
        let mut lag = lag();
        assert_eq!(lag.changed(&partition(), ENDS, Some(Next(9))), Some(1));
        assert_eq!(lag.changed(&partition(), ENDS, Some(Next(9))), None);
        assert_eq!(lag.changed(&partition(), (Some(Next(2)), Some(Next(11))), Some(Next(10))), None);
        lag.forget(&partition());
        assert_eq!(lag.changed(&partition(), ENDS, Some(Next(9))), Some(1), "a new assignment reports again");
    }

    #[test]
    fn an_end_that_no_fetch_has_shown_is_not_guessed() {
        assert_eq!(lag().changed(&partition(), (None, None), Some(Next(9))), None);
        assert_eq!(lag().changed(&partition(), (None, Some(Next(9))), None), None);
    }

    #[test]
    fn a_look_is_due_every_five_seconds() {
        let begun = Instant::now();
        let mut lag = Lag::new(begun);
        assert!(!lag.is_due(begun + Duration::from_secs(4)));
        assert!(lag.is_due(begun + Duration::from_secs(5)));
        assert!(!lag.is_due(begun + Duration::from_secs(9)));
    }
}
