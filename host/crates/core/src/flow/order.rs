//! Jobs that wait for each other: of one key, or of one partition.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use super::settings::Order;
use crate::model::{Event, Generation, Partition};

/// The jobs of one sequence run one after the other. Sequences of different assignments have nothing to do with each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Sequence {
    partition: Partition,
    generation: Generation,
    key: Option<Bytes>,
}

/// The events that wait until another job of their sequence has ended.
#[derive(Debug)]
pub(super) struct OrderQueues {
    order: Order,
    /// An entry for each sequence that a job runs for.
    waiting: HashMap<Sequence, VecDeque<Event>>,
}

impl OrderQueues {
    pub(super) fn new(order: Order) -> Self {
        Self { order, waiting: HashMap::new() }
    }

    /// The sequence that an event belongs to; `None` when it waits for nobody.
    pub(super) fn sequence(&self, event: &Event) -> Option<Sequence> {
        let key = match self.order {
            Order::None => return None,
            Order::Key => Some(event.key.clone()?),
            Order::Partition => None,
        };
        Some(Sequence { partition: event.id.partition.clone(), generation: event.generation, key })
    }

    /// Gives the event back if its job may begin now.
    pub(super) fn admit(&mut self, sequence: Option<&Sequence>, event: Event) -> Option<Event> {
        let Some(sequence) = sequence else { return Some(event) };
        match self.waiting.get_mut(sequence) {
            Some(queue) => {
                queue.push_back(event);
                None
            }
            None => {
                self.waiting.insert(sequence.clone(), VecDeque::new());
                Some(event)
            }
        }
    }

    /// A job of the sequence has ended: the event whose job begins now.
    pub(super) fn next(&mut self, sequence: &Sequence) -> Option<Event> {
        let next = self.waiting.get_mut(sequence)?.pop_front();
        if next.is_none() {
            self.waiting.remove(sequence);
        }
        next
    }

    /// How many events wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }

    /// Takes out all events of a partition that wait.
    pub(super) fn forget(&mut self, partition: &Partition) -> Vec<Event> {
        let of_it = self.waiting.extract_if(|sequence, _| sequence.partition == *partition);
        of_it.flat_map(|(_, queue)| queue).collect()
    }
}
