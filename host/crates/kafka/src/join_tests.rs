//! Consumers that librdkafka gives up on, on its mock cluster.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use rdkafka::bindings::rd_kafka_test_fatal_error;
use rdkafka::consumer::Consumer;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::RDKafkaRespErr;

use super::transactor_tests::record;
use super::{KafkaSink, KafkaSource, Settings, SourceSettings, topic_stats};
use gristmill_core::model::{Event, Generation};
use gristmill_core::ports::{Demand, Signal, Sink, Source, SourceError};

/// Longer than any of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Harness {
    cluster: MockCluster<'static, DefaultProducerContext>,
    settings: Settings,
}

impl Harness {
    /// A topic with one record.
    async fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("in", 1, 1).unwrap();
        let mut settings = Settings::new(&cluster.bootstrap_servers());
        settings.properties = BTreeMap::from([("group.protocol".into(), "consumer".into())]);
        KafkaSink::open(&settings).unwrap().deliver(vec![record("in")]).await.unwrap();
        Self { cluster, settings }
    }

    fn join(&self) -> KafkaSource {
        KafkaSource::open(&self.settings, SourceSettings::new("group", &["in"])).unwrap()
    }
}

/// What librdkafka does with a heartbeat that the broker rejects as invalid.
fn give_up(source: &KafkaSource) {
    let consumer = source.fence().consumer().unwrap();
    let invalid = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_REQUEST;
    // SAFETY: the client outlives this call, and the text is copied.
    #[allow(unsafe_code)]
    unsafe {
        rd_kafka_test_fatal_error(consumer.client().native_ptr(), invalid, c"rejected by the test".as_ptr());
    }
}

async fn next(source: &mut KafkaSource) -> Result<Signal, SourceError> {
    let signal = tokio::time::timeout(PATIENCE, source.recv(Demand::Events(NonZeroUsize::MIN))).await;
    signal.expect("no signal came")
}

/// The next event, and the last generation that was assigned before it.
async fn event(source: &mut KafkaSource) -> (Generation, Event) {
    let mut assigned = Generation::default();
    loop {
        match next(source).await.unwrap() {
            Signal::Assigned { generation, .. } => assigned = generation,
            Signal::Events(mut events) => return (assigned, events.remove(0)),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_member_that_the_group_rejects_joins_again_and_gets_what_it_had_not_settled() {
    let harness = Harness::new().await;
    let mut source = harness.join();
    let (before, first) = event(&mut source).await;

    give_up(&source);
    let revoked = loop {
        if let Signal::Revoked { partitions, .. } = next(&mut source).await.unwrap() {
            break partitions;
        }
    };
    assert_eq!(revoked, std::slice::from_ref(&first.id.partition));
    let (after, again) = event(&mut source).await;
    assert_eq!(again.id, first.id);
    assert!(after > before && again.generation == after, "{before:?} {after:?} {:?}", again.generation);

    source.settle(&again.id.partition, &[again.id.position], Some(again.id.position.next())).unwrap();
    source.close().await.unwrap();
    let committed = topic_stats(&harness.settings, "in", Some("group")).await.unwrap()[0].committed;
    assert_eq!(committed, Some(1));
}

#[tokio::test]
async fn an_assignment_says_how_many_partitions_there_are_in_all() {
    let harness = Harness::new().await;
    harness.cluster.create_topic("other", 3, 1).unwrap();
    let mut source = KafkaSource::open(&harness.settings, SourceSettings::new("group", &["in", "other"])).unwrap();
    let all = loop {
        if let Signal::Assigned { all, .. } = next(&mut source).await.unwrap() {
            break all;
        }
    };
    assert_eq!(all, 4);
    source.close().await.unwrap();
}

#[tokio::test]
async fn a_member_that_was_never_accepted_does_not_try_for_ever() {
    let harness = Harness::new().await;
    harness.cluster.broker_down(-1).unwrap();
    let mut source = harness.join();
    give_up(&source);
    let error = loop {
        match next(&mut source).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(format!("{error:#}").contains("in (group group)"), "{error:#}");
}
