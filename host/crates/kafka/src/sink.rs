//! The producer: a record counts as written once every in-sync replica has it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseRecord, ThreadedProducer};

use super::acks::{Acks, Delivery, failure};
use super::settings::{Settings, SettingsError, client_error};
use gristmill_core::ports::{Record, Sink, SinkError};

/// How long a full queue may drain before the next attempt.
const QUEUE_FULL: Duration = Duration::from_millis(20);

/// A [`Sink`] on Kafka topics: one idempotent producer, shared by everyone who holds it.
///
/// A delivery that is not acknowledged within `message.timeout.ms` (by default 120 s) fails with
/// [`SinkError::Unavailable`]. Dropping it abandons records in flight; that takes less than a second, even while the
/// brokers are unreachable. A record with the timestamp 0 gets the time of its delivery: librdkafka reads 0 as none.
pub struct KafkaSink {
    producer: ThreadedProducer<Acks>,
}

impl KafkaSink {
    /// A producer for these brokers. Does not wait for a connection.
    pub fn open(settings: &Settings) -> Result<Self, SettingsError> {
        let producer = settings.producer()?.create_with_context(Acks).map_err(client_error)?;
        Ok(Self { producer })
    }

    /// Queues one record, and returns where its acknowledgement arrives.
    pub(super) async fn send(&self, record: &Record) -> Result<Arc<Delivery>, SinkError> {
        let delivery = Delivery::of(1);
        self.enqueue(record, &delivery).await?;
        Ok(delivery)
    }

    /// Queues one record of a delivery and waits while the queue is full: that is back-pressure, not an error.
    async fn enqueue(&self, record: &Record, delivery: &Arc<Delivery>) -> Result<(), SinkError> {
        let mut native = native(record, delivery);
        loop {
            match self.producer.send(native) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => native = back,
                Err((error, _)) => return Err(failure(Arc::clone(&record.topic), error)),
            }
            tokio::time::sleep(QUEUE_FULL).await;
        }
    }
}

#[async_trait]
impl Sink for KafkaSink {
    async fn deliver(&self, records: Vec<Record>) -> Result<(), SinkError> {
        let delivery = Delivery::of(records.len());
        for (index, record) in records.iter().enumerate() {
            if let Err(error) = self.enqueue(record, &delivery).await {
                delivery.give_up(records.len() - index, error);
                break;
            }
        }
        delivery.acknowledged().await.map(drop)
    }
}

fn native<'r>(record: &'r Record, delivery: &Arc<Delivery>) -> BaseRecord<'r, [u8], [u8], Arc<Delivery>> {
    BaseRecord {
        topic: &record.topic,
        partition: record.partition.and_then(|partition| i32::try_from(partition).ok()),
        payload: record.payload.as_deref(),
        key: record.key.as_deref(),
        timestamp: Some(record.timestamp.0),
        headers: Some(headers(record)),
        delivery_opaque: Arc::clone(delivery),
    }
}

pub(super) fn headers(record: &Record) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
    for header in &record.headers {
        headers = headers.insert(rdkafka::message::Header { key: &header.name, value: header.value.as_deref() });
    }
    headers
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use gristmill_core::model::Timestamp;

    #[tokio::test]
    async fn dropping_a_sink_with_records_for_an_unreachable_broker_is_quick() {
        let sink = KafkaSink::open(&Settings::new("127.0.0.1:1")).unwrap();
        let record = Record {
            topic: "out".into(),
            partition: None,
            key: None,
            payload: None,
            headers: Vec::new(),
            timestamp: Timestamp(1),
        };
        let records = vec![record; 1_000];
        let begun = tokio::time::timeout(Duration::from_millis(200), sink.deliver(records)).await;
        assert!(begun.is_err(), "it cannot have been delivered");
        let dropped = Instant::now();
        tokio::task::spawn_blocking(move || drop(sink)).await.unwrap();
        assert!(dropped.elapsed() < Duration::from_secs(3), "{:?}", dropped.elapsed());
    }
}
