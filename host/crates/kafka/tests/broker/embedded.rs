//! The embedded broker in daily use: it is never sent more than it keeps, whoever sends; large records; its port.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gristmill_core::ports::{
    Broker, Connection, From, Guarantee, Record, SinkError, Source, Start, Subscription, Until,
};
use gristmill_kafka::{EmbeddedBroker, KafkaBroker, SendFault, Settings, Tail, send, unread};

use crate::harness::{Harness, PATIENCE, event, events, settle};
use crate::kafka::{Embedded, fresh_name};
use crate::tools::tailed;

/// 100 records of 100 kB for a topic of one partition: twice what an embedded broker keeps.
fn too_much(harness: &Embedded) -> Vec<Record> {
    let payload = Bytes::from(vec![b'x'; 100_000]);
    (0..100).map(|_| Record { payload: Some(payload.clone()), ..harness.record("k", "") }).collect()
}

/// A broker as a host has it, and the source of a pipeline that reads the topic.
async fn reading(topic: &str) -> (Arc<EmbeddedBroker>, Box<dyn Source>) {
    let embedded = Arc::new(EmbeddedBroker::start().unwrap());
    embedded.create_topic(topic, 1).unwrap();
    let broker = KafkaBroker::embedded(Arc::clone(&embedded), Settings::new(""), 1);
    let subscription = Subscription {
        topic: topic.into(),
        dead_letters: "dead".into(),
        group: fresh_name().into(),
        start: Start::Earliest,
        drain_timeout: Duration::from_secs(1),
        guarantee: Guarantee::AtLeastOnce,
    };
    let Connection { source, .. } = broker.connect(subscription).await.unwrap();
    (embedded, source)
}

/// How another process reaches it: by the address alone.
fn from_outside(embedded: &EmbeddedBroker) -> Settings {
    Settings::new(&embedded.address())
}

fn record(topic: &str, payload: Bytes) -> Record {
    Record {
        topic: topic.into(),
        partition: None,
        key: None,
        payload: Some(payload),
        headers: Vec::new(),
        timestamp: gristmill_core::model::Timestamp(1),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_broker_is_not_sent_more_than_it_keeps() {
    let harness = Embedded::fresh(1).await;
    let error = send(&harness.0.settings, None, too_much(&harness), |_| {}).await.unwrap_err();
    assert!(matches!(error.reason, SendFault::Full(_)), "{error:?}");
    assert!((30..=42).contains(&error.acknowledged), "{}", error.acknowledged);
    let kept = tailed(&harness.0.settings, harness.topic(), From::Start).await;
    assert_eq!(kept.len() as u64, error.acknowledged, "nothing was dropped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_inlet_of_an_embedded_broker_takes_no_more_than_its_reader_can_read() {
    let topic = fresh_name();
    let embedded = Arc::new(EmbeddedBroker::start().unwrap());
    embedded.create_topic(&topic, 1).unwrap();
    let broker = KafkaBroker::embedded(Arc::clone(&embedded), Settings::new(""), 1);
    let subscription = Subscription {
        topic: topic.as_str().into(),
        dead_letters: "dead".into(),
        group: fresh_name().into(),
        start: Start::Earliest,
        drain_timeout: Duration::from_secs(1),
        guarantee: Guarantee::AtLeastOnce,
    };
    let Connection { mut source, inlet, .. } = broker.connect(subscription).await.unwrap();
    let payload = Bytes::from(vec![b'x'; 100_000]);
    let mut taken = 0;
    let error = loop {
        match inlet.sink.deliver(vec![record(&topic, payload.clone())]).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 60, "more than a partition keeps");
    };
    assert!(matches!(error, SinkError::Unavailable { .. }), "{error:?}");
    assert!((30..=42).contains(&taken), "{taken}");
    // Everything that was taken can be read, by place as well, and makes room.
    let arrived = events(source.as_mut(), taken).await;
    let found = inlet.events.find(&arrived[0].id).await.unwrap();
    assert_eq!(found.unwrap().payload, Some(payload.clone()));
    settle(source.as_mut(), &arrived[taken - 1]);
    let deadline = std::time::Instant::now() + PATIENCE;
    while inlet.sink.deliver(vec![record(&topic, payload.clone())]).await.is_err() {
        assert!(std::time::Instant::now() < deadline, "no room is made");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_broker_accepts_more_once_its_reader_has_read() {
    let harness = Embedded::fresh(1).await;
    let group = harness.0.source.group.clone();
    let mut records = too_much(&harness);
    records.truncate(60);
    let rest = records.split_off(30);
    assert_eq!(send(&harness.0.settings, Some(&group), records, |_| {}).await.unwrap(), 30);
    let mut source = harness.0.kafka_source();
    let arrived = events(&mut source, 30).await;
    settle(&mut source, &arrived[29]);
    source.close().await.unwrap();
    assert_eq!(unread(&harness.0.settings, harness.topic(), Some(&group)).await.unwrap()[&0], 0);
    assert!(unread(&harness.0.settings, harness.topic(), None).await.unwrap()[&0] > 3_000_000);
    assert_eq!(send(&harness.0.settings, Some(&group), rest, |_| {}).await.unwrap(), 30);
}

/// Five times what it keeps, by a sender that knows nothing but the address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sending_waits_for_the_pipeline_that_reads_the_topic() {
    const COUNT: usize = 250;
    let (embedded, mut source) = reading("in").await;
    let settings = from_outside(&embedded);
    let payload = Bytes::from(vec![b'x'; 100_000]);
    let records: Vec<Record> = (0..COUNT).map(|_| record("in", payload.clone())).collect();
    let sending =
        tokio::spawn(async move { send(&settings, Some("a group that reads nothing"), records, |_| {}).await });
    for _ in 0..COUNT {
        let event = event(source.as_mut()).await;
        source.settle(&event.id.partition, &[event.id.position], Some(event.id.position.next())).unwrap();
    }
    let sent = tokio::time::timeout(PATIENCE, sending).await.expect("it waits for ever").unwrap();
    assert_eq!(sent.unwrap(), COUNT as u64);
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_64_mib_pass_one_after_the_other() {
    let (embedded, mut source) = reading("in").await;
    let settings = from_outside(&embedded);
    // Does not compress.
    let large: Bytes = std::iter::repeat_with(|| fastrand::u8(..)).take(64 << 20).collect();
    let records =
        vec![record("in", large.clone()), record("in", large.clone()), record("in", Bytes::from_static(b"end"))];
    let to_send = settings.clone();
    let sending = tokio::spawn(async move { send(&to_send, None, records, |_| {}).await });
    for expected in [&large[..], &large[..], b"end"] {
        let event = event(source.as_mut()).await;
        assert!(event.payload.as_deref() == Some(expected), "{} is another record", event.id);
        source.settle(&event.id.partition, &[event.id.position], Some(event.id.position.next())).unwrap();
    }
    assert_eq!(tokio::time::timeout(PATIENCE, sending).await.expect("it waits for ever").unwrap().unwrap(), 3);
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_shows_a_record_of_64_mib() {
    let harness = Embedded::fresh(1).await;
    let large = Bytes::from(vec![b'x'; 64 << 20]);
    let settings = Settings::new(&harness.0.settings.brokers);
    send(&settings, None, vec![record(harness.topic(), large.clone())], |_| {}).await.unwrap();
    let mut tail = Tail::open(&settings, harness.topic(), From::Start, Until::End).await.unwrap();
    let read = tokio::time::timeout(PATIENCE, tail.next()).await.expect("it cannot be read back");
    assert!(read.unwrap().unwrap().payload == Some(large));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_broker_is_reached_at_the_port_that_was_asked_for_as_long_as_it_lives() {
    let embedded = EmbeddedBroker::start().unwrap();
    embedded.create_topic("in", 1).unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = NonZeroU16::new(free.local_addr().unwrap().port()).unwrap();
    assert!(embedded.listen(port).await.is_err(), "it is taken");
    drop(free);
    embedded.listen(port).await.unwrap();
    embedded.listen(port).await.unwrap();
    assert_eq!(embedded.address(), format!("127.0.0.1:{port}"));
    let settings = from_outside(&embedded);
    send(&settings, None, vec![record("in", Bytes::from_static(b"here"))], |_| {}).await.unwrap();
    assert_eq!(tailed(&settings, "in", From::Start).await, ["here"]);
    drop(embedded);
    let freed = async {
        while std::net::TcpListener::bind(("127.0.0.1", port.get())).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, freed).await.expect("the port stays taken");
}
