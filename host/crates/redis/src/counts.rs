//! What happened to entries that should not happen. Also logged, each when it happens.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one source. They only grow.
#[derive(Debug, Default)]
pub struct Counts {
    trimmed: AtomicU64,
    taken: AtomicU64,
    restored: AtomicU64,
    claimed: AtomicU64,
}

/// What was counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Entries that were trimmed or deleted before they were settled. Their content is lost.
    pub trimmed: u64,
    /// Entries that another consumer took while they were in work here: their outputs may be written twice.
    pub taken: u64,
    /// Entries that had ceased to be pending, because their consumer or group was deleted, and were made pending again.
    pub restored: u64,
    /// Entries that were taken over from consumers that had fallen silent.
    pub claimed: u64,
}

impl Counts {
    /// What was counted so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Seen {
            trimmed: read(&self.trimmed),
            taken: read(&self.taken),
            restored: read(&self.restored),
            claimed: read(&self.claimed),
        }
    }

    pub(super) fn add(&self, more: Seen) {
        let Seen { trimmed, taken, restored, claimed } = more;
        self.trimmed.fetch_add(trimmed, Ordering::Relaxed);
        self.taken.fetch_add(taken, Ordering::Relaxed);
        self.restored.fetch_add(restored, Ordering::Relaxed);
        self.claimed.fetch_add(claimed, Ordering::Relaxed);
    }
}
