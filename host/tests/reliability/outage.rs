//! A broker that is down for a while, and shutdown without a broker or in a hurry.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::extent::{Run, place, size};
use crate::harness::{Harness, PASS, Setup, model};
use crate::oracle::Oracle;
use crate::own_broker::OwnBroker;
use crate::reader::Seen;
use gristmill_model_server::{Behaviour, ModelServer, Script};

const DRAIN: Duration = Duration::from_secs(3);
/// If the broker is down for longer than the session timeout, its start included, the host loses its membership, and the
/// group waits for that session to expire before it continues.
const LONG: &[(&str, &str)] = &[("session.timeout.ms", "120000")];
const LIMITS: &str = "[limits]\ndrain_timeout = \"3s\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_broker_outage_costs_time_and_no_events() {
    let _place = place().await;
    let run = Run::new("broker outage");
    let mut broker = OwnBroker::start().await;
    let setup = Setup { broker: broker.address(), ..Setup::new(PASS).properties(LONG) };
    let harness = Arc::new(Harness::new(setup).await);
    let oracle = Arc::new(Oracle::new(&harness));
    let (stop, stopped) = watch::channel(false);
    oracle.send(5_000).await;
    let mut host = harness.start();
    harness.until("the first events are settled", &mut host, || harness.settled() >= 500).await;

    broker.down().await;
    // Events sent meanwhile wait in the oracle's producer.
    let feed = tokio::spawn({
        let oracle = Arc::clone(&oracle);
        async move { oracle.send(2_000).await }
    });
    let outage = size(Duration::from_secs(8), Duration::from_secs(30));
    tokio::time::sleep(outage).await;
    host.must_live("while its broker was down");
    broker.up().await;
    let back = Instant::now();
    let settled = harness.settled();
    harness.until("it resumes", &mut host, || harness.settled() > settled || harness.is_all_settled()).await;
    let resumed = back.elapsed();
    feed.await.unwrap();
    drop((stop, stopped));
    harness.until_all_settled(&mut host).await;
    let all = back.elapsed();
    assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());

    let out = Seen::of(&harness.records("out").await, Some(&harness.name));
    let account = oracle.account(&out, &Seen::default());
    run.say(
        "figures",
        format!(
            "{} events, broker down for {outage:?}, {} lost, {} repeated, resumed {resumed:?} and settled all {all:?} \
             after the broker was up again",
            account.events,
            account.lost.len(),
            account.repeated,
        ),
    );
    account.must_be_complete();
    assert!(resumed < Duration::from_secs(20), "it resumed only after {resumed:?}:\n{}", host.last_words());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_host_without_its_broker_still_shuts_down() {
    let _place = place().await;
    let run = Run::new("stop without a broker");
    let mut broker = OwnBroker::start().await;
    let setup = Setup { broker: broker.address(), ..Setup::new(format!("{PASS}{LIMITS}")) };
    let harness = Harness::new(setup).await;
    let oracle = Oracle::new(&harness);
    oracle.send(20_000).await;
    let mut host = harness.start();
    harness.until("the first events are settled", &mut host, || harness.settled() >= 100).await;
    assert!(!harness.is_all_settled(), "there must be events left");
    broker.down().await;

    host.signal("TERM").await;
    let signalled = Instant::now();
    let code = host.end(DRAIN + Duration::from_secs(20)).await;
    run.say("figures", format!("ended {:?} after SIGTERM with {code:?}", signalled.elapsed()));
    assert!(code.is_some_and(|code| code != 0), "the exit code does not show that events are left: {code:?}");

    broker.up().await;
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());
    let out = Seen::of(&harness.records("out").await, Some(&harness.name));
    oracle.account(&out, &Seen::default()).must_be_complete();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_sigterm_ends_the_host_immediately() {
    let _place = place().await;
    let script = Script::new().when("", [Behaviour::Held("late".into())]);
    let server = ModelServer::start(script).await;
    let stage = "[[stage]]\nname = \"obey\"\nmodule = \"GUEST:misbehave\"\ngrants = [\"llm\"]\n";
    let harness = Harness::new(Setup::new(format!("{stage}{}", model(&server, "60s"))).narrow()).await;
    let oracle = Oracle::new(&harness);
    oracle.send_as("text/plain", 3, |event| format!("ask {event}")).await;
    let mut host = harness.start();
    harness.until("the model was asked", &mut host, || server.in_flight() == 3).await;
    host.signal("TERM").await;
    harness.until("it drains", &mut host, || log_contains(&harness, "draining")).await;
    host.signal("TERM").await;
    let code = host.end(Duration::from_secs(2)).await;
    assert_eq!(code, Some(1), "{}", host.last_words());
    assert_eq!(harness.settled(), 0, "nothing was finished, nothing is committed");
}

fn log_contains(harness: &Harness, words: &str) -> bool {
    harness.last_log().contains(words)
}
