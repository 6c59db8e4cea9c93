//! How far behind the group is, for those who watch.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gristmill_core::model::{Next, Partition, Position};

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
    /// The place after the last event that was handed out.
    handed_out: Option<Next>,
    /// How far everything was read when the end was reached: what lies behind the last event is given to no consumer.
    end: Option<Next>,
    reported: Report,
}

/// How far behind the group is in a partition, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// Offsets that are not settled: gaps that compaction or transactions left count as records.
    pub(super) lag: Option<u64>,
    /// The same without what follows the last record, such as the markers of transactions, once that was read.
    pub(super) backlog: Option<u64>,
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
        self.partitions.insert(partition, Known { committed: Some(committed), ..Known::default() });
    }

    /// Ends the record of a partition that is no longer ours.
    pub(super) fn forget(&mut self, partition: &Partition) {
        self.partitions.remove(partition);
    }

    /// Notes the last of some events that are handed out.
    pub(super) fn handed_out(&mut self, partition: &Partition, last: Position) {
        self.known(partition).handed_out = Some(last.next());
    }

    /// Notes that everything up to here was read.
    pub(super) fn ended(&mut self, partition: &Partition, end: Option<Next>) {
        self.known(partition).end = end;
    }

    /// How far behind the group is, each number only if it is known and differs from what was reported last.
    pub(super) fn changed(
        &mut self,
        partition: &Partition,
        (low, high): (Option<Next>, Option<Next>),
        settled: Option<Next>,
    ) -> Report {
        let known = self.known(partition);
        // What retention removed is not waiting any more.
        let next = settled.max(known.committed).max(low);
        let (Some(next), Some(high)) = (next, high) else { return Report::default() };
        // Only if all that came before the end is settled; else what waits is counted from the first of it.
        let is_all_settled = known.handed_out.is_none_or(|handed_out| next >= handed_out);
        let read = known.end.filter(|_| is_all_settled).map_or(next, |end| end.max(next));
        let behind = |next: Next| Some(u64::try_from(high.0.saturating_sub(next.0)).unwrap_or(u64::MAX));
        let now = Report { lag: behind(next), backlog: behind(read) };
        let before = std::mem::replace(&mut known.reported, now);
        Report {
            lag: now.lag.filter(|_| now.lag != before.lag),
            backlog: now.backlog.filter(|_| now.backlog != before.backlog),
        }
    }

    fn known(&mut self, partition: &Partition) -> &mut Known {
        // The name is shared: its copy is a count.
        self.partitions.entry(partition.clone()).or_default()
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

    /// Both numbers are the same where nothing is known to be given to no consumer.
    fn both(records: u64) -> Report {
        Report { lag: Some(records), backlog: Some(records) }
    }

    const NOTHING_NEW: Report = Report { lag: None, backlog: None };

    #[test]
    fn lag_is_counted_from_the_furthest_known_place() {
        assert_eq!(
            lag().changed(&partition(), ENDS, None),
            both(8),
            "a group that settled nothing begins at the oldest"
        );
        let mut lag = lag();
        lag.begin(partition(), Next(4));
        assert_eq!(lag.changed(&partition(), ENDS, None), both(6));
        assert_eq!(lag.changed(&partition(), ENDS, Some(Next(9))), both(1));
        assert_eq!(lag.changed(&partition(), ENDS, Some(Next(11))), both(0), "the end is known late");
    }

    #[test]
    fn lag_is_reported_when_it_changed() {
        let mut lag = lag();
        assert_eq!(lag.changed(&partition(), ENDS, Some(Next(9))), both(1));
        assert_eq!(lag.changed(&partition(), ENDS, Some(Next(9))), NOTHING_NEW);
        assert_eq!(lag.changed(&partition(), (Some(Next(2)), Some(Next(11))), Some(Next(10))), NOTHING_NEW);
        lag.forget(&partition());
        assert_eq!(lag.changed(&partition(), ENDS, Some(Next(9))), both(1), "a new assignment reports again");
    }

    #[test]
    fn an_end_that_no_fetch_has_shown_is_not_guessed() {
        assert_eq!(lag().changed(&partition(), (None, None), Some(Next(9))), NOTHING_NEW);
        assert_eq!(lag().changed(&partition(), (None, Some(Next(9))), None), NOTHING_NEW);
    }

    #[test]
    fn what_follows_the_last_record_is_no_backlog_once_it_was_read() {
        let mut lag = lag();
        lag.begin(partition(), Next(4));
        lag.handed_out(&partition(), Position(7));
        lag.ended(&partition(), Some(Next(10)));
        assert_eq!(lag.changed(&partition(), ENDS, Some(Next(6))), both(4), "two events are not settled yet");
        let markers = Report { lag: Some(2), backlog: Some(0) };
        assert_eq!(lag.changed(&partition(), ENDS, Some(Next(8))), markers);
        let more = (Some(Next(2)), Some(Next(13)));
        assert_eq!(lag.changed(&partition(), more, Some(Next(8))), Report { lag: Some(5), backlog: Some(3) });
        lag.handed_out(&partition(), Position(11));
        assert_eq!(lag.changed(&partition(), more, Some(Next(8))).backlog, Some(5), "counted from the first of them");
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
