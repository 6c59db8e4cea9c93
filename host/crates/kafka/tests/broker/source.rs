//! What is specific to the Kafka source: faulty headers, back-pressure, where a group begins, bounded shutdown.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use gristmill_core::model::{Event, Position};
use gristmill_core::ports::{Demand, Signal, SinkError, Source, Start};
use gristmill_kafka::{HighWater, KafkaSource, Settings, SourceSettings, topic_stats};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::conformance::while_attending;
use crate::harness::{
    Harness, PATIENCE, assigned, event, events, numbered, payload, payloads, settle, signal, silence,
};
use crate::kafka::{Classic, Kafka, address, fresh_name};

fn offset(number: i64) -> Position {
    Position(u128::try_from(number).unwrap())
}

fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address());
    config
}

/// Reads until the source fails and returns its error with all causes.
pub(crate) async fn final_error(source: &mut KafkaSource) -> String {
    let ended = async {
        loop {
            if let Err(error) = source.recv(Demand::Events(NonZeroUsize::MIN)).await {
                return format!("{error}: {:#}", error.source);
            }
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("the source did not end")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_name_that_is_not_utf8_arrives_as_a_fault_and_harms_nobody() {
    let harness = Classic::fresh(1).await;
    let producer: FutureProducer = client().create().unwrap();
    let odd = b"o\xffd".to_vec();
    // SAFETY: only the characters of a `str` must be UTF-8, and nothing reads them here: it is copied as bytes
    // into a record, where it is legal.
    #[expect(unsafe_code, reason = "other clients write such names, and rdkafka takes a name as a `str` only")]
    let odd = unsafe { std::str::from_utf8_unchecked(&odd) };
    let headers = OwnedHeaders::new()
        .insert(Header { key: "fine", value: Some("yes") })
        .insert(Header { key: odd, value: Some("odd") });
    let record = FutureRecord::to(harness.topic()).key("k").payload("00000").headers(headers);
    producer.send(record, Duration::from_secs(10)).await.unwrap();
    harness.write(&numbered(1..2)).await;

    let mut source = harness.source();
    let arrived = events(source.as_mut(), 2).await;
    assert_eq!(arrived[0].fault.as_ref().unwrap().code, "header-name-not-utf8");
    assert_eq!(payload(&arrived[0]), "00000");
    let names: Vec<&str> = arrived[0].headers.iter().map(|header| &*header.name).collect();
    assert_eq!(names, ["fine", "o\u{fffd}d"]);
    assert_eq!(arrived[0].headers[1].value.as_deref(), Some(b"odd".as_slice()));
    assert_eq!(arrived[1].fault, None);
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_pauses_the_partitions_and_loses_nothing() {
    let mut kafka = Kafka::real(2).await;
    kafka.source.high_water = HighWater { events: 20, bytes: 1 << 20 };
    let harness = Classic(kafka);
    harness.write(&numbered(0..500)).await;
    let mut source = harness.0.kafka_source();
    let mut arrived: Vec<Event> = Vec::new();
    let mut most_waiting = 0;
    while arrived.len() < 500 {
        arrived.push(event(&mut source).await);
        most_waiting = most_waiting.max(source.waiting());
    }
    assert_eq!(payloads(&arrived), numbered(0..500), "each came, and once");
    assert!(most_waiting <= 20, "{most_waiting} events waited");
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_full_for_longer_than_its_session_stays_in_the_group() {
    let mut kafka = Kafka::real(2).await;
    kafka.source.high_water = HighWater { events: 20, bytes: 1 << 20 };
    kafka.source.drain_timeout = Duration::from_secs(1);
    kafka.settings.properties.insert("session.timeout.ms".into(), "1500".into());
    kafka.settings.properties.insert("max.poll.interval.ms".into(), "2000".into());
    let harness = Classic(kafka);
    harness.write(&numbered(0..200)).await;
    let mut source = harness.0.kafka_source();
    let first = event(&mut source).await;
    // Three seconds without receiving an event: that must not cause a revocation.
    silence(&mut source, Demand::ControlOnly, Duration::from_secs(3)).await;
    let mut arrived = events(&mut source, 199).await;
    arrived.push(first);
    assert_eq!(payloads(&arrived), numbered(0..200));
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_does_not_wait_forever() {
    let mut kafka = Kafka::real(2).await;
    kafka.source.drain_timeout = Duration::from_millis(500);
    let harness = Classic(kafka);
    harness.write(&numbered(0..20)).await;
    let mut stuck = harness.0.kafka_source();
    events(&mut stuck, 20).await;
    let mut new = harness.0.kafka_source();
    let (revoked, taken) = tokio::join!(signal(&mut stuck, Demand::ControlOnly), assigned(&mut new));
    let Signal::Revoked { partitions, ack } = revoked else { panic!("{revoked:?}") };
    assert_eq!(partitions, taken, "the new owner has them while the acknowledgement is still held back");
    drop(ack);
    stuck.close().await.unwrap();
    new.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_revoked_while_paused_is_not_paused_when_it_comes_back() {
    let mut kafka = Kafka::real(2).await;
    kafka.source.high_water = HighWater { events: 20, bytes: 1 << 20 };
    let harness = Classic(kafka);
    harness.write(&numbered(0..200)).await;
    let mut full = harness.0.kafka_source();
    event(&mut full).await;
    let filled = async {
        // One of the twenty was received already.
        while full.waiting() < 19 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, filled).await.expect("it was never full");
    let mut other = harness.0.kafka_source();
    let joined = tokio::spawn(async move {
        let partition = assigned(&mut other).await.remove(0);
        (other, partition)
    });
    let (mut other, partition) = while_attending(&mut full, joined).await;
    // It reads its remaining partition to the end: nothing is paused or resumed after that.
    let stats = topic_stats(&harness.0.settings, harness.topic(), None).await.unwrap();
    let left = stats.iter().find(|stats| stats.partition != partition.index).unwrap();
    let last = offset(left.high - 1);
    while event(&mut full).await.id.position != last {}
    other.close().await.unwrap();
    while event(&mut full).await.id.partition != partition {}
    full.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settlement_after_the_revocation_is_counted_and_changes_nothing() {
    let mut kafka = Kafka::real(2).await;
    kafka.source.drain_timeout = Duration::from_millis(200);
    let harness = Classic(kafka);
    harness.write(&numbered(0..20)).await;
    let mut deaf = harness.0.kafka_source();
    let seen = events(&mut deaf, 20).await;
    let mut new = harness.0.kafka_source();
    let taken = assigned(&mut new).await;
    // The old owner has not received the revocation yet.
    let late = seen.iter().find(|event| taken.contains(&event.id.partition)).unwrap();
    settle(&mut deaf, late);
    let counted = async {
        while deaf.late_settlements() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.expect("it was accepted");
    deaf.close().await.unwrap();
    new.close().await.unwrap();
    assert_eq!(harness.committed().await, BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_revoked_partition_that_wait_are_dropped() {
    let harness = Classic::fresh(2).await;
    harness.write(&numbered(0..200)).await;
    let mut old = harness.0.kafka_source();
    let first = event(&mut old).await;
    let mut new = harness.0.kafka_source();
    let joined = tokio::spawn(async move {
        let partitions = assigned(&mut new).await;
        (new, partitions)
    });
    let (mut new, taken) = while_attending(&mut old, joined).await;
    // Both continue to read; the old one must not receive events of the new one's partitions.
    let mut seen = BTreeSet::from([payload(&first)]);
    while seen.len() < 200 {
        let arrived = tokio::select! {
            arrived = event(&mut old) => {
                assert!(!taken.contains(&arrived.id.partition), "{} is not ours any more", arrived.id);
                arrived
            }
            arrived = event(&mut new) => arrived,
        };
        seen.insert(payload(&arrived));
    }
    old.close().await.unwrap();
    new.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_starts_at_the_latest_does_not_lose_its_first_events_in_a_crash() {
    let mut kafka = Kafka::real(1).await;
    kafka.source.start = Start::Latest;
    let harness = Classic(kafka);
    harness.write(&numbered(0..5)).await;
    let mut source = harness.0.kafka_source();
    assigned(&mut source).await;
    harness.until_committed(5).await;
    harness.write(&numbered(5..8)).await;
    assert_eq!(payloads(&events(&mut source, 3).await), numbered(5..8));
    // As after a crash, none of them is settled.
    source.close().await.unwrap();
    let mut again = harness.0.kafka_source();
    assert_eq!(payloads(&events(&mut again, 3).await), numbered(5..8));
    again.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_gone_are_not_skipped_silently() {
    let harness = Classic::fresh(1).await;
    harness.write(&numbered(0..10)).await;
    let mut source = harness.0.kafka_source();
    let first = event(&mut source).await;
    settle(&mut source, &first);
    source.close().await.unwrap();

    // Retention removes the first five.
    let mut gone = TopicPartitionList::new();
    gone.add_partition_offset(harness.topic(), 0, Offset::Offset(5)).unwrap();
    let admin: AdminClient<DefaultClientContext> = client().create().unwrap();
    admin.delete_records(&gone, &AdminOptions::new()).await.unwrap();

    let mut again = harness.0.kafka_source();
    let error = final_error(&mut again).await;
    assert!(error.contains("auto.offset.reset"), "{error}");
    again.close().await.unwrap();

    let mut kafka = harness.0;
    kafka.settings.properties.insert("auto.offset.reset".into(), "earliest".into());
    let mut allowed = kafka.kafka_source();
    assert_eq!(payloads(&events(&mut allowed, 5).await), numbered(5..10));
    allowed.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_topic_fails_the_source() {
    let missing = fresh_name();
    let mut source = KafkaSource::open(&Settings::new(&address()), SourceSettings::new(&missing, &[&missing])).unwrap();
    let error = final_error(&mut source).await;
    assert!(error.contains(&missing) && error.contains("Unknown topic"), "{error}");
    source.close().await.unwrap();
    assert!(source.recv(Demand::Events(NonZeroUsize::MIN)).await.is_err(), "it stays ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_larger_than_any_broker_accepts_is_rejected_before_it_is_sent() {
    let harness = Classic::fresh(1).await;
    let sink = harness.sink();
    let refused = sink.deliver(vec![harness.record("large", &"x".repeat(17 << 20))]).await;
    assert!(matches!(refused, Err(SinkError::Refused { .. })), "{refused:?}");
    sink.deliver(vec![harness.record("small", "00001")]).await.unwrap();
    let mut source = harness.source();
    assert_eq!(payload(&event(source.as_mut()).await), "00001");
    source.close().await.unwrap();
}

/// A broker whose faults we choose.
fn faulty() -> (MockCluster<'static, DefaultProducerContext>, Classic) {
    let cluster = MockCluster::new(1).unwrap();
    let mut settings = Settings::new(&cluster.bootstrap_servers());
    settings.properties.insert("group.protocol".into(), "consumer".into());
    let name = fresh_name();
    cluster.create_topic(&name, 1, 1).unwrap();
    (cluster, Classic(Kafka { settings, source: SourceSettings::new(&name, &[&name]), _embedded: None }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_is_bounded_while_the_broker_is_down() {
    let (cluster, mut harness) = faulty();
    harness.0.source.close_timeout = Duration::from_secs(2);
    harness.write(&numbered(0..1)).await;
    let mut source = harness.0.kafka_source();
    let arrived = event(&mut source).await;
    cluster.broker_down(-1).unwrap();
    settle(&mut source, &arrived);
    let begun = Instant::now();
    assert!(source.close().await.is_err(), "the commit cannot have been confirmed");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_commit_is_repeated() {
    let (cluster, harness) = faulty();
    harness.write(&numbered(0..1)).await;
    let mut source = harness.0.kafka_source();
    let arrived = event(&mut source).await;
    let fault = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED];
    cluster.request_errors(RDKafkaApiKey::OffsetCommit, &fault);
    settle(&mut source, &arrived);
    harness.until_committed(1).await;
    assert_eq!(harness.committed().await, BTreeMap::from([(0, 1)]));
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_lookup_at_the_assignment_is_retried() {
    let (cluster, harness) = faulty();
    harness.write(&numbered(0..1)).await;
    cluster.request_errors(RDKafkaApiKey::OffsetFetch, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN]);
    let mut source = harness.0.kafka_source();
    assert_eq!(payload(&event(&mut source).await), "00000");
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_we_may_not_read_fails_the_source() {
    let (cluster, harness) = faulty();
    let fault = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED];
    cluster.request_errors(RDKafkaApiKey::OffsetFetch, &fault);
    let mut source = harness.0.kafka_source();
    let error = final_error(&mut source).await;
    assert!(error.contains("uthorization"), "{error}");
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_survives_a_broker_outage() {
    let (cluster, harness) = faulty();
    harness.write(&numbered(0..1)).await;
    let mut source = harness.0.kafka_source();
    event(&mut source).await;
    cluster.broker_down(-1).unwrap();
    silence(&mut source, Demand::Events(NonZeroUsize::MIN), Duration::from_secs(2)).await;
    cluster.broker_up(-1).unwrap();
    harness.write(&numbered(1..2)).await;
    assert_eq!(payload(&event(&mut source).await), "00001");
    source.close().await.unwrap();
}
