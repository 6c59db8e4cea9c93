//! Exactly-once on the real broker: our transactions are seen once or not at all.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use gristmill_core::model::Event;
use gristmill_core::ports::{
    Batch, Broker, Demand, From, Group, Record, Role, Settlement, Signal, Source, Start, TransactionError, Transactor,
};
use gristmill_kafka::{
    Creation, EmbeddedBroker, KafkaBroker, KafkaSource, KafkaTransactor, Settings, SourceSettings, TransactionSettings,
    TransactorError, check_topics, topic_stats,
};
use rdkafka::producer::{BaseRecord, Producer};

use crate::acceptance::taken_over;
use crate::conformance::while_attending;
use crate::harness::{Harness, PATIENCE, assigned, event, events, numbered, signal, silence};
use crate::kafka::{BrokerSide, Classic, Kafka, address, fresh_name, topic};
use crate::tools::tailed;

const EVERY: Duration = Duration::from_millis(100);

/// A fresh topic of one partition for outputs.
async fn outputs() -> String {
    let name = fresh_name();
    let creation = Some(Creation { partitions: 1, replication: 1 });
    check_topics(&Settings::new(&address()), &[topic(&name, Role::Sink)], creation).await.unwrap();
    name
}

async fn transactor(kafka: &Kafka, source: &KafkaSource) -> KafkaTransactor {
    KafkaTransactor::open(&kafka.settings, source, TransactionSettings::new(EVERY)).await.unwrap()
}

/// One output for each of these events, and their settlement.
fn batch(kafka: &Kafka, output: &str, seen: &[Event]) -> Batch {
    let harness = Classic(Kafka { settings: kafka.settings.clone(), source: kafka.source.clone(), _embedded: None });
    let mut batch = Batch::default();
    let mut settled = BTreeMap::new();
    for event in seen {
        let text = crate::harness::payload(event);
        batch.records.push(Record { topic: output.into(), ..harness.record(&text, &text) });
        let partition = event.id.partition.clone();
        let begun = Settlement {
            partition: partition.clone(),
            generation: event.generation,
            below: event.id.position.next(),
            events: Vec::new(),
        };
        let settlement = settled.entry(partition).or_insert(begun);
        settlement.generation = event.generation;
        settlement.below = event.id.position.next();
        settlement.events.push(event.id.position);
    }
    batch.settled = settled.into_values().collect();
    batch
}

/// What a reader of committed records sees.
async fn seen(topic: &str) -> Vec<String> {
    tailed(&Settings::new(&address()), topic, From::Start).await
}

async fn committed(kafka: &Kafka) -> i64 {
    let stats = topic_stats(&kafka.settings, kafka.name(), Some(&kafka.source.group)).await.unwrap();
    stats.iter().filter_map(|partition| partition.committed).sum()
}

async fn seen_once_with_offsets(kafka: &Kafka) {
    let output = outputs().await;
    let mut source = kafka.kafka_source();
    let arrived = events(&mut source, 20).await;
    let transactor = transactor(kafka, &source).await;
    for (part, below) in [(&arrived[..8], 8), (&arrived[8..], 20)] {
        transactor.commit(batch(kafka, &output, part)).await.unwrap();
        assert_eq!(committed(kafka).await, below);
    }
    source.close().await.unwrap();
    assert_eq!(seen(&output).await, numbered(0..20));
    assert_eq!(committed(kafka).await, 20, "closing changes nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_seen_once_with_its_offsets() {
    let harness = Classic::fresh(1).await;
    harness.write(&numbered(0..20)).await;
    seen_once_with_offsets(&harness.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_seen_once_with_its_offsets_where_the_broker_assigns() {
    let harness = BrokerSide::fresh(1).await;
    harness.write(&numbered(0..20)).await;
    seen_once_with_offsets(&harness.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settling_without_records_commits_too() {
    let harness = Classic::fresh(1).await;
    harness.write(&numbered(0..3)).await;
    let mut source = harness.0.kafka_source();
    let arrived = events(&mut source, 3).await;
    let transactor = transactor(&harness.0, &source).await;
    let settled = batch(&harness.0, "none", &arrived).settled;
    transactor.commit(Batch { records: Vec::new(), settled }).await.unwrap();
    source.close().await.unwrap();
    assert_eq!(committed(&harness.0).await, 3);
}

async fn lost_partition_is_aborted(kafka: &Kafka) {
    let output = outputs().await;
    let mut old = kafka.kafka_source();
    let arrived = events(&mut old, 20).await;
    let transactor = transactor(kafka, &old).await;
    let mut new = kafka.kafka_source();
    let joined = tokio::spawn(async move {
        let taken = assigned(&mut new).await;
        (new, taken)
    });
    let (mut new, taken) = while_attending(&mut old, joined).await;
    // One batch with a lost partition and one that is still ours: neither is written.
    let refused = transactor.commit(batch(kafka, &output, &arrived)).await;
    assert!(matches!(&refused, Err(TransactionError::Aborted(_))), "{refused:?}");
    assert_eq!(seen(&output).await, numbered(0..0));
    assert_eq!(committed(kafka).await, 0);
    // Work on what is still ours continues.
    let kept: Vec<Event> = arrived.into_iter().filter(|event| !taken.contains(&event.id.partition)).collect();
    transactor.commit(batch(kafka, &output, &kept)).await.unwrap();
    assert_eq!(seen(&output).await.len(), kept.len());
    new.close().await.unwrap();
    old.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_a_lost_partition_is_aborted_as_a_whole() {
    let harness = Classic::fresh(2).await;
    harness.write(&numbered(0..20)).await;
    lost_partition_is_aborted(&harness.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_a_lost_partition_is_aborted_as_a_whole_where_the_broker_assigns() {
    let harness = BrokerSide::fresh(2).await;
    harness.write(&numbered(0..20)).await;
    lost_partition_is_aborted(&harness.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_of_an_earlier_assignment_of_the_same_partition_is_aborted() {
    let harness = Classic::fresh(2).await;
    harness.write(&numbered(0..20)).await;
    let output = outputs().await;
    let mut ours = harness.0.kafka_source();
    let arrived = events(&mut ours, 20).await;
    let transactor = transactor(&harness.0, &ours).await;
    let mut other = harness.0.kafka_source();
    let joined = tokio::spawn(async move {
        let taken = assigned(&mut other).await;
        other.close().await.unwrap();
        taken
    });
    let taken = while_attending(&mut ours, joined).await;
    assert_eq!(assigned(&mut ours).await, taken, "they are ours again");
    let stale: Vec<Event> = arrived.into_iter().filter(|event| taken.contains(&event.id.partition)).collect();
    let refused = transactor.commit(batch(&harness.0, &output, &stale)).await;
    assert!(matches!(&refused, Err(TransactionError::Aborted(_))), "{refused:?}");
    assert_eq!(seen(&output).await, numbered(0..0));
    let again = event(&mut ours).await;
    transactor.commit(batch(&harness.0, &output, &[again])).await.unwrap();
    ours.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_partitions_can_be_settled_until_the_revocation_is_acknowledged() {
    let harness = Classic::fresh(2).await;
    harness.write(&numbered(0..20)).await;
    let output = outputs().await;
    let mut old = harness.0.kafka_source();
    let arrived = events(&mut old, 20).await;
    let transactor = transactor(&harness.0, &old).await;
    let mut new = harness.0.kafka_source();
    let joined = tokio::spawn(async move {
        let taken = assigned(&mut new).await;
        (new, taken)
    });
    let Signal::Revoked { ack, .. } = signal(&mut old, Demand::ControlOnly).await else { panic!("not revoked") };
    transactor.commit(batch(&harness.0, &output, &arrived)).await.unwrap();
    ack.send(()).unwrap();
    let (mut new, _) = while_attending(&mut old, joined).await;
    assert_eq!(committed(&harness.0).await, 20);
    let nothing = tokio::time::timeout(Duration::from_secs(2), event(&mut new)).await;
    assert!(nothing.is_err(), "the new owner begins after what was settled: {nothing:?}");
    assert_eq!(seen(&output).await, numbered(0..20));
    new.close().await.unwrap();
    old.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hijacked_transactional_id_costs_one_attempt() {
    let mut harness = Classic::fresh(1).await;
    harness.0.settings.properties.insert("group.instance.id".into(), "host-a".into());
    harness.write(&numbered(0..20)).await;
    let output = outputs().await;
    let mut source = harness.0.kafka_source();
    let arrived = events(&mut source, 20).await;
    let transactor = transactor(&harness.0, &source).await;
    transactor.commit(batch(&harness.0, &output, &arrived[..5])).await.unwrap();
    let hijacker = taken_over(&format!("{}-host-a", harness.0.source.group));
    let fenced = transactor.commit(batch(&harness.0, &output, &arrived[5..])).await;
    assert!(matches!(&fenced, Err(TransactionError::Aborted(_))), "{fenced:?}");
    assert_eq!(committed(&harness.0).await, 5);
    transactor.commit(batch(&harness.0, &output, &arrived[5..])).await.unwrap();
    drop(hijacker);
    source.close().await.unwrap();
    assert_eq!(seen(&output).await, numbered(0..20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_left_open_by_a_crash_is_ended_when_the_host_restarts() {
    let mut harness = Classic::fresh(1).await;
    harness.0.settings.properties.insert("group.instance.id".into(), "host-a".into());
    let output = outputs().await;
    let crashed = taken_over(&format!("{}-host-a", harness.0.source.group));
    crashed.begin_transaction().unwrap();
    crashed.send(BaseRecord::to(&output).key("k").payload("left open")).map_err(|(error, _)| error).unwrap();
    crashed.flush(PATIENCE).unwrap();
    harness.write(&numbered(0..1)).await;
    let mut source = harness.0.kafka_source();
    let arrived = events(&mut source, 1).await;
    let transactor = transactor(&harness.0, &source).await;
    transactor.commit(batch(&harness.0, &output, &arrived)).await.unwrap();
    // Its own timeout of a minute has not passed, and until then nobody would see what follows it.
    assert_eq!(seen(&output).await, numbered(0..1));
    source.close().await.unwrap();
    drop(crashed);
}

/// Does not compress.
fn noise(bytes: usize) -> Bytes {
    std::iter::repeat_with(|| fastrand::u8(..)).take(bytes).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_too_large_is_rejected_by_its_index_and_nothing_is_written() {
    let harness = Classic::fresh(1).await;
    harness.write(&numbered(0..4)).await;
    let output = outputs().await;
    let mut source = harness.0.kafka_source();
    let arrived = events(&mut source, 4).await;
    let transactor = transactor(&harness.0, &source).await;
    // By the broker, and by librdkafka before it is sent.
    for bytes in [3 << 20, 18 << 20] {
        let mut oversized = batch(&harness.0, &output, &arrived);
        oversized.records[2].payload = Some(noise(bytes));
        let refused = transactor.commit(oversized).await;
        let Err(TransactionError::Refused { record: 2, topic, .. }) = &refused else { panic!("{refused:?}") };
        assert_eq!(**topic, *output);
        assert_eq!(seen(&output).await, numbered(0..0));
        assert_eq!(committed(&harness.0).await, 0);
    }
    transactor.commit(batch(&harness.0, &output, &arrived)).await.unwrap();
    assert_eq!(seen(&output).await, numbered(0..4));
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_topic_stops_the_transactions() {
    let harness = Classic::fresh(1).await;
    harness.write(&numbered(0..1)).await;
    let mut source = harness.0.kafka_source();
    let arrived = events(&mut source, 1).await;
    let transactor = transactor(&harness.0, &source).await;
    let missing = fresh_name();
    let stopped = transactor.commit(batch(&harness.0, &missing, &arrived)).await;
    let Err(TransactionError::Unavailable(reason)) = &stopped else { panic!("{stopped:?}") };
    assert!(format!("{reason:#}").contains(&missing), "{reason:#}");
    source.close().await.unwrap();
    assert_eq!(committed(&harness.0).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_committed_for_a_closed_source() {
    let harness = Classic::fresh(1).await;
    harness.write(&numbered(0..1)).await;
    let output = outputs().await;
    let mut source = harness.0.kafka_source();
    let arrived = events(&mut source, 1).await;
    let transactor = transactor(&harness.0, &source).await;
    source.close().await.unwrap();
    let refused = transactor.commit(batch(&harness.0, &output, &arrived)).await;
    assert!(matches!(&refused, Err(TransactionError::Aborted(_))), "{refused:?}");
    assert_eq!(seen(&output).await, numbered(0..0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_beginning_of_a_group_does_not_set_back_what_a_transaction_commits() {
    let mut kafka = Kafka::real(1).await;
    kafka.source.start = Start::Latest;
    let harness = Classic(kafka);
    harness.write(&numbered(0..5)).await;
    let output = outputs().await;
    let mut source = harness.0.kafka_source();
    assigned(&mut source).await;
    assert_eq!(committed(&harness.0).await, 5, "it is committed before any event is handed out");
    harness.write(&numbered(5..8)).await;
    let arrived = events(&mut source, 3).await;
    let transactor = transactor(&harness.0, &source).await;
    transactor.commit(batch(&harness.0, &output, &arrived)).await.unwrap();
    // Longer than the interval between the source's own commits.
    silence(&mut source, Demand::ControlOnly, Duration::from_millis(1_500)).await;
    assert_eq!(committed(&harness.0).await, 8);
    source.close().await.unwrap();
    assert_eq!(committed(&harness.0).await, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_broker_is_rejected_with_the_fix() {
    let broker = EmbeddedBroker::start().unwrap();
    let topic = fresh_name();
    broker.create_topic(&topic, 1).unwrap();
    let settings = broker.settings();
    let source = KafkaSource::open(&settings, SourceSettings::new("group", &[&topic])).unwrap();
    let refused = KafkaTransactor::open(&settings, &source, TransactionSettings::new(EVERY)).await;
    let Err(error @ TransactorError::Embedded) = refused else { panic!("it was accepted") };
    assert!(error.to_string().contains("at-least-once"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_replayed_with_their_marks_or_not_at_all() {
    let harness = Classic::fresh(1).await;
    let dead = outputs().await;
    let groups = |count: usize| -> Vec<Group> {
        let texts = numbered(0..count);
        let marked = |text: &String| {
            let event = harness.record(text, text);
            vec![event.clone(), Record { topic: dead.as_str().into(), ..event }]
        };
        texts.iter().map(marked).collect()
    };
    let broker = KafkaBroker::new(harness.0.settings.clone(), None);
    let steps = Mutex::new(Vec::new());
    assert_eq!(broker.write(groups(250), None, &|done| steps.lock().unwrap().push(done)).await.unwrap(), 250);
    assert_eq!(steps.into_inner().unwrap(), [100, 200, 250]);
    assert_eq!(seen(harness.topic()).await, numbered(0..250));
    assert_eq!(seen(&dead).await, numbered(0..250));
    // The second transaction has a mark that the broker does not accept.
    let mut oversized = groups(150);
    oversized[120][1].payload = Some(noise(3 << 20));
    let error = broker.write(oversized, None, &|_| {}).await.unwrap_err();
    assert_eq!(error.written, 100);
    assert!(format!("{:#}", error.reason).contains(&dead), "{:#}", error.reason);
    assert_eq!((seen(harness.topic()).await.len(), seen(&dead).await.len()), (350, 350));
}
