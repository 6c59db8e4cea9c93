//! Jobs that wait for each other: of one key, or of one partition.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use super::Order;
use crate::model::{Event, Generation, Partition};

/// The jobs of one turn run one after the other. Turns of different assignments have nothing to do with each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Turn {
    partition: Partition,
    generation: Generation,
    key: Option<Bytes>,
}

/// The events that wait until another job of their turn has ended.
#[derive(Debug)]
pub(super) struct Queues {
    order: Order,
    /// An entry for each turn that a job runs for.
    waiting: HashMap<Turn, VecDeque<Event>>,
}

impl Queues {
    pub(super) fn new(order: Order) -> Self {
        Self { order, waiting: HashMap::new() }
    }

    /// The turn that an event belongs to; `None` when it waits for nobody.
    pub(super) fn turn(&self, event: &Event) -> Option<Turn> {
        let key = match self.order {
            Order::None => return None,
            Order::Key => Some(event.key.clone()?),
            Order::Partition => None,
        };
        Some(Turn { partition: event.id.partition.clone(), generation: event.generation, key })
    }

    /// Gives the event back if its job may begin now.
    pub(super) fn admit(&mut self, turn: Option<&Turn>, event: Event) -> Option<Event> {
        let Some(turn) = turn else { return Some(event) };
        match self.waiting.get_mut(turn) {
            Some(queue) => {
                queue.push_back(event);
                None
            }
            None => {
                self.waiting.insert(turn.clone(), VecDeque::new());
                Some(event)
            }
        }
    }

    /// A job of the turn has ended: the event whose job begins now.
    pub(super) fn next(&mut self, turn: &Turn) -> Option<Event> {
        let next = self.waiting.get_mut(turn)?.pop_front();
        if next.is_none() {
            self.waiting.remove(turn);
        }
        next
    }

    /// Takes out all events of a partition that wait.
    pub(super) fn forget(&mut self, partition: &Partition) -> Vec<Event> {
        let of_it = self.waiting.extract_if(|turn, _| turn.partition == *partition);
        of_it.flat_map(|(_, queue)| queue).collect()
    }
}
