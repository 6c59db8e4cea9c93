//! What exactly-once takes for granted of the broker, shown by librdkafka alone: nothing of ours is proven on one that
//! does not hold this.

use std::time::{Duration, Instant};

use gristmill_core::ports::{From, Source};
use gristmill_kafka::Settings;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::KafkaResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::bench::{Bench, PATIENCE, assigned};
use crate::kafka::{Classic, address, fresh_name};
use crate::tools::tailed;

/// A producer with this transactional id that has taken it over.
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

/// A transaction of nothing but the offset 1 in the first partition.
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
    let bench = Classic::fresh(1).await;
    let producer = taken_over(&fresh_name());
    for text in ["aborted", "committed"] {
        producer.begin_transaction().unwrap();
        producer.send(BaseRecord::to(bench.topic()).key("k").payload(text)).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
        match text {
            "aborted" => producer.abort_transaction(PATIENCE).unwrap(),
            _ => producer.commit_transaction(PATIENCE).unwrap(),
        }
    }
    let mut settings = Settings::new(&address());
    assert_eq!(tailed(&settings, bench.topic(), From::Start).await, ["committed"]);
    settings.properties.insert("isolation.level".into(), "read_uncommitted".into());
    assert_eq!(tailed(&settings, bench.topic(), From::Start).await, ["aborted", "committed"], "they are there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_refuses_offsets_of_a_generation_that_is_over() {
    let bench = Classic::fresh(2).await;
    let (topic, group) = (bench.topic(), fresh_name());
    let (first, second) = (consumer(&group), consumer(&group));
    first.subscribe(&[topic]).unwrap();
    until_assigned(&[&first]);
    let before = first.group_metadata().unwrap();
    settle(topic, &before).unwrap();
    second.subscribe(&[topic]).unwrap();
    until_assigned(&[&first, &second]);
    assert!(settle(topic, &before).is_err(), "its generation is over");
    settle(topic, &first.group_metadata().unwrap()).unwrap();
}

/// The trap that our own check of the generation is for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_takes_offsets_without_a_generation_while_others_own_the_partition() {
    let bench = Classic::fresh(1).await;
    let mut owner = bench.0.kafka_source();
    assigned(&mut owner).await;
    let stranger = consumer(&bench.0.source.group);
    settle(bench.topic(), &stranger.group_metadata().unwrap()).unwrap();
    assert_eq!(bench.committed().await.get(&0), Some(&1));
    owner.close().await.unwrap();
}
