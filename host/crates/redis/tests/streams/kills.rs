//! A host is killed in the middle of its work, again and again.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use gristmill_core::ports::{Demand, Signal, Sink, Source};
use gristmill_redis::RedisSink;
use redis::Value;

use crate::harness::{Harness, numbered, payload, settle};
use crate::redis::{Streams, record, until};

const KILLS: usize = 100;
/// More than all lives but the last can do.
const WRITTEN: usize = 15_000;
/// How many jobs run side by side, each for up to 40 ms.
const JOBS: usize = 16;
const CHILD: &str = "GRISTMILL_TEST_KILLED_CHILD";

fn output(streams: &Streams) -> String {
    format!("{}.out", streams.name)
}

/// Not a test in itself: the host that is killed. Without the environment it returns at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn works_until_it_is_killed() {
    let Ok(child) = std::env::var(CHILD) else { return };
    let (url, name) = child.split_once(' ').unwrap();
    let mut streams = Streams::on(url);
    name.clone_into(&mut streams.name);
    streams.settings.claim_after = Duration::from_secs(1);
    let (sink, out) = (RedisSink::open(&streams.settings).unwrap(), output(&streams));
    let (sink, mut source) = (std::sync::Arc::new(sink), streams.called("one"));
    let mut jobs = tokio::task::JoinSet::new();
    loop {
        let room = std::num::NonZeroUsize::new(JOBS - jobs.len());
        tokio::select! {
            Some(done) = jobs.join_next() => settle(&mut source, &done.unwrap()),
            signal = source.recv(room.map_or(Demand::ControlOnly, Demand::Events)) => {
                let Signal::Events(events) = signal.unwrap() else { continue };
                for event in events {
                    let (sink, out) = (std::sync::Arc::clone(&sink), out.clone());
                    jobs.spawn(async move {
                        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..40))).await;
                        sink.deliver(vec![record(&out, &payload(&event))]).await.unwrap();
                        event
                    });
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_a_host_is_killed_a_hundred_times() {
    let streams = Streams::new().await;
    streams.write(&numbered(0..WRITTEN)).await;
    let child = || {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "kills::works_until_it_is_killed", "--nocapture"]).stdout(Stdio::null());
        child.env(CHILD, format!("{} {}", streams.url, streams.name)).spawn().unwrap()
    };
    let out = output(&streams);
    let length = async || streams.run::<usize>(&format!("XLEN {out}")).await;
    for life in 0..KILLS {
        let before = length().await;
        let mut host = child();
        // It works, and is killed at any point of that.
        until(async || length().await > before, "a host does nothing").await;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..100))).await;
        host.kill().unwrap();
        host.wait().unwrap();
        assert!(length().await < WRITTEN, "all was done after {life} lives: there was nothing left to lose");
    }
    // What is left is done by one that lives on.
    let mut host = child();
    let groups = async || {
        let groups: Vec<BTreeMap<String, Value>> = streams.run("XINFO GROUPS S").await;
        let number = |name: &str| redis::from_redis_value::<Option<u64>>(groups[0][name].clone()).unwrap();
        (number("pending"), number("lag"))
    };
    while groups().await != (Some(0), Some(0)) {
        let before = groups().await;
        until(async || groups().await != before, "it is not done").await;
    }
    host.kill().unwrap();
    host.wait().unwrap();

    let outputs: Vec<(String, BTreeMap<String, String>)> = streams.run(&format!("XRANGE {out} - +")).await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (_, fields) in outputs {
        *counts.entry(fields["value"].clone()).or_default() += 1;
    }
    let lost: Vec<String> = numbered(0..WRITTEN).into_iter().filter(|payload| !counts.contains_key(payload)).collect();
    let twice = counts.values().filter(|count| **count > 1).count();
    println!("{KILLS} kills: {} of {WRITTEN} done, {} lost, {twice} written twice", counts.len(), lost.len());
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(twice <= KILLS * JOBS, "{twice}");
}
