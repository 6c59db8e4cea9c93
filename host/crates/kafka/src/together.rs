//! Events that arrive together: of one partition, under one assignment, in their order.

use std::sync::Arc;

use rdkafka::message::{BorrowedMessage, Message};

use super::assignment::Assignment;
use super::{message, offsets};
use gristmill_core::model::{Event, Generation, Partition, Size};

/// The most events that are handed out together.
pub(super) const MOST: usize = 32;
/// The most bytes of them; a single larger event is handed out alone.
const MOST_BYTES: usize = 128 << 10;

/// What was polled and not handed out yet.
#[derive(Default)]
pub(super) struct Together {
    /// Where the events are from; no generation if the partition is not ours, and then its events are left out.
    from: Option<(Partition, Option<Generation>)>,
    events: Vec<Event>,
    bytes: usize,
}

impl Together {
    /// Copies a message out. Returns the events before it if it cannot be with them.
    pub(super) fn add(
        &mut self,
        message: &BorrowedMessage<'_>,
        assignment: &Assignment,
        topics: &[Arc<str>],
    ) -> Option<Vec<Event>> {
        let is_next = self.from.as_ref().is_some_and(|(partition, _)| {
            offsets::number(partition) == message.partition() && *partition.topic == *message.topic()
        });
        let before = match is_next {
            true => None,
            false => {
                let before = self.take();
                let partition = message::partition(message, topics);
                let generation = assignment.generation(&partition);
                self.from = Some((partition, generation));
                before
            }
        };
        let Some((partition, Some(generation))) = &self.from else { return before };
        let event = message::event(message, partition.clone(), *generation);
        let bytes = event.size();
        let full = self.events.len() >= MOST || (self.bytes + bytes > MOST_BYTES && !self.events.is_empty());
        let before = if full { self.drain() } else { before };
        self.bytes += bytes;
        self.events.push(event);
        before
    }

    /// Takes all, and forgets whose the partition is: that may change now.
    pub(super) fn take(&mut self) -> Option<Vec<Event>> {
        self.from = None;
        self.drain()
    }

    fn drain(&mut self) -> Option<Vec<Event>> {
        self.bytes = 0;
        let events = std::mem::take(&mut self.events);
        (!events.is_empty()).then_some(events)
    }
}
