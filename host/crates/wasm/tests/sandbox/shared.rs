//! Stages whose items share instances: an instance is reused until a call breaks, and each call has its own limits.

use std::sync::Arc;
use std::time::Duration;

use gristmill_core::model::Failure;
use gristmill_core::ports::StageError;
use gristmill_wasm::StageLimits;
use serde_json::json;

use crate::harness::{Loaded, Sandbox, guest, scripted, who_asks};
use crate::{code, text};

/// How many items the instance had counted before this one.
async fn count(stage: &Loaded) -> String {
    text(stage.run("count").await)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_remembers_only_where_that_was_asked_for() {
    let shared = Sandbox::new().shared().misbehave().await;
    let fresh = Sandbox::new().misbehave().await;
    for expected in 0..5 {
        assert_eq!(count(&shared).await, expected.to_string());
        assert_eq!(count(&fresh).await, "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_the_stage_says_does_not_end_its_instance() {
    let stage = Sandbox::new().shared().misbehave().await;
    assert_eq!(count(&stage).await, "0");
    for told in ["retry x", "permanent x"] {
        stage.run(told).await.unwrap_err();
    }
    stage.run("reject x").await.unwrap();
    assert_eq!(count(&stage).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_break_ends_the_instance() {
    // Enough CPU for the kernel to hand out all memory that may be had, and enough time on the wall to get that CPU, also
    // on a busy machine.
    let limits = StageLimits { cpu: Duration::from_secs(1), ..StageLimits::default() };
    let stage = Sandbox::new().limits(limits).shared().misbehave().await;
    let table = [
        ("panic", "trap"),
        ("recurse", "trap"),
        ("spin", "cpu-limit"),
        ("hog", "memory-limit"),
        ("exit", "bad-call"),
        ("flood 30", "bad-call"),
    ];
    for (told, expected) in table {
        breaks(&stage, told, expected).await;
    }
    assert_eq!(count(&stage).await, "0");
    let limits = StageLimits { wall: Duration::from_secs(4), ..StageLimits::default() };
    let silent = scripted(|_| Duration::from_secs(3600));
    let stage = Sandbox::new().limits(limits).model(silent).shared().misbehave().await;
    breaks(&stage, "ask anything", "passing timeout").await;
    assert_eq!(count(&stage).await, "0");
}

/// The instance is new, and this item breaks it.
async fn breaks(stage: &Loaded, told: &str, expected: &str) {
    assert_eq!((count(stage).await, count(stage).await), ("0".into(), "1".into()), "before {told}");
    assert_eq!(code(stage.run(told).await), expected, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_instance_of_a_dropped_call_is_never_used_again() {
    let silent = scripted(|_| Duration::from_secs(3600));
    let stage = Sandbox::new().instances(1).model(silent).shared().misbehave().await;
    assert_eq!(count(&stage).await, "0");
    let given_up = tokio::time::timeout(Duration::from_millis(200), stage.run("count-and-wait x")).await;
    assert!(given_up.is_err(), "the model never answers");
    assert_eq!(count(&stage).await, "0", "and its slot was released");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_attempt_gets_a_fresh_instance() {
    let stage = Sandbox::new().shared().misbehave().await;
    assert_eq!(count(&stage).await, "0");
    assert_eq!(text(stage.run_at(7, "count", 2).await), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_call_after_call_and_not_for_all_calls_together() {
    let limits = StageLimits { cpu: Duration::from_millis(400), ..StageLimits::default() };
    let stage = Sandbox::new().limits(limits).shared().misbehave().await;
    for _ in 0..4 {
        assert_eq!(text(stage.run("compute 250").await), "computed");
    }
    // On a busy machine a call may wait for its turn before it asks; but not each of them.
    let mut left: Vec<u64> = Vec::new();
    for _ in 0..5 {
        left.push(text(stage.run("time-left").await).parse().unwrap());
    }
    let most = u64::try_from((limits.wall - Duration::from_secs(1)).as_millis()).unwrap();
    assert!(left.iter().any(|&left| left > most), "the time of earlier calls was counted: {left:?} ms left");
    assert_eq!(count(&stage).await, "0", "and all in one instance");
    assert_eq!(code(stage.run("compute 10000").await), "cpu-limit");
    assert_eq!(count(&stage).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_asks_models_as_its_own_item() {
    let stage = Sandbox::new().model(who_asks()).shared().misbehave().await;
    assert_eq!(text(stage.run_at(1, "ask-many x x", 1).await), "in:0:1 0 in:0:1 1");
    assert_eq!(text(stage.run_at(2, "ask-many x x", 1).await), "in:0:2 0 in:0:2 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_tells_only_what_its_own_call_printed() {
    let stage = Sandbox::new().shared().misbehave().await;
    assert_eq!(text(stage.run("chatter").await), "said a lot");
    let Err(StageError::Trap(Failure { message, .. })) = stage.run("panic").await else { panic!("no trap") };
    assert!(message.contains("told to panic") && !message.contains("printed 9999"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_holds_too_much_memory_makes_room() {
    let stage = Sandbox::new().shared().misbehave().await;
    assert_eq!(text(stage.run("hold 20").await), "0");
    assert_eq!(text(stage.run("hold 20").await), "1", "more than half of its 64 MiB");
    assert_eq!(text(stage.run("hold 20").await), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_instances_of_one_stage_never_keep_another_from_working() {
    let sandbox = Sandbox::new().instances(2).model(scripted(|_| Duration::from_millis(50))).shared();
    let runtime = sandbox.runtime();
    let one = Arc::new(sandbox.load_into(&runtime, guest("misbehave"), json!({})).await.unwrap());
    let two = sandbox.load_into(&runtime, guest("misbehave"), json!({})).await.unwrap();
    let (first, second) = tokio::join!(one.run("count-and-wait x"), one.run("count-and-wait x"));
    assert!(first.is_ok() && second.is_ok());
    // Both instances of the process are now idle and belong to stage one.
    assert_eq!(count(&two).await, "0");
    assert_eq!(count(&two).await, "1", "and it keeps its own");
    assert_eq!(count(&one).await, "1", "of the first stage's two, one is left");
    drop(one);
    let (first, second) = tokio::join!(two.run("count-and-wait x"), two.run("count-and-wait x"));
    assert!(first.is_ok() && second.is_ok(), "idle instances of a dropped stage are dropped too");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_instances_take_turns() {
    let stage =
        Arc::new(Sandbox::new().instances(2).model(scripted(|_| Duration::from_millis(1))).shared().misbehave().await);
    let calls: Vec<_> = (0..200)
        .map(|number| {
            let stage = Arc::clone(&stage);
            let told = ["echo x", "ask x", "panic", "permanent x"][number % 4];
            tokio::spawn(async move { stage.run(told).await.is_ok() })
        })
        .collect();
    let mut good = 0;
    for call in calls {
        good += usize::from(call.await.unwrap());
    }
    assert_eq!(good, 100);
}
