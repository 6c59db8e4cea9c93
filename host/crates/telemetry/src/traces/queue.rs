//! The way of spans to the task that sends them. It has an end: what does not fit is lost and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// How many spans wait at most until they are sent, of some 1 KiB each without contents.
const LENGTH: usize = 8_192;
/// How many bytes of contents they hold at most, those that are just being sent among them.
const CONTENTS: usize = 64 << 20;

/// What became of spans.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) sent: AtomicU64,
    pub(super) lost: AtomicU64,
}

/// A span on its way.
pub(super) struct Waiting {
    pub(super) span: Span,
    /// The place of its contents, given back when this is dropped.
    pub(super) place: OwnedSemaphorePermit,
}

/// Where spans wait. Clones are one queue.
#[derive(Clone)]
pub(super) struct Queue {
    waiting: mpsc::Sender<Waiting>,
    contents: Arc<Semaphore>,
    pub(super) counters: Arc<Counters>,
}

impl Queue {
    /// An empty queue and its end.
    pub(super) fn new() -> (Self, mpsc::Receiver<Waiting>) {
        let (waiting, end) = mpsc::channel(LENGTH);
        (Self { waiting, contents: Arc::new(Semaphore::new(CONTENTS)), counters: Arc::default() }, end)
    }

    /// Adds a span, or counts it as lost. Returns immediately.
    pub(super) fn offer(&self, span: Span) {
        self.offer_with(span, 0);
    }

    /// The same for a span with so many bytes of contents.
    pub(super) fn offer_with(&self, span: Span, contents: usize) {
        let contents = u32::try_from(contents).unwrap_or(u32::MAX);
        let place = Arc::clone(&self.contents).try_acquire_many_owned(contents).ok();
        let taken = place.is_some_and(|place| self.waiting.try_send(Waiting { span, place }).is_ok());
        if !taken {
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

    #[test]
    fn contents_take_no_more_memory_than_they_may_and_give_it_back() {
        let (queue, mut end) = Queue::new();
        for _ in 0..4 {
            queue.offer_with(Span::default(), CONTENTS / 3);
        }
        assert_eq!(queue.counters.lost.load(Ordering::Relaxed), 1);
        queue.offer(Span::default());
        assert_eq!(queue.counters.lost.load(Ordering::Relaxed), 1, "spans without contents still have room");
        drop(end.try_recv().unwrap());
        queue.offer_with(Span::default(), CONTENTS / 3);
        assert_eq!(queue.counters.lost.load(Ordering::Relaxed), 1, "what is sent makes room");
    }
}
