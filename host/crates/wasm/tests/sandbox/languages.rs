//! Stages in Python and JavaScript, which `cargo xtask languages` built.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what was not tested, and what it costs, is shown")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use gristmill_core::model::Outcome;
use gristmill_core::ports::StageError;
use serde_json::{Value, json};

use crate::harness::{Loaded, Sandbox};

/// A stage in another language. `None` where that language's tools are not.
async fn stage(language: &str, sandbox: Sandbox, config: Value) -> Option<Loaded> {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = target.with_file_name("languages").join(format!("{language}.wasm"));
    let Ok(component) = std::fs::read(&path) else {
        eprintln!("not tested: there is no {}; `cargo xtask languages` builds it", path.display());
        return None;
    };
    let (size, begun) = (component.len(), Instant::now());
    let loaded = sandbox.load(component, config).await.unwrap_or_else(|error| panic!("{error}"));
    println!("{language}: {size} bytes, loaded in {:?}, start: {:?}", begun.elapsed(), loaded.start());
    Some(loaded)
}

async fn run(stage: &Loaded, payload: &str) -> Result<Outcome, StageError> {
    stage.run_typed(payload, Some("application/json")).await
}

async fn emitted(stage: &Loaded, payload: &str) -> Value {
    match run(stage, payload).await.unwrap() {
        Outcome::Emit(outputs) => {
            assert_eq!(outputs[0].content_type.as_deref(), Some("application/json"));
            serde_json::from_slice(&outputs[0].payload).unwrap()
        }
        other => panic!("expected an output, got {other:?}"),
    }
}

async fn rejection(stage: &Loaded, payload: &str) -> String {
    match run(stage, payload).await.unwrap() {
        Outcome::Reject(failure) => failure.code,
        other => panic!("expected a rejection, got {other:?}"),
    }
}

/// What the stage's own traceback says of a bug.
async fn traceback(stage: &Loaded, payload: &str) -> String {
    match run(stage, payload).await {
        Err(StageError::Trap(failure)) => failure.message,
        other => panic!("expected a trap, got {other:?}"),
    }
}

/// The median time of an item.
async fn each(stage: &Loaded, payload: &str) -> Duration {
    let mut times = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        run(stage, payload).await.unwrap();
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_in_python_handles_items_and_says_where_a_bug_is() {
    let Some(stage) = stage("python", Sandbox::new().instances(2), json!({ "tax_percent": 19 })).await else { return };
    let invoice = r#"{"lines": [{"price": 0.1, "quantity": 3}, {"price": "1.50", "quantity": 2}]}"#;
    assert_eq!(emitted(&stage, invoice).await["total"], "3.93");
    assert_eq!(rejection(&stage, r#"{"lines": [], "total": 1}"#).await, "wrong-total");
    assert_eq!(rejection(&stage, r#"{"lines": [7]}"#).await, "not-a-number");
    assert_eq!(rejection(&stage, "{").await, "invalid-json");
    let said = traceback(&stage, r#"{"lines": [{"price": "1e999999", "quantity": 1}]}"#).await;
    assert!(said.contains("invoice.py") && said.contains("in process") && said.contains("InvalidOperation"), "{said}");
    println!("python: {:?} an item", each(&stage, invoice).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_in_javascript_handles_items_and_says_where_a_bug_is() {
    let Some(stage) = stage("js", Sandbox::new().instances(2), json!({ "keep": ["utm_id"] })).await else { return };
    let view = r#"{"url": "https://a.example/b?utm_source=x&utm_id=1&q=2"}"#;
    assert_eq!(emitted(&stage, view).await["url"], "https://a.example/b?utm_id=1&q=2");
    assert!(matches!(run(&stage, r#"{"agent": "a bot"}"#).await, Ok(Outcome::Drop(code)) if &*code == "robot"));
    assert_eq!(rejection(&stage, r#"{"url": "no"}"#).await, "not-a-url");
    assert_eq!(rejection(&stage, "{").await, "invalid-json");
    let said = traceback(&stage, r#"{"agent": {"toString": 1}}"#).await;
    assert!(said.contains("TypeError") && said.contains("links.js"), "{said}");
    println!("js: {:?} an item", each(&stage, view).await);
}
