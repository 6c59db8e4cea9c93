//! The upper bound: rdkafka alone, with the producer settings of Gristmill.

use std::time::{Duration, Instant};

use gristmill_kafka::Settings;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use super::{Run, cpu_time};

/// Joining a group takes some seconds; a longer silence means that the measurement failed.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// Copies this many records from topic to topic and commits them when all are acknowledged.
pub(crate) fn run(settings: &Settings, source: &str, group: &str, sink: &str, count: usize) -> Run {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &settings.brokers)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", &settings.brokers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "5")
        .set("compression.type", "lz4")
        .create()
        .unwrap();
    consumer.subscribe(&[source]).unwrap();
    let mut begun = None;
    let (mut taken, mut heard) = (0, Instant::now());
    while taken < count {
        let Some(message) = consumer.poll(Duration::from_secs(1)) else {
            assert!(heard.elapsed() < LONGEST_SILENCE, "{taken} of {count} records arrived, then none");
            continue;
        };
        heard = Instant::now();
        let message = message.unwrap();
        begun.get_or_insert_with(|| (Instant::now(), cpu_time()));
        let mut record = BaseRecord::<[u8], [u8]>::to(sink).payload(message.payload().unwrap());
        while let Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) = producer.send(record) {
            record = back;
            std::thread::sleep(Duration::from_millis(1));
        }
        taken += 1;
    }
    producer.flush(Duration::from_secs(60)).unwrap();
    consumer.commit_consumer_state(CommitMode::Sync).unwrap();
    let (wall, cpu) = begun.unwrap();
    Run { wall: wall.elapsed(), cpu: cpu_time() - cpu }
}
