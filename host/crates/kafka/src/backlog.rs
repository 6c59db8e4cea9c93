//! What was read from the broker and not yet taken by the flow, and when that is too much.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::settings::HighWater;

/// Counted up by the polling thread and down by the source: plain counters, since neither waits for the other.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    events: AtomicUsize,
    bytes: AtomicUsize,
    /// Settlements that came too late: the partition had been taken away. For the log.
    pub(super) stale: AtomicU64,
}

/// What to do about the partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Valve {
    Pause,
    Resume,
    Leave,
}

/// Whether the partitions are paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Running,
    Paused,
}

impl Backlog {
    pub(super) fn add(&self, bytes: usize) {
        self.events.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, bytes: usize) {
        self.events.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn events(&self) -> usize {
        self.events.load(Ordering::Relaxed)
    }

    /// Pauses at the high water and resumes below half of it.
    pub(super) fn valve(&self, flow: Flow, high: HighWater) -> Valve {
        let (events, bytes) = (self.events(), self.bytes.load(Ordering::Relaxed));
        match flow {
            Flow::Running if events >= high.events || bytes >= high.bytes => Valve::Pause,
            // An empty backlog resumes whatever the high water is: half of 1 is 0.
            Flow::Paused if events == 0 || (events < high.events / 2 && bytes < high.bytes / 2) => Valve::Resume,
            _ => Valve::Leave,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_pause_at_the_high_water_and_resume_below_half_of_it() {
        let high = HighWater { events: 4, bytes: 100 };
        let backlog = Backlog::default();
        for _ in 0..3 {
            backlog.add(10);
        }
        assert_eq!(backlog.valve(Flow::Running, high), Valve::Leave);
        backlog.add(10);
        assert_eq!(backlog.valve(Flow::Running, high), Valve::Pause);
        backlog.remove(10);
        backlog.remove(10);
        assert_eq!(backlog.valve(Flow::Paused, high), Valve::Leave);
        backlog.remove(10);
        assert_eq!(backlog.valve(Flow::Paused, high), Valve::Resume);
    }

    #[test]
    fn few_large_events_pause_as_well() {
        let backlog = Backlog::default();
        backlog.add(100);
        assert_eq!(backlog.valve(Flow::Running, HighWater { events: 4, bytes: 100 }), Valve::Pause);
    }

    #[test]
    fn an_empty_backlog_always_resumes() {
        assert_eq!(Backlog::default().valve(Flow::Paused, HighWater { events: 1, bytes: 1 }), Valve::Resume);
    }
}
