//! A host in this process: pipelines are paused, reloaded and stopped under load, each without affecting the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use gristmill::app::{Ends, Host, HostOptions, Memory, Reloaded};
use gristmill::settings::{HostLimits, Pipeline};
use gristmill_core::flow::Intake;
use tokio_util::sync::CancellationToken;

use crate::harness::{Harness, by_job};

const PASS: &str = "[[stage]]\nname = \"pass\"\nmodule = \"GUEST:pass\"\n";

fn payload(number: usize) -> (&'static str, Option<String>) {
    ("text/plain", Some(format!("event {number}")))
}

/// Starts these pipelines in one host, which stops when the token is cancelled.
async fn start(harnesses: &[&Harness], shutdown: CancellationToken) -> (Arc<Host>, Ends) {
    let files = harnesses.iter().map(|harness| Pipeline::load(&harness.file()).unwrap()).collect();
    let options =
        HostOptions { memory: Memory::Durable, limits: HostLimits::default(), shutdown, observers: Vec::new() };
    let (built, ends) = Host::build(files, options).await.unwrap();
    (built.start().await.unwrap(), ends)
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
    let pausing = async {
        harness.until_settled_in(1).await;
        for _ in 0..10 {
            host.pause(name).await.unwrap();
            let paused = host.status(name).await.unwrap();
            assert_eq!(paused.intake, Intake::Paused);
            // Jobs in flight finish, and then no offset moves.
            while host.status(name).await.unwrap().queues.jobs > 0 {
                tokio::task::yield_now().await;
            }
            let settled = host.status(name).await.unwrap().partitions;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            let later = host.status(name).await.unwrap();
            assert_eq!((later.partitions, later.queues.jobs), (settled, 0), "nothing moves while paused");
            host.resume(name).await.unwrap();
        }
    };
    tokio::join!(sending, pausing);
    harness.until_settled_in(6_000).await;
    shutdown.cancel();
    ends.all().await.unwrap();
    assert_once(&harness, 6_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_is_reloaded_while_another_keeps_running() {
    let (one, two) = (Harness::new(PASS, 2).await, Harness::new(PASS, 2).await);
    let shutdown = CancellationToken::new();
    let (host, ends) = start(&[&one, &two], shutdown.clone()).await;
    let before = tokio::join!(one.send((0..2_000).map(payload)), two.send((0..2_000).map(payload)));
    let ((), ()) = before;

    // A changed plan and changed stages: the deployment is swapped.
    let file = std::fs::read_to_string(one.file()).unwrap();
    let second = "[[stage]]\nname = \"clean\"\nmodule = \"builtin:sanitize\"\n";
    std::fs::write(one.file(), format!("{file}{second}")).unwrap();
    let reloaded = host.reload(Pipeline::load(&one.file()).unwrap()).await.unwrap();
    assert_eq!(reloaded, Reloaded::Swapped { version: 2 });
    let deployments =
        (host.status(&one.name).await.unwrap().deployment, host.status(&two.name).await.unwrap().deployment);
    assert_eq!(deployments, (2, 1));

    // An invalid file changes nothing.
    std::fs::write(one.file(), format!("{file}{}", second.replace("sanitize", "no-such-stage"))).unwrap();
    let failure = host.reload(Pipeline::load(&one.file()).unwrap()).await.unwrap_err().to_string();
    assert!(failure.contains("no-such-stage"), "{failure}");
    assert_eq!(host.status(&one.name).await.unwrap().deployment, 2);

    // A changed limit requires a restart, of this pipeline only.
    std::fs::write(one.file(), format!("{file}{second}[limits]\nmax_in_flight = 17\n")).unwrap();
    let reloaded = host.reload(Pipeline::load(&one.file()).unwrap()).await.unwrap();
    assert_eq!(reloaded, Reloaded::Restarted);
    tokio::join!(one.send((2_000..3_000).map(payload)), two.send((2_000..3_000).map(payload)));
    one.until_settled_in(3_000).await;
    two.until_settled_in(3_000).await;

    // Stopping one does not stop the other.
    host.stop(&one.name).await.unwrap();
    assert_eq!(host.names().len(), 1);
    assert!(host.pause(&one.name).await.is_err() && host.status(&two.name).await.is_ok());
    shutdown.cancel();
    ends.all().await.unwrap();
    for harness in [one, two] {
        assert_once(&harness, 3_000).await;
    }
}
