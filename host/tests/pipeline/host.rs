//! A host in this process: pipelines are paused, reloaded and stopped under load, each without affecting the others.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gristmill::app::{Compiler, Ends, Failure, Following, Host, HostOptions, Memory, Reloaded, Versions, Watchers};
use gristmill::settings::{HostLimits, Pipeline};
use gristmill_core::flow::{Intake, Status};
use tokio_util::sync::CancellationToken;

use crate::harness::{Harness, by_job};

const PASS: &str = "[[stage]]\nname = \"pass\"\nmodule = \"GUEST:pass\"\n";

fn payload(number: usize) -> (&'static str, Option<String>) {
    ("text/plain", Some(format!("event {number}")))
}

/// Starts these pipelines in one host, which stops when the token is cancelled.
async fn start(harnesses: &[&Harness], shutdown: CancellationToken) -> (Arc<Host>, Ends) {
    let files = harnesses.iter().map(|harness| Pipeline::load(&harness.file()).unwrap()).collect();
    let options = HostOptions {
        memory: Memory::Durable,
        limits: HostLimits::default(),
        compiler: Compiler::Here,
        shutdown,
        watchers: Watchers::default(),
        following: Following::default(),
        versions: Versions::none(),
        registry: gristmill::app::registry(gristmill::app::Network::Online).unwrap(),
    };
    let (built, ends) = Host::build(files, options).await.unwrap();
    (built.start().await.unwrap().unwrap(), ends)
}

/// Waits until a pipeline is in such a state.
async fn until(host: &Host, name: &str, reached: impl Fn(&Status) -> bool) {
    let wait = async {
        while !reached(&host.status(name).await.unwrap()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(600), wait).await.expect("the state was never reached");
}

/// How many events are settled, of topics that were empty when the host started.
fn settled(status: &Status) -> u128 {
    status.partitions.iter().filter_map(|partition| partition.settled).map(|next| next.0).sum()
}

/// Every event is in the sink exactly once.
async fn assert_once(harness: &Harness, events: usize) {
    let jobs = by_job(&harness.records("out").await);
    let counts: BTreeSet<usize> = jobs.values().copied().collect();
    assert_eq!((jobs.len(), counts), (events, BTreeSet::from([1])), "each event is written once");
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_and_resume_under_load_neither_lose_nor_repeat_events() {
    let harness = Harness::new(PASS, 3).await;
    let shutdown = CancellationToken::new();
    let (host, ends) = start(&[&harness], shutdown.clone()).await;
    let name = harness.name.as_str();
    let sending = harness.send((0..6_000).map(payload));
    let mut unsettled = Vec::new();
    let pausing = async {
        for _ in 0..10 {
            until(&host, name, |status| status.queues.jobs > 0 || settled(status) == 6_000).await;
            host.pause(name).await.unwrap();
            let paused = host.status(name).await.unwrap();
            assert_eq!(paused.intake, Intake::Paused);
            // Jobs in flight finish, and then no offset moves.
            until(&host, name, |status| status.queues.jobs == 0).await;
            let before = host.status(name).await.unwrap();
            unsettled.push(6_000 - settled(&before));
            tokio::time::sleep(Duration::from_millis(50)).await;
            let later = host.status(name).await.unwrap();
            assert_eq!((later.partitions, later.queues.jobs), (before.partitions, 0), "nothing moves while paused");
            host.resume(name).await.unwrap();
        }
    };
    tokio::join!(sending, pausing);
    let under_load = unsettled.iter().filter(|events| **events > 0).count();
    assert!(under_load >= 3, "events were waiting in the pauses: {unsettled:?}");
    harness.until_settled_in(6_000).await;
    shutdown.cancel();
    ends.all().await.unwrap();
    assert_once(&harness, 6_000).await;
}

/// Writes the pipeline's file with further sections behind it, and reloads it.
async fn reload(host: &Arc<Host>, harness: &Harness, file: &str, more: &str) -> Result<Reloaded, Failure> {
    std::fs::write(harness.file(), format!("{file}{more}")).unwrap();
    host.reload(Pipeline::load(&harness.file()).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_is_reloaded_while_another_keeps_running() {
    let (one, two) = (Harness::new(PASS, 2).await, Harness::new(PASS, 2).await);
    let shutdown = CancellationToken::new();
    let (host, ends) = start(&[&one, &two], shutdown.clone()).await;
    let file = std::fs::read_to_string(one.file()).unwrap();
    let second = "[[stage]]\nname = \"clean\"\nmodule = \"builtin:sanitize\"\n";

    // A changed plan and changed stages: the deployment is swapped while jobs of both pipelines are in flight.
    let swap = async {
        until(&host, &one.name, |status| status.queues.jobs > 0).await;
        assert_eq!(reload(&host, &one, &file, second).await.unwrap(), Reloaded::Swapped { version: 2 });
    };
    tokio::join!(one.send((0..2_000).map(payload)), two.send((0..2_000).map(payload)), swap);
    let deployments =
        (host.status(&one.name).await.unwrap().deployment, host.status(&two.name).await.unwrap().deployment);
    assert_eq!(deployments, (2, 1));

    // An invalid file changes nothing.
    let failure = reload(&host, &one, &file, &second.replace("sanitize", "no-such-stage")).await.unwrap_err();
    assert!(failure.to_string().contains("no-such-stage"), "{failure}");
    assert_eq!(host.status(&one.name).await.unwrap().deployment, 2);

    // A changed limit requires a restart, of this pipeline only.
    let limited = format!("{second}[limits]\nmax_in_flight = 17\n");
    let restart = async {
        until(&host, &one.name, |status| status.queues.jobs > 0).await;
        assert_eq!(reload(&host, &one, &file, &limited).await.unwrap(), Reloaded::Restarted);
    };
    tokio::join!(one.send((2_000..4_000).map(payload)), two.send((2_000..4_000).map(payload)), restart);
    one.until_settled_in(4_000).await;
    two.until_settled_in(4_000).await;

    // Stopping one does not stop the other.
    host.stop(&one.name).await.unwrap();
    assert_eq!(host.names().len(), 1);
    assert!(host.pause(&one.name).await.is_err() && host.status(&two.name).await.is_ok());
    shutdown.cancel();
    ends.all().await.unwrap();
    for harness in [one, two] {
        assert_once(&harness, 4_000).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_run_beside_the_others_or_on_the_broker_changes_nothing() {
    let (one, two) = (Harness::new(PASS, 1).await, Harness::new(PASS, 1).await);
    let shutdown = CancellationToken::new();
    let (host, ends) = start(&[&one, &two], shutdown.clone()).await;
    let file = std::fs::read_to_string(one.file()).unwrap();

    let source = format!("topic = {:?}\n[sink]", one.topic("in"));
    assert!(file.contains(&source));
    let of_two = format!("topic = {:?}\ngroup = {:?}\n[sink]", two.topic("in"), two.name);
    let taken = reload(&host, &one, &file.replace(&source, &of_two), "").await.unwrap_err();
    assert!(taken.to_string().contains("two pipelines read the topic"), "{taken}");

    let misspelt = reload(&host, &one, &file.replace(&one.topic("out"), "no-such-topic"), "").await.unwrap_err();
    assert!(misspelt.to_string().contains("no-such-topic"), "{misspelt}");

    let large =
        file.replace("[[stage]]\nname = \"pass\"\n", "[[stage]]\nname = \"pass\"\nlimits = { memory = \"512MiB\" }\n");
    assert_ne!(file, large);
    let large = reload(&host, &one, &large, "").await.unwrap_err().to_string();
    assert!(large.contains("memory"), "{large}");

    one.send((0..10).map(payload)).await;
    one.until_settled_in(10).await;
    shutdown.cancel();
    ends.all().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_has_something_to_keep_from_now_on_gets_a_store() {
    let harness = Harness::new(PASS, 1).await;
    let shutdown = CancellationToken::new();
    let (host, ends) = start(&[&harness], shutdown.clone()).await;
    let file = std::fs::read_to_string(harness.file()).unwrap();
    let store = harness.folder().join("store").join(format!("{}.sqlite", harness.name));
    assert!(!store.exists(), "nothing is to be kept");
    assert_eq!(reload(&host, &harness, &file, "checkpoint = \"always\"\n").await.unwrap(), Reloaded::Restarted);
    assert!(store.exists());
    shutdown.cancel();
    ends.all().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_at_the_same_time_come_one_after_the_other() {
    let (one, two) = (Harness::new(PASS, 1).await, Harness::new(PASS, 1).await);
    let shutdown = CancellationToken::new();
    let (host, ends) = start(&[&one], shutdown.clone()).await;
    let file = std::fs::read_to_string(one.file()).unwrap();
    let limited = |limit: u32| {
        std::fs::write(one.file(), format!("{file}[limits]\nmax_in_flight = {limit}\n")).unwrap();
        Pipeline::load(&one.file()).unwrap()
    };
    let (third, fourth) = (limited(3), limited(4));
    let started = host.start(Pipeline::load(&two.file()).unwrap());
    let (third, fourth, started) = tokio::join!(host.reload(third), host.reload(fourth), started);
    assert_eq!((third.unwrap(), fourth.unwrap()), (Reloaded::Restarted, Reloaded::Restarted));
    started.unwrap();
    assert_eq!(host.names().len(), 2);

    // A reload that nobody waits for any more still starts the pipeline again.
    let drained = async {
        while host.names().len() == 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        // On a busy machine it may be over before anybody has looked.
        () = drained => {}
        restarted = host.reload(limited(5)) => assert_eq!(restarted.unwrap(), Reloaded::Restarted),
    }
    one.send((0..10).map(payload)).await;
    one.until_settled_in(10).await;
    let (stopped, again) = tokio::join!(host.stop(&one.name), host.stop(&one.name));
    assert!(stopped.is_ok() && again.is_err(), "the second waits for the first, and then there is none");
    shutdown.cancel();
    ends.all().await.unwrap();
}
