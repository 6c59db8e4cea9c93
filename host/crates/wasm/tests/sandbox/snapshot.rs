//! Instances that begin with what one held after `init`: what they share, and what they never do.

use std::collections::BTreeSet;

use gristmill_wasm::Start;
use serde_json::json;

use crate::harness::{Sandbox, guest};
use crate::text;

/// Why the test guest has no snapshot with this `init`; `None` if it has one.
async fn why(init: &str) -> Option<String> {
    let stage = Sandbox::new().load(guest("misbehave"), json!({ "init": init })).await.unwrap();
    match stage.start() {
        Start::Snapshot => None,
        Start::Init { why } => Some(why.clone()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_of_one_snapshot_see_other_random_numbers_and_another_time() {
    let stage = Sandbox::new().misbehave().await;
    assert_eq!(*stage.start(), Start::Snapshot);
    for told in ["dice", "hash", "clock"] {
        let mut seen = BTreeSet::new();
        for _ in 0..8 {
            seen.insert(text(stage.run(told).await));
        }
        assert_eq!(seen.len(), 8, "{told}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hash_maps_of_two_instances_have_other_keys_also_if_init_made_one() {
    let stage = Sandbox::new().load(guest("misbehave"), json!({ "init": "map" })).await.unwrap();
    assert_eq!(*stage.start(), Start::Snapshot);
    assert_eq!(text(stage.run("found").await), "3");
    assert_ne!(text(stage.run("hash").await), text(stage.run("hash").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_init_drew_is_never_the_same_in_two_instances() {
    let sandbox = Sandbox::new();
    for (init, expected) in [("dice", "it asks for random numbers in init"), ("clock", "it asks for the time in init")]
    {
        // The second host finds the reason in the cache.
        for sandbox in [&sandbox, &sandbox.again()] {
            let stage = sandbox.load(guest("misbehave"), json!({ "init": init })).await.unwrap();
            assert_eq!(*stage.start(), Start::Init { why: expected.into() });
            let (one, two) = (text(stage.run("found").await), text(stage.run("found").await));
            assert_ne!(one, two, "{init}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_depends_on_the_call_is_not_kept() {
    assert_eq!(why("ask").await.as_deref(), Some("it asks for a model in init"));
    let open = "it holds something of the host after init, such as an open stream";
    assert_eq!(why("print").await.as_deref(), Some(open));
    assert_eq!(why("nothing").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn init_runs_once_and_nothing_of_an_item_is_seen_by_the_next() {
    let sandbox = Sandbox::new();
    for sandbox in [&sandbox, &sandbox.again()] {
        let stage = sandbox.load(guest("misbehave"), json!({ "init": "fill" })).await.unwrap();
        assert_eq!(*stage.start(), Start::Snapshot);
        // `init` counted to one; each item counts from there.
        assert_eq!(text(stage.run("count").await), "1");
        assert_eq!(text(stage.run("count").await), "1");
    }
    let shared = sandbox.again().shared().misbehave().await;
    assert_eq!(text(shared.run("count").await), "0");
    assert_eq!(text(shared.run("count").await), "1", "a shared instance goes on from its snapshot");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_a_snapshot_counts() {
    let stage = Sandbox::new().load(guest("misbehave"), json!({ "init": "fill" })).await.unwrap();
    assert_eq!(*stage.start(), Start::Snapshot);
    assert_eq!(text(stage.run("hold 10").await), "1");
    let broke = stage.run("hold 30").await.unwrap_err().to_string();
    assert!(broke.contains("limits.memory"), "{broke}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_configuration_or_another_route_is_another_snapshot() {
    let sandbox = Sandbox::new();
    let cached = || sandbox.cached_files().iter().filter(|path| path.extension().unwrap() == "json").count();
    sandbox.misbehave().await;
    sandbox.again().misbehave().await;
    assert_eq!(cached(), 1);
    sandbox.load(guest("misbehave"), json!({ "init": "nothing" })).await.unwrap();
    assert_eq!(cached(), 2);
    sandbox.again().routed(&["declared"]).misbehave().await;
    assert_eq!(cached(), 3);
}
