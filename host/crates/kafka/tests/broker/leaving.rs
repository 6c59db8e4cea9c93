//! A member that is closed leaves its group whatever it is doing, with both group protocols: what it had, or was about to get,
//! is someone else's at once, and not after the session timeout.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use gristmill_core::ports::Source;
use gristmill_kafka::KafkaSource;

use crate::conformance::while_attending;
use crate::harness::{Harness, assigned};
use crate::kafka::{BrokerSide, Classic, Kafka, fresh_name};

/// Well below every session timeout.
const SOON: Duration = Duration::from_secs(3);
/// How long after its start a member is stopped, in milliseconds: before it joins, in a rebalance, and when it is idle
/// because another one owns the only partition.
const MOMENTS: [u64; 8] = [0, 5, 20, 60, 150, 400, 1_000, 3_000];

/// A member of a group; every group reads the same topic.
fn member(kafka: &Kafka, group: &str) -> KafkaSource {
    let mut source = kafka.source.clone();
    source.group = group.into();
    KafkaSource::open(&kafka.settings, source).unwrap()
}

/// Checks that a new member is assigned the partition soon, and closes it.
async fn assigned_soon(kafka: &Kafka, group: &str, after: &str) {
    let mut next = member(kafka, group);
    let begun = Instant::now();
    assigned(&mut next).await;
    assert!(begun.elapsed() < SOON, "{:?} after {after}", begun.elapsed());
    next.close().await.unwrap();
}

async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

async fn leaves_beside_an_owner(kafka: &Kafka, moment: u64) {
    let group = fresh_name();
    let mut owner = member(kafka, &group);
    assigned(&mut owner).await;
    let mut second = member(kafka, &group);
    while_attending(&mut owner, tokio::spawn(pause(moment))).await;
    let closed = tokio::spawn(async move { second.close().await.unwrap() });
    while_attending(&mut owner, closed).await;
    owner.close().await.unwrap();
    assigned_soon(kafka, &group, &format!("a second member was stopped {moment} ms after its start")).await;
}

async fn leaves_before_it_owns_anything(kafka: &Kafka, moment: u64) {
    let group = fresh_name();
    let mut only = member(kafka, &group);
    pause(moment).await;
    only.close().await.unwrap();
    assigned_soon(kafka, &group, &format!("the only member was stopped {moment} ms after its start")).await;
}

async fn leaves_what_it_owns_to_one_that_joins(kafka: &Kafka, moment: u64) {
    let group = fresh_name();
    let mut owner = member(kafka, &group);
    assigned(&mut owner).await;
    let mut next = member(kafka, &group);
    while_attending(&mut owner, tokio::spawn(pause(moment))).await;
    let begun = Instant::now();
    let (closed, _) = tokio::join!(owner.close(), assigned(&mut next));
    closed.unwrap();
    assert!(begun.elapsed() < SOON, "{:?} after the owner was stopped, {moment} ms after the other's start", begun.elapsed());
    next.close().await.unwrap();
}

async fn leaves_at_every_moment(kafka: &Kafka) {
    join_all(MOMENTS.map(|moment| leaves_beside_an_owner(kafka, moment))).await;
    join_all(MOMENTS.map(|moment| leaves_before_it_owns_anything(kafka, moment))).await;
    join_all(MOMENTS.map(|moment| leaves_what_it_owns_to_one_that_joins(kafka, moment))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_closed_leaves_its_group_at_every_moment() {
    leaves_at_every_moment(&Classic::fresh(1).await.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_closed_leaves_its_group_at_every_moment_where_the_broker_assigns() {
    leaves_at_every_moment(&BrokerSide::fresh(1).await.0).await;
}
