//! The sandbox against guests that misbehave: each costs one attempt of one item, never the host.
#![allow(clippy::unwrap_used, reason = "a test fails on the first error")]

mod backtrace;
mod batch;
mod blame;
mod bounds;
mod cases;
mod compatibility;
mod harness;
mod hostile;
mod languages;
mod look;
mod outside;
mod reach;
mod shared;
mod snapshot;
mod standard;
mod tokens;

use std::time::{Duration, Instant};

use gristmill_core::model::{Failure, Outcome};
use gristmill_core::ports::StageError;
use gristmill_wasm::{Grants, StageLimits};
use harness::{Sandbox, guest, how_merged, scripted, without_store};
use serde_json::json;

/// The code of the error that ended a call.
fn code(result: Result<Outcome, StageError>) -> String {
    match result {
        Err(StageError::Trap(failure) | StageError::Permanent(failure)) => failure.code,
        Err(StageError::Retry { failure, .. } | StageError::Slow { failure, .. }) => {
            format!("passing {}", failure.code)
        }
        other => panic!("expected a failure, got {other:?}"),
    }
}

fn text(result: Result<Outcome, StageError>) -> String {
    match result {
        Ok(Outcome::Emit(outputs)) => String::from_utf8(outputs[0].payload.to_vec()).unwrap(),
        other => panic!("expected an output, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_item_comes_out_as_the_stage_made_it() {
    let stage = Sandbox::new().misbehave().await;
    assert_eq!(text(stage.run("echo hello").await), "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_misbehave_costs_one_attempt_and_has_a_code_of_its_own() {
    let limits = StageLimits { cpu: Duration::from_millis(200), ..StageLimits::default() };
    let stage = Sandbox::new().limits(limits).misbehave().await;
    let table = [
        ("spin", "cpu-limit"),
        ("hog", "memory-limit"),
        ("panic", "trap"),
        ("recurse", "trap"),
        ("exit", "bad-call"),
        ("flood 1000", "memory-limit"),
        ("flood 30", "bad-call"),
        ("flood 12", "output-too-large"),
        ("branch nowhere", "undeclared-branch"),
        ("permanent x", "told-to"),
        ("retry x", "passing told-to"),
    ];
    for (told, expected) in table {
        assert_eq!(code(stage.run(told).await), expected, "{told}");
        assert_eq!(text(stage.run("echo still here").await), "still here", "after {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_says_where_without_control_characters() {
    let stage = Sandbox::new().misbehave().await;
    let Err(StageError::Trap(Failure { message, .. })) = stage.run("panic").await else { panic!("no trap") };
    assert!(message.contains("told to panic"), "{message}");
    assert!(!message.contains('\x1b'), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn good_stages_beside_a_spinning_one_keep_going() {
    let limits = StageLimits { cpu: Duration::from_secs(2), ..StageLimits::default() };
    let stage = std::sync::Arc::new(Sandbox::new().limits(limits).misbehave().await);
    let spinning: Vec<_> = (0..4)
        .map(|_| {
            let stage = std::sync::Arc::clone(&stage);
            tokio::spawn(async move { code(stage.run("spin").await) })
        })
        .collect();
    let mut served = 0;
    while !spinning.iter().all(tokio::task::JoinHandle::is_finished) {
        assert_eq!(text(stage.run("echo hello").await), "hello");
        served += 1;
    }
    assert!(served > 20, "only {served} good items while the others were spinning");
    for task in spinning {
        assert_eq!(task.await.unwrap(), "cpu-limit");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wall_time_ends_a_guest_that_waits_for_ever() {
    let limits = StageLimits { wall: Duration::from_millis(300), ..StageLimits::default() };
    let silent = scripted(|_| Duration::from_secs(3600));
    let stage = Sandbox::new().limits(limits).model(silent).misbehave().await;
    let begun = Instant::now();
    assert_eq!(code(stage.run("ask anything").await), "passing timeout");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_model_is_not_computing() {
    let limits = StageLimits { cpu: Duration::from_millis(50), ..StageLimits::default() };
    let slow = scripted(|_| Duration::from_millis(400));
    let stage = Sandbox::new().limits(limits).model(slow).misbehave().await;
    assert_eq!(text(stage.run("ask something").await), "answer to something");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_requests_run_side_by_side() {
    let slow = scripted(|_| Duration::from_secs(3));
    let stage = Sandbox::new().model(slow).misbehave().await;
    let begun = Instant::now();
    assert_eq!(
        text(stage.run("ask-many a b c d e").await),
        "answer to a answer to b answer to c answer to d answer to e"
    );
    assert!(begun.elapsed() < Duration::from_secs(12), "one after the other: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_may_share_a_call_say_so_to_the_model() {
    let stage = Sandbox::new().model(how_merged()).misbehave().await;
    assert_eq!(text(stage.run("ask-merged a b").await), "20/8000/500ms/Job 20/8000/500ms/Job");
    assert_eq!(text(stage.run("ask-many a b").await), "alone alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_ends_the_call_and_the_guest_does_not_see_it() {
    let stage = Sandbox::new().model(without_store()).misbehave().await;
    for told in ["ask anything", "ask-many a b"] {
        let result = stage.run(told).await;
        let Err(StageError::Store(reason)) = result else { panic!("the guest saw it: {result:?}") };
        assert_eq!(reason.to_string(), "the state store test does not work: its disk is gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_outside_can_be_seen() {
    let stage = Sandbox::new().misbehave().await;
    assert_eq!(text(stage.run("look").await), "files 0 variables 0 arguments 0 connected false");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chatty_stage_is_cut_short_and_lives() {
    let stage = Sandbox::new().misbehave().await;
    assert_eq!(text(stage.run("chatter").await), "said a lot");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_of_another_media_type_is_rejected_without_a_call() {
    let stage = Sandbox::new().misbehave().await;
    let outcome = stage.run_typed("spin", Some("application/pdf")).await.unwrap();
    let Outcome::Reject(failure) = outcome else { panic!("not rejected: {outcome:?}") };
    assert_eq!(failure.code, "unsupported-media-type");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_was_not_granted_cannot_be_linked() {
    let refused = Sandbox::new().grants(Grants::default()).load(guest("misbehave"), json!({})).await.err().unwrap();
    let message = refused.to_string();
    assert!(message.contains("\"under-test\""), "names the stage: {message}");
    assert!(message.contains("test.wasm"), "names the file: {message}");
    assert!(message.contains("gristmill:stage/llm@0.2.") && message.contains("grants = [\"llm\"]"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_component_is_refused_in_words() {
    let core = b"\0asm\x01\0\0\0".to_vec();
    let table = [
        (core, "core WebAssembly module"),
        (b"\x7fELF....".to_vec(), "native code"),
        (b"hello".to_vec(), "not a WebAssembly component"),
        (b"\0asm\x0d\0\x01\0broken".to_vec(), "does not compile"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "does not fit the stage contract"),
    ];
    for (bytes, expected) in table {
        let refused = Sandbox::new().load(bytes, json!({})).await.err().unwrap().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_does_not_fit_is_refused_with_pointers() {
    let sandbox = Sandbox::new().limits(StageLimits { cpu: Duration::from_millis(200), ..StageLimits::default() });
    let table = [
        (json!({ "init": "unknown" }), "/init"),
        (json!({ "inti": "spin" }), "inti"),
        (json!({ "init": "refuse" }), "/init: told to refuse"),
        (json!({ "init": "panic" }), "told to panic in init"),
        (json!({ "init": "spin" }), "used more than its 200ms of CPU time"),
    ];
    for (config, expected) in table {
        let refused = sandbox.load(guest("misbehave"), config).await.err().unwrap().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_takes_the_compiled_code_and_a_damaged_file_is_compiled_again() {
    let sandbox = Sandbox::new();
    assert_eq!(text(sandbox.misbehave().await.run("echo a").await), "a");
    let mut cached = sandbox.cached_files();
    cached.retain(|path| path.extension().is_some_and(|extension| extension == "cwasm"));
    assert_eq!(cached.len(), 1, "{cached:?}");
    std::fs::write(&cached[0], b"damaged").unwrap();
    assert_eq!(text(sandbox.again().misbehave().await.run("echo b").await), "b");
    assert!(std::fs::metadata(&cached[0]).unwrap().len() > 1000, "the damaged file was replaced");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_can_fill_one_cache_at_once() {
    let sandbox = Sandbox::new();
    let other = sandbox.again();
    let (one, two) = tokio::join!(sandbox.misbehave(), other.misbehave());
    assert_eq!(text(one.run("echo a").await), "a");
    assert_eq!(text(two.run("echo b").await), "b");
    assert_eq!(sandbox.cached_files().len(), 2, "the code and the notes");
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_come_back_after_every_kind_of_end() {
    let limits = StageLimits { cpu: Duration::from_millis(20), ..StageLimits::default() };
    let stage = Sandbox::new().instances(2).limits(limits).misbehave().await;
    for round in 0..30 {
        let told = ["panic", "spin", "hog", "echo x"][round % 4];
        let _ = stage.run(told).await;
    }
    assert_eq!(text(stage.run("echo still here").await), "still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_machine_does_not_use_up_a_stages_cpu_time() {
    let limits = StageLimits { cpu: Duration::from_millis(300), ..StageLimits::default() };
    let stage = Sandbox::new().limits(limits).misbehave().await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let busy: Vec<_> = (0..4 * std::thread::available_parallelism().unwrap().get())
        .map(|_| {
            let stop = std::sync::Arc::clone(&stop);
            std::thread::spawn(move || while !stop.load(std::sync::atomic::Ordering::Relaxed) {})
        })
        .collect();
    let begun = Instant::now();
    // The guest computes for 400 ms by the wall clock, of which it gets a fraction.
    let good = stage.run("compute 400").await;
    let bomb = code(stage.run("hog").await);
    let spinning = code(stage.run("spin").await);
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(text(good), "computed");
    assert_eq!(bomb, "memory-limit");
    assert_eq!(spinning, "cpu-limit");
    assert!(begun.elapsed() > Duration::from_millis(600), "the machine was not busy");
}
