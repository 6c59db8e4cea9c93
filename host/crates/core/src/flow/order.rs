//! Jobs that wait for each other, by key or by partition.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use super::settings::Order;
use crate::model::{Event, Generation, Partition};

/// The jobs of one sequence run one after the other. Sequences of different assignments are independent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Sequence {
    partition: Partition,
    generation: Generation,
    key: Option<Bytes>,
}

/// The events that wait for another job of their sequence to end.
#[derive(Debug)]
pub(super) struct OrderQueues {
    order: Order,
    /// One entry for each sequence with a running job.
    waiting: HashMap<Sequence, VecDeque<Event>>,
}

impl OrderQueues {
    pub(super) fn new(order: Order) -> Self {
        Self { order, waiting: HashMap::new() }
    }

    /// The sequence of an event. `None` if it waits for no other.
    pub(super) fn sequence(&self, event: &Event) -> Option<Sequence> {
        let key = match self.order {
            Order::None => return None,
            Order::Key => Some(event.key.clone()?),
            Order::Partition => None,
        };
        Some(Sequence { partition: event.id.partition.clone(), generation: event.generation, key })
    }

    /// Returns the event if its job may start now; queues it otherwise.
    pub(super) fn admit(&mut self, sequence: Option<&Sequence>, event: Event) -> Result<Event, &Event> {
        let Some(sequence) = sequence else { return Ok(event) };
        if !self.waiting.contains_key(sequence) {
            self.waiting.insert(sequence.clone(), VecDeque::new());
            return Ok(event);
        }
        let queue = self.waiting.entry(sequence.clone()).or_default();
        queue.push_back(event);
        Err(&queue[queue.len() - 1])
    }

    /// Called when a job of the sequence has ended. Returns the event whose job starts next.
    pub(super) fn next(&mut self, sequence: &Sequence) -> Option<Event> {
        let next = self.waiting.get_mut(sequence)?.pop_front();
        if next.is_none() {
            self.waiting.remove(sequence);
        }
        next
    }

    /// How many events are waiting.
    pub(super) fn len(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }

    /// Removes and returns all waiting events of a partition.
    pub(super) fn forget(&mut self, partition: &Partition) -> Vec<Event> {
        let of_it = self.waiting.extract_if(|sequence, _| sequence.partition == *partition);
        of_it.flat_map(|(_, queue)| queue).collect()
    }
}
