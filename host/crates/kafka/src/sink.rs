//! The producer: a record counts as written once every in-sync replica has it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::log::LogOnly;
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
    producer: FutureProducer<LogOnly>,
}

impl KafkaSink {
    /// A producer for these brokers. Does not wait for a connection.
    pub fn open(settings: &Settings) -> Result<Self, SettingsError> {
        let producer = settings.producer()?.create_with_context(LogOnly).map_err(client_error)?;
        Ok(Self { producer })
    }

    /// Queues one record and waits while the queue is full: that is back-pressure, not an error.
    pub(super) async fn enqueue(&self, record: &Record) -> Result<Pending, SinkError> {
        loop {
            match self.producer.send_result(native(record)) {
                Ok(future) => {
                    return Ok(Pending { topic: Arc::clone(&record.topic), future });
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    tokio::time::sleep(QUEUE_FULL).await;
                }
                Err((error, _)) => return Err(failure(Arc::clone(&record.topic), error)),
            }
        }
    }
}

/// A record in flight.
pub(super) struct Pending {
    topic: Arc<str>,
    future: DeliveryFuture,
}

impl Pending {
    /// Waits for its acknowledgement and returns the number of its partition.
    pub(super) async fn acknowledged(self) -> Result<u32, SinkError> {
        match self.future.await {
            Ok(Ok(delivery)) => Ok(super::offsets::index(delivery.partition)),
            Ok(Err((error, _))) => Err(failure(self.topic, error)),
            Err(_) => Err(SinkError::Unavailable { topic: self.topic, source: anyhow!("the producer has shut down") }),
        }
    }
}

#[async_trait]
impl Sink for KafkaSink {
    async fn deliver(&self, records: Vec<Record>) -> Result<(), SinkError> {
        let mut pending = Vec::with_capacity(records.len());
        let mut result = Ok(());
        for record in &records {
            match self.enqueue(record).await {
                Ok(queued) => pending.push(queued),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        // Wait for all, even after an error: when this returns, nothing is in flight any more.
        for queued in pending {
            result = worse(result, queued.acknowledged().await.map(|_| ()));
        }
        result
    }
}

/// An unavailable broker stops the flow, so it outweighs a rejected record.
fn worse(first: Result<(), SinkError>, second: Result<(), SinkError>) -> Result<(), SinkError> {
    match (&first, &second) {
        (Ok(()), _) | (Err(SinkError::Refused { .. }), Err(SinkError::Unavailable { .. })) => second,
        _ => first,
    }
}

fn native(record: &Record) -> FutureRecord<'_, [u8], [u8]> {
    FutureRecord {
        topic: &record.topic,
        partition: record.partition.and_then(|partition| i32::try_from(partition).ok()),
        payload: record.payload.as_deref(),
        key: record.key.as_deref(),
        timestamp: Some(record.timestamp.0),
        headers: Some(headers(record)),
    }
}

pub(super) fn headers(record: &Record) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
    for header in &record.headers {
        headers = headers.insert(rdkafka::message::Header { key: &header.name, value: header.value.as_deref() });
    }
    headers
}

/// Whether the broker, or librdkafka on its behalf, will never accept the record.
pub(super) fn is_rejection(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::MessageBatchTooLarge
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::PolicyViolation
    )
}

/// What an error means to the flow.
fn failure(topic: Arc<str>, error: KafkaError) -> SinkError {
    match error.rdkafka_error_code() {
        Some(code) if is_rejection(code) => SinkError::Refused { topic, reason: code.to_string() },
        _ => SinkError::Unavailable { topic, source: error.into() },
    }
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

    fn failed(code: RDKafkaErrorCode) -> SinkError {
        failure("out".into(), KafkaError::MessageProduction(code))
    }

    #[test]
    fn only_a_fault_of_the_record_is_a_rejection() {
        assert!(matches!(failed(RDKafkaErrorCode::MessageSizeTooLarge), SinkError::Refused { .. }));
        assert!(matches!(failed(RDKafkaErrorCode::InvalidRecord), SinkError::Refused { .. }));
        for code in [
            RDKafkaErrorCode::MessageTimedOut,
            RDKafkaErrorCode::UnknownTopicOrPartition,
            RDKafkaErrorCode::TopicAuthorizationFailed,
            RDKafkaErrorCode::Fatal,
        ] {
            assert!(matches!(failed(code), SinkError::Unavailable { .. }), "{code:?}");
        }
    }

    #[test]
    fn an_unavailable_broker_outweighs_a_rejected_record() {
        let refused = || Err(failed(RDKafkaErrorCode::MessageSizeTooLarge));
        let unavailable = || Err(failed(RDKafkaErrorCode::MessageTimedOut));
        assert!(matches!(worse(refused(), unavailable()), Err(SinkError::Unavailable { .. })));
        assert!(matches!(worse(unavailable(), refused()), Err(SinkError::Unavailable { .. })));
        assert!(matches!(worse(refused(), Ok(())), Err(SinkError::Refused { .. })));
        assert!(worse(Ok(()), Ok(())).is_ok());
    }
}
