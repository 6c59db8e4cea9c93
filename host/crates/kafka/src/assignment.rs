//! The partitions that are ours, each with the generation it was assigned in.

use std::collections::BTreeMap;
use std::sync::Arc;

use rdkafka::TopicPartitionList;

use super::fence::Fence;
use super::offsets;
use super::reports::Member;
use gristmill_core::model::{Generation, Next, Partition};

/// What the polling thread owns, and the fence that shows it to transactions.
pub(super) struct Assignment {
    newest: Generation,
    owned: BTreeMap<Partition, Generation>,
    fence: Arc<Fence>,
}

impl Assignment {
    pub(super) fn new(fence: Arc<Fence>) -> Self {
        Self { newest: Generation::default(), owned: BTreeMap::new(), fence }
    }

    pub(super) fn generation(&self, partition: &Partition) -> Option<Generation> {
        self.owned.get(partition).copied()
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.owned.keys()
    }

    /// All of them, as librdkafka wants them.
    pub(super) fn list(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in self.owned.keys() {
            list.add_partition(&partition.topic, offsets::number(partition));
        }
        list
    }

    /// What transactions have settled in a partition since it was assigned.
    pub(super) fn settled_by_transactions(&self, partition: &Partition) -> Option<Next> {
        self.fence.settled(partition)
    }

    /// Begins a generation of these partitions.
    pub(super) fn begin(&mut self, partitions: &[Partition]) -> Generation {
        self.newest.0 += 1;
        for partition in partitions {
            self.owned.insert(partition.clone(), self.newest);
        }
        self.fence.assign(partitions, self.newest);
        self.newest
    }

    /// Ends the generation of these partitions. Must happen before they are released.
    pub(super) fn end(&mut self, partitions: &[Partition]) {
        // First of all: no transaction may begin to settle what is about to be released.
        self.fence.revoke(partitions);
        for partition in partitions {
            self.owned.remove(partition);
        }
    }

    /// Lookups of transactions use this consumer from now on. Every generation must have ended.
    pub(super) fn replace(&self, consumer: Arc<Member>) {
        self.fence.replace(consumer);
    }

    /// Ends all of them for transactions. No new lookup can use the consumer.
    pub(super) fn close(&self) {
        self.fence.close();
    }
}
