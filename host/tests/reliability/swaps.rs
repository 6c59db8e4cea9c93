//! Versions of a pipeline that take turns under load.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::extent::{Run, median, place, size};
use crate::harness::{Harness, Setup, header};
use crate::modules::{replace, version};
use crate::oracle::Oracle;
use crate::reader::Seen;

/// Two stages of one module: a job that two versions did has passed both.
fn stages(module: &std::path::Path) -> String {
    ["first", "second"].map(|name| format!("[[stage]]\nname = {name:?}\nmodule = {module:?}\n")).concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_that_take_turns_lose_no_event_and_share_none() {
    let _place = place().await;
    let run = Run::new("swaps");
    let swaps = size(30, 200);
    let harness = Harness::new(Setup::new("MODULES")).await;
    let modules = [b'a', b'b'].map(|letter| {
        let path = harness.folder().join(format!("{}.wasm", char::from(letter)));
        std::fs::write(&path, version(letter)).unwrap();
        path
    });
    let template = std::fs::read_to_string(harness.file()).unwrap();
    let file = |turn: usize| template.replace("MODULES", &stages(&modules[turn % 2]));
    std::fs::write(harness.file(), file(0)).unwrap();
    let mut host = harness.start_as("");
    let harness = Arc::new(harness);
    let oracle = Arc::new(Oracle::new(&harness));
    oracle.send(100).await;
    harness.until_all_settled(&mut host).await;

    let (stop, stopped) = watch::channel(false);
    let feeding = {
        let (harness, oracle) = (Arc::clone(&harness), Arc::clone(&oracle));
        tokio::spawn(async move { oracle.feed(&harness, 2_000, size(1_000, 2_000), stopped).await })
    };
    let mut took: Vec<Duration> = Vec::new();
    for turn in 1..=swaps {
        let settled = harness.settled();
        let begun = Instant::now();
        replace(&harness.file(), file(turn).as_bytes());
        let swapped = format!("to={}", turn + 1);
        harness.until("the other version serves", &mut host, || host_serves(&harness, &swapped)).await;
        took.push(begun.elapsed());
        // Each version does some of the work.
        harness.until("events are settled", &mut host, || harness.settled() > settled).await;
    }
    stop.send(true).unwrap();
    feeding.await.unwrap();
    harness.until_all_settled(&mut host).await;
    assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());

    let records = harness.records("out").await;
    let mut by_version: BTreeMap<String, usize> = BTreeMap::new();
    for record in &records {
        *by_version.entry(header(record, "gristmill-attribute-ran")).or_default() += 1;
        let versions = header(record, "gristmill-stage-versions");
        let digests: Vec<&str> = versions.split(',').filter_map(|stage| Some(stage.split_once('=')?.1)).collect();
        assert!(matches!(digests[..], [first, second] if first == second), "two versions: {versions}");
    }
    let out = Seen::of(&records, Some(&harness.name));
    let account = oracle.account(&out, &Seen::default());
    let (middle, longest) = (median(&took).unwrap(), took.iter().max().unwrap());
    run.say(
        "figures",
        format!(
            "{swaps} swaps, {} events, {by_version:?}; file to serving {middle:?}, at most {longest:?}",
            account.events
        ),
    );
    account.must_be_complete();
    assert_eq!(account.repeated, 0);
    let did: Vec<&str> = by_version.keys().map(String::as_str).collect();
    assert_eq!(did, ["aa", "bb"], "each job was done by one version");
    assert!(by_version.values().all(|jobs| *jobs > swaps), "both worked: {by_version:?}");
}

fn host_serves(harness: &Harness, swapped: &str) -> bool {
    harness.last_log().lines().any(|line| line.contains("new jobs use the new deployment") && line.ends_with(swapped))
}
