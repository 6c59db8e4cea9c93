//! Tracks which part of a partition is settled, so that a commit never skips an unfinished event.

use std::collections::BTreeSet;

use super::ids::{Generation, Next, Position};

/// The events of one partition under one assignment.
///
/// | in flight | finished so far | settled below |
/// |---|---|---|
/// | 4, 6 | 3, 5 | 4 |
/// | 6 | 3, 4, 5 | 6 |
/// | none | 3, 4, 5, 6 | 7 |
///
/// Positions may have gaps (compaction, transaction markers, entry ids); only their order matters.
#[derive(Debug)]
pub struct Progress {
    generation: Generation,
    in_flight: BTreeSet<Position>,
    highest: Option<Position>,
    settled: Option<Next>,
}

impl Progress {
    /// Starts tracking an assignment under which no event has been started yet.
    #[must_use]
    pub fn new(generation: Generation) -> Self {
        Self { generation, in_flight: BTreeSet::new(), highest: None, settled: None }
    }

    /// The generation of the assignment.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Everything below this is settled; `None` until something is settled under this assignment.
    #[must_use]
    pub fn settled(&self) -> Option<Next> {
        self.settled
    }

    /// Records that the event at this position is in flight.
    pub fn start(&mut self, position: Position) {
        self.in_flight.insert(position);
        self.highest = self.highest.max(Some(position));
    }

    /// Records that the event at this position, started under that assignment, is settled. Returns the lowest unsettled
    /// position if it moved: everything below may be committed. A position that is not in flight changes nothing, nor
    /// does one from another assignment: once a partition is lost, its next owner processes its unsettled events.
    pub fn finish(&mut self, generation: Generation, position: Position) -> Option<Next> {
        if generation != self.generation || !self.in_flight.remove(&position) {
            return None;
        }
        let next = match self.in_flight.first() {
            Some(lowest) => Next(lowest.0),
            None => self.highest?.next(),
        };
        // Nothing below the first position started here was settled here, so nothing is reported for it.
        let moved = next > Next(position.0) && self.settled.is_none_or(|settled| next > settled);
        moved.then(|| {
            self.settled = Some(next);
            next
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const ONE: Generation = Generation(1);

    fn started(positions: &[u128]) -> Progress {
        let mut progress = Progress::new(ONE);
        for position in positions {
            progress.start(Position(*position));
        }
        progress
    }

    #[test]
    fn nothing_is_settled_above_an_unfinished_event() {
        let mut progress = started(&[3, 4, 5]);
        assert_eq!(progress.finish(ONE, Position(4)), None);
        assert_eq!(progress.finish(ONE, Position(5)), None);
        assert_eq!(progress.finish(ONE, Position(3)), Some(Next(6)));
    }

    #[test]
    fn a_gap_is_stepped_over() {
        let mut progress = started(&[3, 9]);
        assert_eq!(progress.finish(ONE, Position(3)), Some(Next(9)));
        assert_eq!(progress.finish(ONE, Position(9)), Some(Next(10)));
    }

    #[test]
    fn an_event_settled_twice_counts_once() {
        let mut progress = started(&[3]);
        assert_eq!(progress.finish(ONE, Position(3)), Some(Next(4)));
        assert_eq!(progress.finish(ONE, Position(3)), None);
    }

    #[test]
    fn what_was_begun_under_another_assignment_is_not_settled() {
        let mut progress = started(&[3]);
        assert_eq!(progress.finish(Generation(0), Position(3)), None);
        assert_eq!(progress.finish(ONE, Position(3)), Some(Next(4)));
    }

    /// What can happen to a partition that is assigned and revoked. The number chooses among the running events.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        Assign,
        Start,
        Finish(u8),
        Commit,
        Revoke,
    }

    fn step() -> impl Strategy<Value = Step> {
        any::<(u8, u8)>().prop_map(|(kind, which)| match kind % 16 {
            0 => Step::Assign,
            1 => Step::Revoke,
            2..=4 => Step::Commit,
            5..=9 => Step::Start,
            _ => Step::Finish(which),
        })
    }

    /// A partition at its broker, and every event that one member started as it lost the partition and got it back.
    #[derive(Default)]
    struct World {
        /// The positions of records, with gaps as left by compaction and transaction markers.
        records: Vec<u128>,
        committed: u128,
        generation: u64,
        progress: Option<Progress>,
        /// The last value that the progress returned under this assignment.
        settled: Option<Next>,
        /// The next record to hand out.
        next: usize,
        /// Started but not finished, under any assignment.
        running: Vec<(Generation, u128)>,
        /// Finished while the assignment they were started under was still current.
        done: BTreeSet<u128>,
    }

    impl World {
        fn take(&mut self, step: Step) {
            match step {
                Step::Assign => {
                    self.generation += 1;
                    self.progress = Some(Progress::new(Generation(self.generation)));
                    self.settled = None;
                    self.next = self.records.partition_point(|record| *record < self.committed);
                }
                Step::Revoke => self.progress = None,
                Step::Start => {
                    let (Some(progress), Some(record)) = (&mut self.progress, self.records.get(self.next)) else {
                        return;
                    };
                    progress.start(Position(*record));
                    self.running.push((progress.generation(), *record));
                    self.next += 1;
                }
                Step::Finish(which) if !self.running.is_empty() => {
                    let (generation, record) = self.running.swap_remove(usize::from(which) % self.running.len());
                    let Some(progress) = &mut self.progress else { return };
                    let moved = progress.finish(generation, Position(record));
                    if generation == progress.generation() {
                        self.done.insert(record);
                    }
                    self.settled = moved.or(self.settled);
                }
                Step::Finish(_) => {}
                Step::Commit => {
                    if let (Some(_), Some(below)) = (&self.progress, self.settled) {
                        self.committed = below.0;
                    }
                }
            }
        }

        /// The first record that is not in `done`.
        fn lowest_unfinished(&self) -> u128 {
            let unfinished = self.records.iter().find(|record| !self.done.contains(record));
            unfinished.copied().unwrap_or(u128::MAX)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100_000))]

        /// Whatever happens, a commit never passes a record that was not finished under a current assignment and never
        /// goes back. Once everything is finished, it reaches the end.
        #[test]
        fn a_commit_never_passes_an_unfinished_event_nor_goes_back(
            gaps in prop::collection::vec(1_u8..4, 1..20),
            steps in prop::collection::vec(step(), 0..80),
        ) {
            let mut at = 0;
            let mut world = World::default();
            for gap in gaps {
                at += u128::from(gap);
                world.records.push(at);
            }
            let mut committed = 0;
            for step in steps {
                world.take(step);
                prop_assert!(world.committed >= committed, "{step:?} moved the commit back");
                committed = world.committed;
                prop_assert!(committed <= world.lowest_unfinished(), "{step:?} committed {committed}");
            }
            world.take(Step::Assign);
            while world.next < world.records.len() || !world.running.is_empty() {
                world.take(Step::Start);
                world.take(Step::Finish(7));
            }
            world.take(Step::Commit);
            prop_assert!(world.committed > at, "{} of {at}", world.committed);
        }
    }
}
