//! Which groups read which topics of an embedded broker. A topic of that broker says it, so that whoever sends from another
//! process knows whose reading makes room, by nothing but the broker's address.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::log::LogOnly;
use super::settings::{Settings, client_error};
use super::sink::KafkaSink;
use gristmill_core::model::Timestamp;
use gristmill_core::ports::{Record, Sink};

/// The topic: a record for each group, its key the topic that it reads. Has one partition.
pub(super) const READERS: &str = "__gristmill-readers";
/// The longest that looking it up may take: a few records from this machine.
const LONGEST: Duration = Duration::from_secs(10);

/// Says that the group reads the topic from now on.
pub(super) async fn register(settings: &Settings, topic: &str, group: &str) -> anyhow::Result<()> {
    let bytes = |text: &str| Some(Bytes::copy_from_slice(text.as_bytes()));
    let record = Record {
        topic: Arc::from(READERS),
        partition: None,
        key: bytes(topic),
        payload: bytes(group),
        headers: Vec::new(),
        timestamp: Timestamp(0),
    };
    KafkaSink::open(settings)?.deliver(vec![record]).await.context("cannot say which group reads the embedded broker")
}

/// The groups that read the topic; none where nobody has said so.
pub(super) fn of(settings: &Settings, topic: &str) -> anyhow::Result<BTreeSet<String>> {
    let consumer: BaseConsumer<LogOnly> = settings.assigner()?.create_with_context(LogOnly).map_err(client_error)?;
    let metadata = consumer.fetch_metadata(Some(READERS), LONGEST).context("no Kafka broker answers")?;
    let mut groups = BTreeSet::new();
    if metadata.topics().iter().all(|found| found.partitions().is_empty()) {
        return Ok(groups);
    }
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(READERS, 0, Offset::Beginning)?;
    consumer.assign(&list)?;
    let deadline = Instant::now() + LONGEST;
    while Instant::now() < deadline {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(record)) => {
                if record.key() == Some(topic.as_bytes())
                    && let Some(group) = record.payload()
                {
                    groups.insert(String::from_utf8_lossy(group).into_owned());
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(groups),
            Some(Err(error)) => return Err(error).context("cannot look up who reads the topic"),
            None => {}
        }
    }
    bail!("cannot look up who reads the topic within {LONGEST:?}")
}
