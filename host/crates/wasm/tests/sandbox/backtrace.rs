//! Where a guest was when its call ended.

use std::time::Duration;

use gristmill_core::ports::StageError;
use gristmill_wasm::StageLimits;
use serde_json::Value;

use crate::harness::Sandbox;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_broke_names_the_functions_that_were_running() {
    let limits = StageLimits { cpu: Duration::from_millis(200), ..StageLimits::default() };
    let stage = Sandbox::new().limits(limits).misbehave().await;
    for told in ["panic", "recurse", "spin", "hog", "exit"] {
        let Err(StageError::Trap(failure)) = stage.run(told).await else { panic!("{told} did not break") };
        let details = failure.details.unwrap_or_else(|| panic!("{told}: no details of {}", failure.code));
        let details: Value = serde_json::from_str(&details).unwrap();
        let names: Vec<&str> = details["backtrace"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(names.len() <= 20 && names.iter().any(|name| name.contains("misbehave::")), "{told}: {names:#?}");
        assert!(!failure.message.contains("wasm backtrace"), "{told}: {}", failure.message);
    }
}
