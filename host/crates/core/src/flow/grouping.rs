//! Events that arrived together, parted by the version that their jobs run, in groups of a bounded size.

use super::order::Sequence;
use crate::model::{Event, Side};

/// Events whose jobs may begin, each with the sequence it belongs to.
pub(super) type Admitted = Vec<(Event, Option<Sequence>)>;

/// The groups while they are made.
pub(super) struct Groups {
    stable: Open,
    canary: Open,
    full: Vec<(Side, Admitted)>,
}

struct Open {
    events: Admitted,
    most: usize,
}

impl Groups {
    /// No groups yet; each may have at most so many events, by its side.
    pub(super) fn new(most: impl Fn(Side) -> usize) -> Self {
        let open = |side| Open { events: Vec::new(), most: most(side) };
        Self { stable: open(Side::Stable), canary: open(Side::Canary), full: Vec::new() }
    }

    pub(super) fn add(&mut self, side: Side, event: Event, sequence: Option<Sequence>) {
        let open = match side {
            Side::Stable => &mut self.stable,
            Side::Canary => &mut self.canary,
        };
        open.events.push((event, sequence));
        if open.events.len() >= open.most {
            self.full.push((side, std::mem::take(&mut open.events)));
        }
    }

    /// All groups; the last of each side may be empty.
    pub(super) fn finish(self) -> impl Iterator<Item = (Side, Admitted)> {
        let last = [(Side::Stable, self.stable.events), (Side::Canary, self.canary.events)];
        self.full.into_iter().chain(last)
    }
}
