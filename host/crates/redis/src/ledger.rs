//! The entries that this host has in work, and those whose acknowledgement it owes to Redis. Pure.

use std::collections::{BTreeMap, BTreeSet};

use gristmill_core::model::Position;

/// Where an entry came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// It was pending already when we began to read, or began again.
    Before,
    /// It is new, or was taken over.
    Now,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Us,
    /// Another consumer took it while it was in work here.
    Another,
}

/// What is in work, and what is owed.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    in_work: BTreeMap<Position, Holder>,
    /// Those in work that new entries wait for.
    before: BTreeSet<Position>,
    /// Settled, but not acknowledged yet.
    owed: BTreeSet<Position>,
    newest: Option<Position>,
}

impl Ledger {
    /// Whether the entry has to be worked on: it is not in work and not settled already. From then on it is in work.
    pub(super) fn begin(&mut self, position: Position, from: From) -> bool {
        self.newest = self.newest.max(Some(position));
        if self.owed.contains(&position) {
            return false;
        }
        // One that came back to us after another had it.
        if let Some(holder) = self.in_work.get_mut(&position) {
            *holder = Holder::Us;
            return false;
        }
        self.in_work.insert(position, Holder::Us);
        if from == From::Before {
            self.before.insert(position);
        }
        true
    }

    /// Notes that entries are settled.
    pub(super) fn settle(&mut self, positions: &[Position]) {
        for position in positions {
            self.in_work.remove(position);
            self.before.remove(position);
            self.owed.insert(*position);
        }
    }

    /// The first of those that are owed.
    pub(super) fn owed(&self, most: usize) -> Vec<Position> {
        self.owed.iter().take(most).copied().collect()
    }

    /// Notes that Redis has acknowledged entries.
    pub(super) fn acknowledged(&mut self, positions: &[Position]) {
        for position in positions {
            self.owed.remove(position);
        }
    }

    /// Those in work here and nowhere else, as far as is known.
    pub(super) fn ours(&self) -> Vec<Position> {
        let ours = self.in_work.iter().filter(|(_, holder)| **holder == Holder::Us);
        ours.map(|(position, _)| *position).collect()
    }

    /// Notes that another consumer has an entry that is in work here.
    pub(super) fn taken(&mut self, position: Position) {
        if let Some(holder) = self.in_work.get_mut(&position) {
            *holder = Holder::Another;
        }
    }

    /// Whether nothing is in work that new entries wait for.
    pub(super) fn is_reconciled(&self) -> bool {
        self.before.is_empty()
    }

    /// The newest entry that was ever begun.
    pub(super) fn newest(&self) -> Option<Position> {
        self.newest
    }

    /// Gives up what is in work. What is owed stays so.
    pub(super) fn give_up(&mut self) {
        self.in_work.clear();
        self.before.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Position = Position(1);
    const TWO: Position = Position(2);

    #[test]
    fn an_entry_is_in_work_once_until_it_is_acknowledged() {
        let mut ledger = Ledger::default();
        assert!(ledger.begin(ONE, From::Now));
        assert!(!ledger.begin(ONE, From::Before), "delivered again while it is in work");
        ledger.settle(&[ONE]);
        assert!(!ledger.begin(ONE, From::Before), "delivered again before Redis knew that it is settled");
        assert_eq!(ledger.owed(9), [ONE]);
        ledger.acknowledged(&[ONE]);
        assert!(ledger.owed(9).is_empty() && ledger.begin(ONE, From::Now), "Redis has lost the acknowledgement");
    }

    #[test]
    fn new_entries_wait_for_those_before_and_for_no_others() {
        let mut ledger = Ledger::default();
        ledger.begin(ONE, From::Before);
        ledger.begin(TWO, From::Now);
        assert!(!ledger.is_reconciled());
        ledger.settle(&[ONE]);
        assert!(ledger.is_reconciled());
    }

    #[test]
    fn what_another_took_is_not_renewed_and_not_begun_twice() {
        let mut ledger = Ledger::default();
        ledger.begin(ONE, From::Now);
        ledger.begin(TWO, From::Now);
        ledger.taken(ONE);
        assert_eq!(ledger.ours(), [TWO]);
        assert!(!ledger.begin(ONE, From::Now), "it came back while it is in work");
        assert_eq!(ledger.ours(), [ONE, TWO]);
    }

    #[test]
    fn what_is_owed_survives_the_loss_of_a_name() {
        let mut ledger = Ledger::default();
        ledger.begin(ONE, From::Before);
        ledger.begin(TWO, From::Now);
        ledger.settle(&[TWO]);
        ledger.give_up();
        assert!(ledger.ours().is_empty() && ledger.is_reconciled());
        assert_eq!((ledger.owed(9), ledger.newest()), (vec![TWO], Some(TWO)));
    }
}
