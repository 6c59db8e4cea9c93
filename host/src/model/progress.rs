//! Which part of a partition is settled, so that a commit can never jump over an unfinished event.

use std::collections::BTreeSet;

use super::{Next, Position};

/// The events of one partition under one assignment.
///
/// | in flight | finished so far | settled below |
/// |---|---|---|
/// | 4, 6 | 3, 5 | 4 |
/// | 6 | 3, 4, 5 | 6 |
/// | none | 3, 4, 5, 6 | 7 |
///
/// Positions may have gaps (compaction, transaction markers, entry ids): only order matters.
#[derive(Debug, Default)]
pub struct Progress {
    in_flight: BTreeSet<Position>,
    highest: Option<Position>,
    settled: Option<Next>,
}

impl Progress {
    /// Notes that the event there is being worked on.
    pub fn start(&mut self, position: Position) {
        self.in_flight.insert(position);
        self.highest = self.highest.max(Some(position));
    }

    /// Notes that the event there is settled. Returns the lowest place not settled when that moved: everything below
    /// may be committed. A position that is not in flight changes nothing.
    pub fn finish(&mut self, position: Position) -> Option<Next> {
        if !self.in_flight.remove(&position) {
            return None;
        }
        let next = match self.in_flight.first() {
            Some(lowest) => Next(lowest.0),
            None => self.highest?.next(),
        };
        // Below the first position ever started nothing was settled here, so nothing may be said about it.
        let moved = next > Next(position.0) && self.settled.is_none_or(|settled| next > settled);
        moved.then(|| {
            self.settled = Some(next);
            next
        })
    }

    /// How many events are being worked on.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn started(positions: &[u128]) -> Progress {
        let mut progress = Progress::default();
        for position in positions {
            progress.start(Position(*position));
        }
        progress
    }

    #[test]
    fn nothing_is_settled_above_an_unfinished_event() {
        let mut progress = started(&[3, 4, 5]);
        assert_eq!(progress.finish(Position(4)), None);
        assert_eq!(progress.finish(Position(5)), None);
        assert_eq!(progress.finish(Position(3)), Some(Next(6)));
    }

    #[test]
    fn a_gap_is_stepped_over() {
        let mut progress = started(&[3, 9]);
        assert_eq!(progress.finish(Position(3)), Some(Next(9)));
        assert_eq!(progress.finish(Position(9)), Some(Next(10)));
    }

    #[test]
    fn an_event_settled_twice_counts_once() {
        let mut progress = started(&[3]);
        assert_eq!(progress.finish(Position(3)), Some(Next(4)));
        assert_eq!(progress.finish(Position(3)), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// Against a model that keeps every event: what may be committed is always the lowest unfinished event, and it
        /// only moves up.
        #[test]
        fn what_is_committed_is_the_lowest_unfinished_event(
            gaps in prop::collection::vec(1_u128..4, 1..30),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        ) {
            let mut progress = Progress::default();
            let mut finished = BTreeMap::new();
            let mut position = 0;
            let mut gaps = gaps.into_iter();
            let mut committed = None;
            for choice in order {
                if let Some(gap) = gaps.next() {
                    position += gap;
                    progress.start(Position(position));
                    finished.insert(position, false);
                }
                let open: Vec<u128> = finished.iter().filter(|(_, done)| !**done).map(|(at, _)| *at).collect();
                if open.is_empty() {
                    continue;
                }
                let chosen = open[choice.index(open.len())];
                finished.insert(chosen, true);
                let moved = progress.finish(Position(chosen));
                let lowest = finished.iter().find(|(_, done)| !**done).map_or(position + 1, |(at, _)| *at);
                if let Some(next) = moved {
                    prop_assert_eq!(next, Next(lowest));
                    prop_assert!(committed < Some(next));
                    committed = Some(next);
                }
                if lowest > *finished.keys().next().unwrap() {
                    prop_assert_eq!(committed, Some(Next(lowest)));
                }
            }
        }
    }
}
