//! Static membership on the real broker, by both group protocols: a host that is started again gets its partitions back
//! and disturbs nobody; two hosts with one name are told so.

use std::collections::BTreeSet;
use std::time::Duration;

use gristmill_core::ports::{Demand, Source};
use gristmill_kafka::KafkaSource;

use crate::bench::{Bench, PATIENCE, assigned, event, numbered, payload, signal, silence};
use crate::conformance::while_attending;
use crate::kafka::{BrokerSide, Classic, Kafka};
use crate::source::last_words;

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
        () = tokio::time::sleep(PATIENCE) => panic!("it got nothing back"),
    };
    assert!(of_a.len() == 1 && of_b.len() == 1 && of_a != of_b, "{of_a:?} {of_b:?}");
    silence(&mut b, Demand::ControlOnly, Duration::from_secs(1)).await;
    // Both read on, each its own.
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
async fn a_static_member_that_comes_back_disturbs_nobody() {
    let bench = Classic::fresh(2).await;
    bench.write(&numbered(0..40)).await;
    rejoins_quietly(&bench.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_static_member_that_comes_back_disturbs_nobody_where_the_broker_assigns() {
    let bench = BrokerSide::fresh(2).await;
    bench.write(&numbered(0..40)).await;
    rejoins_quietly(&bench.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_static_member_whose_name_is_taken_by_another_ends_with_the_way_out() {
    let bench = Classic::fresh(1).await;
    let mut first = member(&bench.0, "host-a");
    assigned(&mut first).await;
    let mut second = member(&bench.0, "host-a");
    let words = last_words(&mut first).await;
    assert!(words.contains("group.instance.id"), "{words}");
    assigned(&mut second).await;
    first.close().await.unwrap();
    second.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_static_member_whose_name_is_in_use_ends_with_the_way_out_where_the_broker_assigns() {
    let bench = BrokerSide::fresh(1).await;
    let mut first = member(&bench.0, "host-a");
    assigned(&mut first).await;
    let mut second = member(&bench.0, "host-a");
    let words = last_words(&mut second).await;
    assert!(words.contains("group.instance.id"), "{words}");
    second.close().await.unwrap();
    first.close().await.unwrap();
}
