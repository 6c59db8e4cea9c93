//! Static membership on the real broker, with both group protocols: a restarted host gets its partitions back without a
//! rebalance of the others; two hosts with the same name are an error that says so.

use std::collections::BTreeSet;
use std::time::Duration;

use gristmill_core::ports::{Demand, Source};
use gristmill_kafka::KafkaSource;

use crate::conformance::while_attending;
use crate::harness::{Harness, PATIENCE, assigned, event, numbered, payload, signal, silence};
use crate::kafka::{BrokerSide, Classic, Kafka};
use crate::source::final_error;

/// A member of the group with a name of its own.
fn member(kafka: &Kafka, instance: &str) -> KafkaSource {
    let mut settings = kafka.settings.clone();
    settings.properties.insert("group.instance.id".into(), instance.into());
    KafkaSource::open(&settings, kafka.source.clone()).unwrap()
}

async fn rejoins_quietly(kafka: &Kafka) {
    let mut a = member(kafka, "host-a");
    assert_eq!(assigned(&mut a).await.len(), 2);
    let mut b = member(kafka, "host-b");
    let joined = tokio::spawn(async move {
        let partitions = assigned(&mut b).await;
        (b, partitions)
    });
    let (mut b, of_b) = while_attending(&mut a, joined).await;
    a.close().await.unwrap();
    let again = async {
        let mut a = member(kafka, "host-a");
        let partitions = assigned(&mut a).await;
        (a, partitions)
    };
    let (mut a, of_a) = tokio::select! {
        again = again => again,
        signal = signal(&mut b, Demand::ControlOnly) => panic!("the other member was disturbed: {signal:?}"),
        () = tokio::time::sleep(PATIENCE) => panic!("it was assigned nothing"),
    };
    assert!(of_a.len() == 1 && of_b.len() == 1 && of_a != of_b, "{of_a:?} {of_b:?}");
    silence(&mut b, Demand::ControlOnly, Duration::from_secs(1)).await;
    // Both continue to read, each its own partition.
    let mut seen = BTreeSet::new();
    while seen.len() < 40 {
        tokio::select! {
            arrived = event(&mut a) => assert!(of_a.contains(&arrived.id.partition) && seen.insert(payload(&arrived))),
            arrived = event(&mut b) => assert!(of_b.contains(&arrived.id.partition) && seen.insert(payload(&arrived))),
        }
    }
    a.close().await.unwrap();
    b.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_static_member_disturbs_nobody() {
    let harness = Classic::fresh(2).await;
    harness.write(&numbered(0..40)).await;
    rejoins_quietly(&harness.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_static_member_disturbs_nobody_where_the_broker_assigns() {
    let harness = BrokerSide::fresh(2).await;
    harness.write(&numbered(0..40)).await;
    rejoins_quietly(&harness.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_static_member_whose_name_is_taken_over_fails_with_the_fix() {
    let harness = Classic::fresh(1).await;
    let mut first = member(&harness.0, "host-a");
    assigned(&mut first).await;
    let mut second = member(&harness.0, "host-a");
    let error = final_error(&mut first).await;
    assert!(error.contains("group.instance.id"), "{error}");
    assigned(&mut second).await;
    first.close().await.unwrap();
    second.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_static_member_whose_name_is_in_use_fails_with_the_fix_where_the_broker_assigns() {
    let harness = BrokerSide::fresh(1).await;
    let mut first = member(&harness.0, "host-a");
    assigned(&mut first).await;
    let mut second = member(&harness.0, "host-a");
    let error = final_error(&mut second).await;
    assert!(error.contains("group.instance.id"), "{error}");
    second.close().await.unwrap();
    first.close().await.unwrap();
}
