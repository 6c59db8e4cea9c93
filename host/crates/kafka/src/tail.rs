//! Reads a topic without joining a group: nothing is committed and no member is affected.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::log::LogOnly;
use super::settings::{Settings, check_topic_name, client_error};
use super::{message, stats};
use gristmill_core::model::{Event, Generation};
use gristmill_core::ports::{From, Records, Until};

/// How many records wait for a slow reader before polling stops.
const AHEAD: usize = 64;
/// How long the thread may outlive the [`Tail`].
const POLL: Duration = Duration::from_millis(100);

/// The records of a topic as they arrive. They are read by a thread that ends within 0.1 s after this is dropped.
pub struct Tail {
    records: Receiver<anyhow::Result<Event>>,
}

impl Tail {
    /// Begins to read. Waits at most 10 s for the broker and fails if the topic does not exist.
    pub async fn open(settings: &Settings, topic: &str, from: From, until: Until) -> anyhow::Result<Self> {
        let (settings, topic) = (settings.clone(), topic.to_owned());
        tokio::task::spawn_blocking(move || Self::begin(&settings, &topic, from, until)).await?
    }

    fn begin(settings: &Settings, topic: &str, from: From, until: Until) -> anyhow::Result<Self> {
        check_topic_name(topic)?;
        let mut config = settings.assigner()?;
        // If the requested record is gone by now, the oldest one left comes next.
        config.set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer<LogOnly> = config.create_with_context(LogOnly).map_err(client_error)?;
        let mut list = TopicPartitionList::new();
        for number in stats::partitions(&consumer, topic)? {
            let offset = match from {
                From::Start => Offset::Beginning,
                From::End | From::Last(0) => Offset::End,
                From::Last(count) => Offset::OffsetTail(count.into()),
            };
            list.add_partition_offset(topic, number, offset)?;
        }
        consumer.assign(&list)?;
        let (sender, records) = channel(AHEAD);
        let topic = topic.into();
        let open = list.elements().iter().map(|element| element.partition()).collect();
        thread::Builder::new()
            .name("kafka-tail".into())
            .spawn(move || read(&consumer, &[topic], &sender, until, open))
            .context("cannot start a thread")?;
        Ok(Self { records })
    }

    /// The next record; `None` at the end. Cancel-safe. Records have no generation of their own.
    pub async fn next(&mut self) -> Option<anyhow::Result<Event>> {
        self.records.recv().await
    }
}

#[async_trait]
impl Records for Tail {
    async fn next(&mut self) -> Option<anyhow::Result<Event>> {
        self.records.recv().await
    }
}

fn read(
    consumer: &BaseConsumer<LogOnly>,
    topics: &[Arc<str>],
    records: &Sender<anyhow::Result<Event>>,
    until: Until,
    mut open: BTreeSet<i32>,
) {
    while !records.is_closed() {
        let record = match consumer.poll(POLL) {
            None => continue,
            Some(Ok(record)) => {
                let partition = message::partition(&record, topics);
                Ok(message::event(&record, partition, Generation::default()))
            }
            Some(Err(KafkaError::PartitionEOF(number))) => {
                open.remove(&number);
                if open.is_empty() && until == Until::End {
                    return;
                }
                continue;
            }
            // librdkafka reconnects by itself, and needs no permission for a group that nobody joins.
            Some(Err(error)) if is_transient(&error) => continue,
            Some(Err(error)) => Err(error.into()),
        };
        let failed = record.is_err();
        if records.blocking_send(record).is_err() || failed {
            return;
        }
    }
}

/// Whether librdkafka recovers from this by itself.
pub(super) fn is_transient(error: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::OperationTimedOut
                | Code::GroupAuthorizationFailed
        )
    )
}
