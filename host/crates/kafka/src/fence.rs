//! What keeps a transaction from settling what is no longer ours: the assignment as the polling thread knows it, and
//! the group's own proof of it.
//!
//! The proof is the group metadata: the broker rejects offsets that come with a generation which has ended. So the
//! metadata is taken first, and then ownership is checked. A partition that is still ours at the check was ours when
//! the metadata was taken, because the polling thread removes it here before it releases it; if it is assigned to
//! someone else after that, the group has moved on to a generation that is not in the metadata.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::bindings::{
    rd_kafka_consumer_group_metadata, rd_kafka_consumer_group_metadata_destroy,
    rd_kafka_consumer_group_metadata_generation_id,
};
use rdkafka::consumer::{Consumer, ConsumerGroupMetadata};
use rdkafka::{Offset, TopicPartitionList};

use super::offsets;
use super::reports::Member;
use gristmill_core::model::{Generation, Next, Partition};
use gristmill_core::ports::Settlement;

/// Shared by the polling thread, which writes it, and the thread that runs transactions.
pub(super) struct Fence {
    /// The consumer group.
    pub(super) group: String,
    /// Locked, because two threads use it. The lock is held for a look at a map, never during a call of librdkafka.
    state: Mutex<State>,
}

struct State {
    /// `None` once the source closes.
    consumer: Option<Arc<Member>>,
    owned: BTreeMap<Partition, Owned>,
}

/// A partition that is ours.
struct Owned {
    generation: Generation,
    /// Up to where transactions have settled it.
    settled: Option<Next>,
}

/// The outcome of a commit that did not report it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Committed,
    Aborted,
}

impl Fence {
    pub(super) fn new(group: &str, consumer: Arc<Member>) -> Self {
        Self { group: group.into(), state: Mutex::new(State { consumer: Some(consumer), owned: BTreeMap::new() }) }
    }

    /// Partitions are ours from now on.
    pub(super) fn assign(&self, partitions: &[Partition], generation: Generation) {
        let owned = |partition: &Partition| (partition.clone(), Owned { generation, settled: None });
        self.state().owned.extend(partitions.iter().map(owned));
    }

    /// Partitions are about to be released. Must be called before they are.
    pub(super) fn revoke(&self, partitions: &[Partition]) {
        let mut state = self.state();
        for partition in partitions {
            state.owned.remove(partition);
        }
    }

    /// Lookups use this consumer from now on. Nothing may be ours at the moment.
    pub(super) fn replace(&self, consumer: Arc<Member>) {
        self.state().consumer = Some(consumer);
    }

    /// Nothing is ours any more, and no new lookup can use the consumer.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.consumer = None;
        state.owned.clear();
    }

    /// Checks that every partition is still owned as its settlement says; else returns why not.
    pub(super) fn check(&self, settled: &[Settlement]) -> Result<(), String> {
        let state = self.state();
        match settled.iter().find(|settlement| !state.owns(settlement)) {
            Some(lost) => Err(format!("{} was revoked", lost.partition)),
            None => Ok(()),
        }
    }

    /// Returns what proves to the broker that these settlements are ours to make; else why they are not.
    pub(super) fn proof(&self, settled: &[Settlement]) -> Result<ConsumerGroupMetadata, String> {
        const OUT: &str = "this host is not in the group at the moment";
        let consumer = self.consumer().ok_or("the source has ended")?;
        // The broker accepts offsets without a generation from anyone, and a member that was removed from the group has
        // none. The metadata does not show it, so the generation is read before and after.
        let before = generation(&consumer);
        let metadata = consumer.group_metadata().ok_or(OUT)?;
        if before.is_none() || before != generation(&consumer) {
            return Err(OUT.into());
        }
        self.check(settled)?;
        Ok(metadata)
    }

    /// Looks up whether a transaction with these settlements was committed. It must have ended. The group's committed
    /// offsets show it: a transaction changes all of its offsets or none, and nobody else changes those of our
    /// partitions.
    pub(super) fn outcome(&self, settled: &[Settlement], longest: Duration) -> anyhow::Result<Outcome> {
        let consumer = self.consumer().context("the source has ended")?;
        let committed =
            consumer.committed_offsets(list(settled)?, longest).context("cannot look up the committed offsets")?;
        let state = self.state();
        let Some(ours) = settled.iter().find(|settlement| state.owns(settlement)) else {
            // The transaction has ended, and the next owner resumes where it ended: for us the partitions are lost
            // either way, and nothing of them is retried.
            return Ok(Outcome::Aborted);
        };
        let found = committed.find_partition(&ours.partition.topic, offsets::number(&ours.partition));
        let found = found.context("the broker's answer lacks a partition")?;
        found.error().context("cannot look up the committed offsets")?;
        match found.offset() == offset(ours) {
            true => Ok(Outcome::Committed),
            false => Ok(Outcome::Aborted),
        }
    }

    /// Notes what a transaction has settled, for those who watch how far the group is.
    pub(super) fn committed(&self, settled: &[Settlement]) {
        let mut state = self.state();
        for settlement in settled {
            if let Some(owned) = state.owned.get_mut(&settlement.partition)
                && owned.generation == settlement.generation
            {
                owned.settled = owned.settled.max(Some(settlement.below));
            }
        }
    }

    /// Up to where transactions have settled a partition since it was assigned.
    pub(super) fn settled(&self, partition: &Partition) -> Option<Next> {
        self.state().owned.get(partition)?.settled
    }

    /// The consumer that lookups use; `None` once the source closes.
    pub(super) fn consumer(&self) -> Option<Arc<Member>> {
        self.state().consumer.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics in the few lines under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn owns(&self, settlement: &Settlement) -> bool {
        self.owned.get(&settlement.partition).is_some_and(|owned| owned.generation == settlement.generation)
    }
}

/// The settlements as offsets.
pub(super) fn list(settled: &[Settlement]) -> anyhow::Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for settlement in settled {
        let Settlement { partition, .. } = settlement;
        list.add_partition_offset(&partition.topic, offsets::number(partition), offset(settlement))?;
    }
    Ok(list)
}

fn offset(settlement: &Settlement) -> Offset {
    Offset::Offset(i64::try_from(settlement.below.0).unwrap_or(i64::MAX))
}

/// The generation of the group that the member is in; `None` if it is in none.
pub(super) fn generation(consumer: &Member) -> Option<i32> {
    // SAFETY: the client outlives this call. The metadata is a copy created for us; it is read and then
    // destroyed.
    #[allow(unsafe_code)]
    let generation = unsafe {
        let metadata = rd_kafka_consumer_group_metadata(consumer.client().native_ptr());
        if metadata.is_null() {
            return None;
        }
        let generation = rd_kafka_consumer_group_metadata_generation_id(metadata);
        rd_kafka_consumer_group_metadata_destroy(metadata);
        generation
    };
    (generation > 0).then_some(generation)
}
