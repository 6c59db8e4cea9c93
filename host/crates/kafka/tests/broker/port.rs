//! Kafka behind the port that pipelines and commands use: the real broker and the embedded one.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use gristmill_core::model::Timestamp;
use gristmill_core::ports::{
    Broker, Browse, Connection, From, Group, Guarantee, Outlet, Record, Role, Start, Subscription, Until,
};
use gristmill_kafka::{Creation, EmbeddedBroker, KafkaBroker, Settings, topic_stats};

use crate::harness::{PATIENCE, events, numbered, payloads, settle};
use crate::kafka::{address, fresh_name, topic};

fn embedded(partitions: u16) -> (Settings, KafkaBroker) {
    let broker = Arc::new(EmbeddedBroker::start().unwrap());
    (broker.settings(), KafkaBroker::embedded(broker, Settings::new("nowhere:1"), partitions))
}

fn real() -> KafkaBroker {
    KafkaBroker::new(Settings::new(&address()), Some(Creation { partitions: 1, replication: 1 }))
}

fn record(topic: &str, payload: &str) -> Record {
    Record {
        topic: topic.into(),
        partition: None,
        key: None,
        payload: Some(Bytes::copy_from_slice(payload.as_bytes())),
        headers: Vec::new(),
        timestamp: Timestamp(1_700_000_000_000),
    }
}

fn subscription(topic: &str, guarantee: Guarantee) -> Subscription {
    let drain_timeout = Duration::from_secs(5);
    let dead_letters = format!("{topic}.dead").into();
    let (topic, group) = (topic.into(), topic.into());
    Subscription { topic, dead_letters, group, start: Start::Earliest, drain_timeout, guarantee }
}

fn exactly_once() -> Guarantee {
    Guarantee::ExactlyOnce { most: NonZeroUsize::MIN, every: Duration::from_millis(100) }
}

async fn browsed(broker: &KafkaBroker, topic: &str) -> Vec<String> {
    let mut records =
        broker.browse(Browse { topic: topic.into(), from: From::Start, until: Until::End }).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = tokio::time::timeout(PATIENCE, records.next()).await.expect("it never ends") {
        events.push(event.unwrap());
    }
    payloads(&events)
}

/// Checks, writes, reads and settles.
async fn serves(broker: &KafkaBroker, settings: &Settings) {
    let name = fresh_name();
    let topics = [topic(&name, Role::Source)];
    let checked = broker.check(&topics).await.unwrap();
    assert_eq!(
        (checked.address.as_str(), checked.created.as_slice()),
        (settings.brokers.as_str(), &[name.clone()][..])
    );
    assert!(broker.check(&topics).await.unwrap().created.is_empty(), "it exists by now");
    let groups: Vec<Group> = numbered(0..5).iter().map(|text| vec![record(&name, text)]).collect();
    let steps = Mutex::new(Vec::new());
    assert_eq!(broker.write(groups, Some(&name), &|done| steps.lock().unwrap().push(done)).await.unwrap(), 5);
    assert_eq!(steps.into_inner().unwrap(), [1, 2, 3, 4, 5]);
    assert_eq!(browsed(broker, &name).await, numbered(0..5));
    let Connection { mut source, outlet, .. } =
        broker.connect(subscription(&name, Guarantee::AtLeastOnce)).await.unwrap();
    let arrived = events(source.as_mut(), 5).await;
    assert_eq!(payloads(&arrived), numbered(0..5));
    settle(source.as_mut(), &arrived[4]);
    source.close().await.unwrap();
    let Outlet::Sink(sink) = outlet else { panic!("outputs go out each on its own") };
    sink.deliver(vec![record(&name, "00005")]).await.unwrap();
    assert_eq!(topic_stats(settings, &name, Some(&name)).await.unwrap()[0].lag(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_broker_serves_a_pipeline() {
    serves(&real(), &Settings::new(&address())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_broker_serves_a_pipeline_at_its_own_address() {
    let (settings, broker) = embedded(1);
    serves(&broker, &settings).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_broker_creates_topics_with_the_partitions_it_was_given() {
    let (settings, broker) = embedded(3);
    let name = fresh_name();
    broker.check(&[topic(&name, Role::Sink)]).await.unwrap();
    assert_eq!(topic_stats(&settings, &name, None).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_broker_writes_groups_in_order_and_not_more_than_it_keeps() {
    let (_, broker) = embedded(1);
    let (events, marks) = (fresh_name(), fresh_name());
    broker.check(&[topic(&events, Role::Source), topic(&marks, Role::DeadLetters)]).await.unwrap();
    let group = |text: &String| vec![record(&events, text), record(&marks, text)];
    let steps = Mutex::new(Vec::new());
    let groups = numbered(0..3).iter().map(group).collect();
    assert_eq!(broker.write(groups, None, &|done| steps.lock().unwrap().push(done)).await.unwrap(), 3);
    assert_eq!(steps.into_inner().unwrap().last(), Some(&3));
    assert_eq!(browsed(&broker, &events).await, numbered(0..3));
    assert_eq!(browsed(&broker, &marks).await, numbered(0..3));
    let large = "x".repeat(1 << 20);
    let error = broker.write((0..8).map(|_| group(&large)).collect(), None, &|_| {}).await.unwrap_err();
    assert!((1..=4).contains(&error.written), "{error:?}");
    assert_eq!(browsed(&broker, &events).await.len() as u64, 3 + error.written, "nothing was dropped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outputs_go_into_transactions_where_the_broker_keeps_them() {
    let name = fresh_name();
    let broker = real();
    broker.check(&[topic(&name, Role::Source)]).await.unwrap();
    let mut connection = broker.connect(subscription(&name, exactly_once())).await.unwrap();
    assert!(matches!(connection.outlet, Outlet::Transactor(_)));
    connection.source.close().await.unwrap();

    let (_, embedded) = embedded(1);
    embedded.check(&[topic(&name, Role::Source)]).await.unwrap();
    let rejected = embedded.connect(subscription(&name, exactly_once())).await;
    let error = rejected.err().expect("it has no transactions").to_string();
    assert!(error.contains("at-least-once"), "{error}");
}

#[tokio::test]
async fn a_topic_that_does_not_exist_cannot_be_browsed() {
    let missing = fresh_name();
    let error = real().browse(Browse { topic: missing.as_str().into(), from: From::Start, until: Until::End }).await;
    let error = error.err().expect("there is nothing to read");
    assert!(format!("{error:#}").contains(&missing), "{error:#}");
}
