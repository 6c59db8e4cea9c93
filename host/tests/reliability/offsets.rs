//! Reads the offsets of a group and of topics without joining the group.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::task::block_in_place;

const LOOKUP: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(200);

/// Reads offsets for one group.
pub(crate) struct Offsets(BaseConsumer);

impl Offsets {
    pub(crate) fn new(broker: &str, group: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker).set("group.id", group).set("enable.auto.commit", "false");
        // An open transaction must not hide the end of a topic.
        config.set("isolation.level", "read_uncommitted");
        Self(config.create().unwrap())
    }

    /// The first offset of each partition that the group has not settled. Asks again while the group has no coordinator,
    /// as for a moment after a broker was away.
    pub(crate) fn committed(&self, topic: &str, partitions: i32) -> KafkaResult<Vec<u64>> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions - 1);
        let deadline = Instant::now() + LOOKUP;
        let list = loop {
            let looked_up = block_in_place(|| self.0.committed_offsets(list.clone(), LOOKUP));
            let code = looked_up.as_ref().err().and_then(KafkaError::rdkafka_error_code);
            match code {
                Some(
                    RDKafkaErrorCode::NotCoordinator
                    | RDKafkaErrorCode::CoordinatorNotAvailable
                    | RDKafkaErrorCode::CoordinatorLoadInProgress,
                ) if Instant::now() < deadline => block_in_place(|| std::thread::sleep(AGAIN)),
                _ => break looked_up?,
            }
        };
        let offset = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match element.offset() {
            Offset::Offset(offset) => offset.unsigned_abs(),
            _ => 0,
        };
        Ok(list.elements().iter().map(offset).collect())
    }

    /// Whether the group has so many members, and no partitions are moving between them.
    pub(crate) fn is_stable(&self, group: &str, members: usize) -> bool {
        let Ok(list) = block_in_place(|| self.0.fetch_group_list(Some(group), LOOKUP)) else { return false };
        list.groups().iter().any(|group| group.state() == "Stable" && group.members().len() == members)
    }

    /// The offset of the next record of each partition.
    pub(crate) fn ends(&self, topic: &str, partitions: i32) -> KafkaResult<Vec<u64>> {
        let end = |partition| {
            let (_, end) = block_in_place(|| self.0.fetch_watermarks(topic, partition, LOOKUP))?;
            Ok(end.unsigned_abs())
        };
        (0..partitions).map(end).collect()
    }
}
