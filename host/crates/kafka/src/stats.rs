//! How far a group has read a topic.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::log::LogOnly;
use super::offsets;
use super::settings::{Settings, check_topic_name, client_error};

/// How long each lookup may take.
const LOOKUP: Duration = Duration::from_secs(10);
/// How long to wait before a group without a coordinator is looked up again.
const AGAIN: Duration = Duration::from_millis(100);

/// One partition and how far a group has read it, as offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionStats {
    /// The partition's number.
    pub partition: u32,
    /// The oldest record that is left.
    pub low: i64,
    /// The offset of the next record to be written.
    pub high: i64,
    /// The first record the group has not settled, if it has ever committed.
    pub committed: Option<i64>,
}

impl PartitionStats {
    /// Where the group resumes: at what it committed, or at the beginning.
    #[must_use]
    pub fn next(&self) -> i64 {
        self.committed.unwrap_or(self.low).clamp(self.low, self.high)
    }

    /// How many offsets are not settled; the number of records if there are no gaps.
    #[must_use]
    pub fn lag(&self) -> u64 {
        (self.high - self.next()).unsigned_abs()
    }
}

/// The partitions of a topic in order, with what `group` has committed. Waits for the broker at most 10 s per lookup.
pub async fn topic_stats(settings: &Settings, topic: &str, group: Option<&str>) -> anyhow::Result<Vec<PartitionStats>> {
    let (settings, topic, group) = (settings.clone(), topic.to_owned(), group.map(str::to_owned));
    tokio::task::spawn_blocking(move || look(&settings, &topic, group.as_deref())).await?
}

/// What the group has committed. Tries again while it has no coordinator, as for a moment before its first commit and after
/// a broker is lost.
fn committed_by_group(
    consumer: &BaseConsumer<LogOnly>,
    partitions: TopicPartitionList,
) -> KafkaResult<TopicPartitionList> {
    let deadline = Instant::now() + LOOKUP;
    loop {
        let looked_up = consumer.committed_offsets(partitions.clone(), LOOKUP);
        let code = looked_up.as_ref().err().and_then(KafkaError::rdkafka_error_code);
        match code {
            Some(
                RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::CoordinatorLoadInProgress,
            ) if Instant::now() < deadline => std::thread::sleep(AGAIN),
            _ => return looked_up,
        }
    }
}

pub(super) fn look(settings: &Settings, topic: &str, group: Option<&str>) -> anyhow::Result<Vec<PartitionStats>> {
    check_topic_name(topic)?;
    let mut config = settings.reader()?;
    if let Some(group) = group {
        config.set("group.id", group);
    }
    let consumer: BaseConsumer<LogOnly> = config.create_with_context(LogOnly).map_err(client_error)?;
    let numbers = partitions(&consumer, topic)?;
    let mut committed = TopicPartitionList::new();
    for number in &numbers {
        committed.add_partition(topic, *number);
    }
    if group.is_some() {
        committed = committed_by_group(&consumer, committed).context("cannot look up committed offsets")?;
    }
    let mut stats = Vec::new();
    for number in numbers {
        let (low, high) = consumer
            .fetch_watermarks(topic, number, LOOKUP)
            .with_context(|| format!("cannot look up the ends of {topic}/{number}"))?;
        let committed = match committed.find_partition(topic, number).map(|element| element.offset()) {
            Some(Offset::Offset(offset)) => Some(offset),
            _ => None,
        };
        stats.push(PartitionStats { partition: offsets::index(number), low, high, committed });
    }
    Ok(stats)
}

/// The numbers of a topic's partitions, in order.
pub(super) fn partitions(consumer: &BaseConsumer<LogOnly>, topic: &str) -> anyhow::Result<Vec<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), LOOKUP).context("no Kafka broker answers")?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let mut numbers: Vec<i32> =
        found.map_or_else(Vec::new, |topic| topic.partitions().iter().map(|p| p.id()).collect());
    numbers.sort_unstable();
    match numbers.is_empty() {
        true => Err(anyhow!("topic {topic} does not exist")),
        false => Ok(numbers),
    }
}
