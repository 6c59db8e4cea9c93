//! The one place where positions become Kafka offsets.
//!
//! A committed offset is that of the first record *not* settled, our [`Next`]. librdkafka has two functions to store
//! one: the singular `store_offset` adds 1 to its argument, the plural `store_offsets` stores it unchanged. Only the
//! plural is used, and only here.

use std::collections::BTreeMap;
use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use gristmill_core::model::{Next, Partition, Position};

/// A record's offset as a position. Offsets of records are never negative.
pub(super) fn position(offset: i64) -> Position {
    Position(u128::from(offset.max(0).cast_unsigned()))
}

/// A partition's number as librdkafka wants it.
pub(super) fn number(partition: &Partition) -> i32 {
    i32::try_from(partition.index).unwrap_or(i32::MAX)
}

/// The reverse. Partitions of an assignment are never negative.
pub(super) fn index(number: i32) -> u32 {
    number.max(0).cast_unsigned()
}

/// The partition that librdkafka names; `topics` spares a copy of the name.
pub(super) fn partition(topic: &str, number: i32, topics: &[Arc<str>]) -> Partition {
    let known = topics.iter().find(|known| ***known == *topic);
    Partition { topic: known.map_or_else(|| topic.into(), Arc::clone), index: index(number) }
}

/// What is settled in the partitions of the current assignment, and how much of it is stored in librdkafka.
#[derive(Debug, Default)]
pub(super) struct Settled {
    below: BTreeMap<Partition, (Next, Known)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    HereOnly,
    Stored,
}

impl Settled {
    /// Notes the first event of a partition handed out under this assignment: nothing below it can be settled now.
    pub(super) fn begin(&mut self, partition: &Partition, first: Position) {
        if !self.below.contains_key(partition) {
            self.below.insert(partition.clone(), (Next(first.0), Known::Stored));
        }
    }

    /// Makes this the place where the group begins, before any event of the partition.
    pub(super) fn pin(&mut self, partition: Partition, begin: Next) {
        self.below.insert(partition, (begin, Known::HereOnly));
    }

    /// Notes that everything below is settled. Never moves back, not even to what an earlier assignment of the same
    /// partition left unsettled: someone else has settled that since.
    pub(super) fn note(&mut self, partition: &Partition, below: Next) {
        if let Some(entry) = self.below.get_mut(partition)
            && below > entry.0
        {
            *entry = (below, Known::HereOnly);
        }
    }

    /// Up to where a partition is settled, if it is known.
    pub(super) fn below(&self, partition: &Partition) -> Option<Next> {
        self.below.get(partition).map(|(below, _)| *below)
    }

    /// Ends the record of a partition that is no longer ours.
    pub(super) fn forget(&mut self, partition: &Partition) {
        self.below.remove(partition);
    }

    /// Stores what is new in librdkafka, for its next commit. Returns the number of partitions concerned.
    pub(super) fn store<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>) -> KafkaResult<usize> {
        let mut list = TopicPartitionList::new();
        for (partition, (next, known)) in &mut self.below {
            if *known == Known::HereOnly {
                let offset = i64::try_from(next.0).unwrap_or(i64::MAX);
                list.add_partition_offset(&partition.topic, number(partition), Offset::Offset(offset))?;
                *known = Known::Stored;
            }
        }
        match list.count() {
            0 => Ok(0),
            count => match consumer.store_offsets(&list) {
                // None of them is ours any more: they were revoked, and someone else settles them.
                Err(KafkaError::StoreOffset(RDKafkaErrorCode::State)) => Ok(0),
                stored => stored.map(|()| count),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;

    use super::*;

    fn partition() -> Partition {
        Partition { topic: "in".into(), index: 3 }
    }

    /// A consumer that owns the partition and contacts no broker.
    fn owner() -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("group.id", "g").set("enable.auto.offset.store", "false").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition("in", 3);
        consumer.assign(&list).unwrap();
        consumer
    }

    fn begun() -> Settled {
        let mut settled = Settled::default();
        settled.begin(&partition(), Position(5));
        settled
    }

    #[test]
    fn settlements_never_move_back() {
        let mut settled = begun();
        settled.note(&partition(), Next(8));
        settled.note(&partition(), Next(7));
        settled.begin(&partition(), Position(6));
        assert_eq!(settled.below[&partition()].0, Next(8));
    }

    #[test]
    fn nothing_is_settled_below_the_first_event_of_the_assignment() {
        let mut settled = begun();
        settled.note(&partition(), Next(5));
        assert_eq!(settled.store(&owner()).unwrap(), 0);
        settled.forget(&partition());
        settled.note(&partition(), Next(9));
        assert_eq!(settled.store(&owner()).unwrap(), 0, "nothing was handed out since");
    }

    #[test]
    fn what_is_stored_once_is_not_stored_again() {
        let consumer = owner();
        let mut settled = begun();
        settled.note(&partition(), Next(7));
        assert_eq!(settled.store(&consumer).unwrap(), 1);
        assert_eq!(settled.store(&consumer).unwrap(), 0);
        settled.note(&partition(), Next(8));
        assert_eq!(settled.store(&consumer).unwrap(), 1);
    }

    #[test]
    fn a_partition_that_is_not_ours_is_no_error() {
        let mut settled = Settled::default();
        let other = Partition { topic: "in".into(), index: 4 };
        settled.pin(other, Next(7));
        assert_eq!(settled.store(&owner()).unwrap(), 0);
    }
}
