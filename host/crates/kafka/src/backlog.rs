//! What was read from the broker and not yet received by the flow, and when that is too much.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::settings::HighWater;
use gristmill_core::model::{Event, Size};

/// Incremented by the polling thread and decremented by the source: plain counters, since neither waits for the other.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    events: AtomicUsize,
    bytes: AtomicUsize,
    /// Settlements that came too late: their partition had been revoked.
    pub(super) stale: AtomicU64,
}

/// What to do with the partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backpressure {
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
    pub(super) fn add(&self, events: &[Event]) {
        self.events.fetch_add(events.len(), Ordering::Relaxed);
        self.bytes.fetch_add(events.size(), Ordering::Relaxed);
    }

    pub(super) fn remove(&self, events: &[Event]) {
        self.events.fetch_sub(events.len(), Ordering::Relaxed);
        self.bytes.fetch_sub(events.size(), Ordering::Relaxed);
    }

    pub(super) fn events(&self) -> usize {
        self.events.load(Ordering::Relaxed)
    }

    /// Events and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.events(), self.bytes.load(Ordering::Relaxed))
    }

    /// Pauses at the high-water mark and resumes below half of it.
    pub(super) fn backpressure(&self, flow: Flow, high: HighWater) -> Backpressure {
        let (events, bytes) = self.size();
        match flow {
            Flow::Running if events >= high.events || bytes >= high.bytes => Backpressure::Pause,
            // An empty backlog resumes whatever the high-water mark is: half of 1 is 0.
            Flow::Paused if events == 0 || (events < high.events / 2 && bytes < high.bytes / 2) => Backpressure::Resume,
            _ => Backpressure::Leave,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gristmill_core::model::{EventId, Generation, Partition, Position, Timestamp};

    use super::*;

    /// So many events of ten bytes.
    fn events(count: usize) -> Vec<Event> {
        let event = Event {
            id: EventId { partition: Partition { topic: "in".into(), index: 0 }, position: Position(0) },
            generation: Generation::default(),
            key: None,
            payload: Some(Bytes::from_static(b"0123456789")),
            headers: Vec::new(),
            timestamp: Timestamp(0),
            deliveries: None,
            fault: None,
        };
        vec![event; count]
    }

    #[test]
    fn partitions_pause_at_the_high_water_mark_and_resume_below_half_of_it() {
        let high = HighWater { events: 4, bytes: 100 };
        let backlog = Backlog::default();
        backlog.add(&events(3));
        assert_eq!(backlog.backpressure(Flow::Running, high), Backpressure::Leave);
        backlog.add(&events(1));
        assert_eq!(backlog.backpressure(Flow::Running, high), Backpressure::Pause);
        backlog.remove(&events(2));
        assert_eq!(backlog.backpressure(Flow::Paused, high), Backpressure::Leave);
        backlog.remove(&events(1));
        assert_eq!(backlog.backpressure(Flow::Paused, high), Backpressure::Resume);
    }

    #[test]
    fn few_large_events_pause_as_well() {
        let backlog = Backlog::default();
        backlog.add(&events(2));
        assert_eq!(backlog.backpressure(Flow::Running, HighWater { events: 4, bytes: 20 }), Backpressure::Pause);
    }

    #[test]
    fn an_empty_backlog_always_resumes() {
        assert_eq!(
            Backlog::default().backpressure(Flow::Paused, HighWater { events: 1, bytes: 1 }),
            Backpressure::Resume
        );
    }
}
