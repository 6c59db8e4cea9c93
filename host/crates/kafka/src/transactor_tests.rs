//! Transactions that fail, on librdkafka's mock cluster, whose faults can be chosen. It does not support transactions,
//! which does not matter here; the tests on the real broker cover them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::{KafkaSink, KafkaSource, KafkaTransactor, Settings, SourceSettings, TransactionSettings, topic_stats};
use gristmill_core::model::{Event, EventId, Timestamp};
use gristmill_core::ports::{Batch, Demand, Record, Settlement, Signal, Sink, Source, TransactionError, Transactor};

/// Longer than any of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Harness {
    cluster: MockCluster<'static, DefaultProducerContext>,
    settings: Settings,
    source: KafkaSource,
    event: Event,
    transactor: KafkaTransactor,
}

impl Harness {
    /// A broker, one event of its topic, and transactions with this patience.
    async fn new(patience: Duration) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        for topic in ["in", "out"] {
            cluster.create_topic(topic, 1, 1).unwrap();
        }
        let mut settings = Settings::new(&cluster.bootstrap_servers());
        settings.properties = BTreeMap::from([
            ("group.protocol".into(), "consumer".into()),
            ("transaction.timeout.ms".into(), "1500".into()),
        ]);
        let sink = KafkaSink::open(&settings).unwrap();
        sink.deliver(vec![record("in")]).await.unwrap();
        let mut source = KafkaSource::open(&settings, SourceSettings::new("group", &["in"])).unwrap();
        let event = loop {
            let signal = tokio::time::timeout(PATIENCE, source.recv(Demand::Events(NonZeroUsize::MIN))).await;
            if let Signal::Events(mut events) = signal.expect("no event came").unwrap() {
                let event = events.remove(0);
                break event;
            }
        };
        let transactions = TransactionSettings { every: Duration::from_millis(100), patience };
        let transactor = KafkaTransactor::begin(&settings, source.fence(), transactions).await.unwrap();
        Self { cluster, settings, source, event, transactor }
    }

    fn batch(&self) -> Batch {
        let Event { id, generation, .. } = &self.event;
        let settled = Settlement {
            partition: id.partition.clone(),
            generation: *generation,
            below: id.position.next(),
            events: vec![id.position],
        };
        Batch { records: vec![record("out")], settled: vec![settled] }
    }

    async fn until_committed(&self) {
        let committed = async {
            while topic_stats(&self.settings, "in", Some("group")).await.unwrap()[0].committed != Some(1) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, committed).await.expect("the commit was never seen");
    }
}

/// An empty record.
pub(super) fn record(topic: &str) -> Record {
    Record {
        topic: topic.into(),
        partition: None,
        key: None,
        payload: None,
        headers: Vec::new(),
        timestamp: Timestamp(1),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_commit_takes_longer_than_its_patience_while_the_brokers_are_down() {
    let patience = Duration::from_secs(3);
    let harness = Harness::new(patience).await;
    harness.transactor.commit(harness.batch()).await.unwrap();
    harness.cluster.broker_down(-1).unwrap();
    let begun = Instant::now();
    let reason = loop {
        let one = Instant::now();
        let result = harness.transactor.commit(harness.batch()).await;
        assert!(one.elapsed() < patience + Duration::from_secs(3), "{:?}: {result:?}", one.elapsed());
        match result {
            Err(TransactionError::Unavailable(reason)) => break reason,
            Err(TransactionError::Aborted(_)) => {}
            other => panic!("{other:?}"),
        }
        assert!(begun.elapsed() < 4 * patience, "it never gives up");
    };
    assert!(!format!("{reason:#}").is_empty());
    let dropped = Instant::now();
    drop(harness.transactor);
    assert!(dropped.elapsed() < Duration::from_secs(1), "{:?}", dropped.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fenced_commit_is_aborted_when_its_offsets_are_missing() {
    let harness = Harness::new(PATIENCE).await;
    harness.cluster.request_errors(RDKafkaApiKey::EndTxn, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_PRODUCER_FENCED]);
    let result = harness.transactor.commit(harness.batch()).await;
    assert!(matches!(result, Err(TransactionError::Aborted(_))), "{result:?}");
    harness.transactor.commit(harness.batch()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fenced_commit_counts_when_its_offsets_are_there() {
    let mut harness = Harness::new(PATIENCE).await;
    // The mock ignores offsets of transactions, so they are committed another way.
    let EventId { partition, position } = &harness.event.id;
    harness.source.settle(partition, &[*position], Some(position.next())).unwrap();
    harness.until_committed().await;
    harness.cluster.request_errors(RDKafkaApiKey::EndTxn, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_PRODUCER_FENCED]);
    harness.transactor.commit(harness.batch()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generation_that_has_ended_is_aborted() {
    let harness = Harness::new(PATIENCE).await;
    let fault = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION];
    harness.cluster.request_errors(RDKafkaApiKey::TxnOffsetCommit, &fault);
    let result = harness.transactor.commit(harness.batch()).await;
    assert!(matches!(result, Err(TransactionError::Aborted(_))), "{result:?}");
    harness.transactor.commit(harness.batch()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_permission_stops_the_transactions() {
    let harness = Harness::new(PATIENCE).await;
    let fault = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED];
    harness.cluster.request_errors(RDKafkaApiKey::TxnOffsetCommit, &fault);
    let result = harness.transactor.commit(harness.batch()).await;
    assert!(matches!(result, Err(TransactionError::Unavailable(_))), "{result:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opening_fails_in_time_with_the_reason() {
    let harness = Harness::new(PATIENCE).await;
    harness.cluster.broker_down(-1).unwrap();
    let begun = Instant::now();
    let transactions = TransactionSettings::new(Duration::from_millis(100));
    let result = KafkaTransactor::begin(&harness.settings, harness.source.fence(), transactions).await;
    let error = result.err().unwrap().to_string();
    assert!(error.contains("transactional id group-"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
