//! The way of spans to the task that sends them. It has an end: what does not fit is lost and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::mpsc;

/// How many spans wait at most until they are sent, of some 1 KiB each.
const LENGTH: usize = 8_192;

/// What became of spans.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) sent: AtomicU64,
    pub(super) lost: AtomicU64,
}

/// Where spans wait. Clones are one queue.
#[derive(Clone)]
pub(super) struct Queue {
    waiting: mpsc::Sender<Span>,
    pub(super) counters: Arc<Counters>,
}

impl Queue {
    /// An empty queue and its end.
    pub(super) fn new() -> (Self, mpsc::Receiver<Span>) {
        let (waiting, end) = mpsc::channel(LENGTH);
        (Self { waiting, counters: Arc::default() }, end)
    }

    /// Adds a span, or counts it as lost. Returns immediately.
    pub(super) fn offer(&self, span: Span) {
        if self.waiting.try_send(span).is_err() {
            self.counters.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted_and_nobody_waits() {
        let (queue, _end) = Queue::new();
        for _ in 0..LENGTH + 3 {
            queue.offer(Span::default());
        }
        assert_eq!(queue.counters.lost.load(Ordering::Relaxed), 3);
    }
}
