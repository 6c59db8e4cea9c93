//! What `/readyz` says when a broker, a state store or a model is lost, and when it is back.

use std::time::{Duration, Instant};

use gristmill_model_server::{Behaviour, ModelServer, Script};
use gristmill_test_servers::Redis;
use reqwest::Client;
use serde_json::Value;

use crate::extent::{Run, place};
use crate::harness::{Harness, PASS, PATIENCE, Setup, enriching};
use crate::host::Host;
use crate::oracle::Oracle;
use crate::own_broker::OwnBroker;

/// How soon a host says that it is not ready, on a machine that has time.
const SOON: Duration = Duration::from_secs(2);
/// What a busy machine may add.
const BUSY: Duration = Duration::from_secs(10);

/// The codes of the reasons why the host is not ready.
async fn reasons(host: &Host) -> Option<Vec<String>> {
    let log = host.log();
    let (_, rest) = log.split_once("the admin server listens")?;
    let (_, rest) = rest.split_once("address=")?;
    let url = format!("http://{}/readyz", rest.split_whitespace().next()?);
    let answer: Value = Client::new().get(url).timeout(PATIENCE).send().await.ok()?.json().await.ok()?;
    let codes = answer["reasons"].as_array()?.iter().map(|reason| reason["code"].as_str().unwrap().to_owned());
    Some(codes.collect())
}

/// Waits until the host is not ready for this reason. Returns how long that took.
async fn until_red(host: &mut Host, code: &str) -> Duration {
    let begun = Instant::now();
    while !reasons(host).await.is_some_and(|codes| codes.iter().any(|told| told == code)) {
        host.must_live("before it was not ready");
        assert!(begun.elapsed() < PATIENCE, "never {code}:\n{}", host.last_words());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

async fn until_green(host: &mut Host) -> Duration {
    let begun = Instant::now();
    while !reasons(host).await.is_some_and(|codes| codes.is_empty()) {
        host.must_live("before it was ready");
        let told = reasons(host).await;
        assert!(begun.elapsed() < PATIENCE, "never ready: {told:?}\n{}", host.last_words());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lost_broker_is_told_soon_and_its_return_too() {
    let _place = place().await;
    let run = Run::new("readiness, broker");
    let mut broker = OwnBroker::start().await;
    let harness = Harness::new(Setup { broker: broker.address(), ..Setup::new(PASS) }).await;
    let oracle = Oracle::new(&harness);
    oracle.send(100).await;
    let mut host = harness.start();
    until_green(&mut host).await;
    harness.until_all_settled(&mut host).await;
    broker.down().await;
    let red = until_red(&mut host, "broker_lost").await;
    broker.up().await;
    let green = until_green(&mut host).await;
    run.say("figures", format!("not ready {red:?} after the broker was lost, ready {green:?} after it was back"));
    assert!(red < SOON + BUSY, "{red:?}");
    assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_state_store_that_does_not_answer_is_told_soon_and_its_return_too() {
    let _place = place().await;
    let run = Run::new("readiness, store");
    // One that may be killed; a server of the environment may not.
    let Some(mut redis) = Redis::own().await else { return };
    let server = ModelServer::start(Script::new().when("", [Behaviour::answer("{\"summary\": \"s\"}")])).await;
    let harness = Harness::new(Setup::new(enriching(&server)).store(redis.url())).await;
    let oracle = Oracle::new(&harness);
    let mut host = harness.start();
    until_green(&mut host).await;
    redis.kill();
    oracle.send(20).await;
    let red = until_red(&mut host, "store_failing").await;
    redis.restart().await;
    let green = until_green(&mut host).await;
    harness.until_all_settled(&mut host).await;
    run.say("figures", format!("not ready {red:?} after the store was needed, ready {green:?} after it was back"));
    assert!(red < SOON + BUSY, "{red:?}");
    assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_that_lasts_is_told_soon() {
    let _place = place().await;
    let run = Run::new("readiness, model");
    let limited = Behaviour::rate_limited("300");
    let server = ModelServer::start(Script::new().when("", [limited])).await;
    let harness = Harness::new(Setup::new(enriching(&server))).await;
    let mut host = harness.start();
    until_green(&mut host).await;
    Oracle::new(&harness).send(5).await;
    let met = Instant::now();
    while server.seen().is_empty() {
        assert!(met.elapsed() < PATIENCE, "the model was never asked:\n{}", host.last_words());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let red = until_red(&mut host, "paused").await;
    run.say("figures", format!("not ready {red:?} after the limit was met"));
    assert!(red < SOON + BUSY, "{red:?}");
    assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());
}
