//! What exactly-once assumes of the broker, shown with librdkafka alone: on a broker that does not meet this, none of our
//! tests prove anything.

use std::time::{Duration, Instant};

use gristmill_core::ports::{From, Source};
use gristmill_kafka::Settings;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::KafkaResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::harness::{Harness, PATIENCE, assigned};
use crate::kafka::{Classic, address, fresh_name};
use crate::tools::tailed;

/// A producer that has taken over this transactional id.
pub(crate) fn taken_over(id: &str) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address()).set("transactional.id", id);
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer
}

fn consumer(group: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address()).set("group.id", group).set("heartbeat.interval.ms", "200");
    config.create().unwrap()
}

/// Commits a transaction that contains only the offset 1 in the first partition.
fn settle(topic: &str, group: &ConsumerGroupMetadata) -> KafkaResult<()> {
    let producer = taken_over(&fresh_name());
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(topic, 0, Offset::Offset(1)).unwrap();
    producer.begin_transaction().unwrap();
    producer.send_offsets_to_transaction(&offsets, group, PATIENCE)?;
    producer.commit_transaction(PATIENCE)
}

/// Polls all of them until the last one has partitions.
fn until_assigned(consumers: &[&BaseConsumer]) {
    let begun = Instant::now();
    while consumers.last().unwrap().assignment().unwrap().count() == 0 {
        assert!(begun.elapsed() < PATIENCE, "nothing was assigned");
        for consumer in consumers {
            drop(consumer.poll(Duration::from_millis(20)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_hides_aborted_records() {
    let harness = Classic::fresh(1).await;
    let producer = taken_over(&fresh_name());
    for text in ["aborted", "committed"] {
        producer.begin_transaction().unwrap();
        producer.send(BaseRecord::to(harness.topic()).key("k").payload(text)).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
        match text {
            "aborted" => producer.abort_transaction(PATIENCE).unwrap(),
            _ => producer.commit_transaction(PATIENCE).unwrap(),
        }
    }
    let mut settings = Settings::new(&address());
    assert_eq!(tailed(&settings, harness.topic(), From::Start).await, ["committed"]);
    settings.properties.insert("isolation.level".into(), "read_uncommitted".into());
    assert_eq!(
        tailed(&settings, harness.topic(), From::Start).await,
        ["aborted", "committed"],
        "the aborted one is stored"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_rejects_offsets_of_a_generation_that_has_ended() {
    let harness = Classic::fresh(2).await;
    let (topic, group) = (harness.topic(), fresh_name());
    let (first, second) = (consumer(&group), consumer(&group));
    first.subscribe(&[topic]).unwrap();
    until_assigned(&[&first]);
    let before = first.group_metadata().unwrap();
    settle(topic, &before).unwrap();
    second.subscribe(&[topic]).unwrap();
    until_assigned(&[&first, &second]);
    assert!(settle(topic, &before).is_err(), "its generation has ended");
    settle(topic, &first.group_metadata().unwrap()).unwrap();
}

/// The reason for our own check of the generation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_accepts_offsets_without_a_generation_while_others_own_the_partition() {
    let harness = Classic::fresh(1).await;
    let mut owner = harness.0.kafka_source();
    assigned(&mut owner).await;
    let stranger = consumer(&harness.0.source.group);
    settle(harness.topic(), &stranger.group_metadata().unwrap()).unwrap();
    assert_eq!(harness.committed().await.get(&0), Some(&1));
    owner.close().await.unwrap();
}
