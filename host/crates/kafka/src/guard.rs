//! The guard of the embedded broker, which drops what exceeds 5 MiB in a partition except its newest record: nothing may be
//! appended while too much of a partition is unread.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::log::LogOnly;
use super::settings::{Settings, client_error};
use super::{message, offsets, stats};
use gristmill_core::model::Size;

/// What may be unread in one partition: 4 MiB of the 5 that the embedded broker keeps.
const MOST_UNREAD: usize = 4 << 20;
/// Counted for each record besides its bytes: more than the format needs, even for a record that is a batch of its own.
const OVERHEAD: usize = 128;
/// The longest that reading back may take: a few MiB from this machine.
const LONGEST: Duration = Duration::from_secs(30);

/// The unread bytes of a topic's partitions, by number.
pub type Unread = BTreeMap<u32, usize>;

/// The embedded broker would drop what nobody has read yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{topic}/{partition} has {unread} unread bytes, the embedded broker holds at most 4 MiB per partition safely, and no \
     pipeline reads this topic; run one, send less, or use Apache Kafka"
)]
pub struct Full {
    /// The topic.
    pub topic: String,
    /// The fullest of its partitions.
    pub partition: u32,
    /// Its unread bytes.
    pub unread: usize,
}

/// Checks that a record that costs `new_bytes` may be appended, whichever partition it goes to, while `in_flight` are on
/// their way to any. One that is larger than a partition may go where everything is read: it is kept whole until the next.
pub(super) fn may_append(topic: &str, unread: &Unread, in_flight: usize, new_bytes: usize) -> Result<(), Full> {
    match unread.iter().max_by_key(|(_, unread)| **unread) {
        Some((partition, unread)) if *unread + in_flight > 0 && unread + in_flight + new_bytes > MOST_UNREAD => {
            Err(Full { topic: topic.into(), partition: *partition, unread: *unread })
        }
        _ => Ok(()),
    }
}

/// What a record counts that has this many bytes in key, value and headers.
pub(super) fn cost(bytes: usize) -> usize {
    bytes + OVERHEAD
}

/// The unread bytes of each partition of a topic: those after what `reader` has committed, or all if there is no reader.
/// Reads them back to count them: only for the embedded broker, where they are few.
pub async fn unread(settings: &Settings, topic: &str, reader: Option<&str>) -> anyhow::Result<Unread> {
    let (settings, topic, reader) = (settings.clone(), topic.to_owned(), reader.map(str::to_owned));
    tokio::task::spawn_blocking(move || count(&settings, &topic, reader.as_deref())).await?
}

/// The same for several readers: what any of them has not read. The records they have all read make room.
pub(super) fn by_any(settings: &Settings, topic: &str, readers: &BTreeSet<String>) -> anyhow::Result<Unread> {
    let mut most = Unread::new();
    for reader in readers {
        for (partition, unread) in count(settings, topic, Some(reader))? {
            let most = most.entry(partition).or_default();
            *most = unread.max(*most);
        }
    }
    Ok(most)
}

pub(super) fn count(settings: &Settings, topic: &str, reader: Option<&str>) -> anyhow::Result<Unread> {
    let stats = stats::look(settings, topic, reader)?;
    let mut unread = Unread::new();
    let mut list = TopicPartitionList::new();
    for partition in &stats {
        unread.insert(partition.partition, 0);
        // Not `next()`: after a large record the low watermark is wrong, and behind the record itself.
        let next = partition.committed.unwrap_or(partition.low);
        if next < partition.high {
            let number = i32::try_from(partition.partition)?;
            list.add_partition_offset(topic, number, Offset::Offset(next))?;
        }
    }
    let mut config = settings.assigner()?;
    // What a reader has not read may be gone: then the rest counts.
    config.set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer<LogOnly> = config.create_with_context(LogOnly).map_err(client_error)?;
    consumer.assign(&list)?;
    let mut open: BTreeSet<i32> = list.elements().iter().map(|element| element.partition()).collect();
    let deadline = Instant::now() + LONGEST;
    while !open.is_empty() {
        if Instant::now() >= deadline {
            bail!("cannot count the unread records of topic {topic} within {LONGEST:?}");
        }
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                let bytes = message.key_len() + message.payload_len() + message::headers(&message).0.size();
                *unread.entry(offsets::index(message.partition())).or_default() += cost(bytes);
            }
            Some(Err(KafkaError::PartitionEOF(number))) => {
                open.remove(&number);
            }
            Some(Err(error)) => return Err(error).with_context(|| format!("cannot read topic {topic} back")),
            None => {}
        }
    }
    Ok(unread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_partition_decides() {
        let unread = Unread::from([(0, 10), (1, MOST_UNREAD - 100), (2, 50)]);
        assert_eq!(may_append("in", &unread, 0, 100), Ok(()));
        let full = Full { topic: "in".into(), partition: 1, unread: MOST_UNREAD - 100 };
        assert_eq!(may_append("in", &unread, 0, 101), Err(full.clone()));
        assert_eq!(may_append("in", &unread, 60, 41), Err(full));
    }

    #[test]
    fn a_record_larger_than_a_partition_needs_one_that_is_read() {
        let large = 64 << 20;
        assert_eq!(may_append("in", &Unread::from([(0, 0), (1, 0)]), 0, large), Ok(()));
        assert!(may_append("in", &Unread::from([(0, 0), (1, 1)]), 0, large).is_err());
        assert!(may_append("in", &Unread::from([(0, 0)]), 1, large).is_err());
        assert!(may_append("in", &Unread::from([(0, large)]), 0, 1).is_err(), "the next one would drop it");
    }
}
