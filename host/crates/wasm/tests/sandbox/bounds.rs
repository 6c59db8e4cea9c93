//! What guests can make the host do: counts and texts are bounded, and computing is measured by the CPU's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gristmill_core::ports::StageError;
use gristmill_wasm::{Module, Reason, StageLimits};
use serde_json::json;

use crate::harness::{Sandbox, guest};
use crate::{code, text};

/// Threads that do nothing but compute, four for each core, until they are dropped.
struct Load(Arc<AtomicBool>);

impl Load {
    fn begin() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let cores = std::thread::available_parallelism().unwrap().get();
        for _ in 0..4 * cores {
            let over = Arc::clone(&over);
            std::thread::spawn(move || while !over.load(Ordering::Relaxed) {});
        }
        Self(over)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_busy_machine_each_guest_has_the_computing_time_it_was_promised() {
    let limits = StageLimits { cpu: Duration::from_millis(1_200), ..StageLimits::default() };
    let stage = Sandbox::new().limits(limits).misbehave().await;
    let load = Load::begin();
    // By the clock on the wall it takes longer than its limit; of a core it gets about a quarter of that.
    assert_eq!(text(stage.run("compute 2000").await), "computed");
    assert_eq!(code(stage.run("hog").await), "memory-limit");
    drop(load);
    assert_eq!(code(stage.run("spin").await), "cpu-limit");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_host_would_carry_is_refused_and_costs_it_little() {
    let stage = Sandbox::new().misbehave().await;
    let begun = Instant::now();
    for (told, expected) in [
        ("outputs 100001", "too-many-outputs"),
        ("attributes 1001", "too-many-attributes"),
        ("attributes 200000", "too-many-attributes"),
    ] {
        assert_eq!(code(stage.run(told).await), expected, "{told}");
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(stage.run("outputs 1000").await.is_ok());
    assert!(stage.run("attributes 1000").await.is_ok());
    assert_eq!(text(stage.run("ask-too-many").await), "1001 of 1001 refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_says_of_a_failure_is_one_short_line() {
    let stage = Sandbox::new().misbehave().await;
    let Err(StageError::Permanent(failure)) = stage.run("shout").await else { panic!("not permanent") };
    assert_eq!(failure.code.len(), 64);
    assert!(failure.code.starts_with("loud---31mloud"), "{}", failure.code);
    assert!(failure.message.len() < 10_000 && !failure.message.contains(char::is_control), "{}", failure.message.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stage_says_of_itself_is_one_line() {
    let stage = Sandbox::new().misbehave().await;
    assert_eq!(stage.description().description, "Executes the command in each item OK\u{fffd}[2J");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_thousand_faults_the_first_hundred_are_told() {
    let config = json!({ "init": "refuse-much" });
    let refused = Sandbox::new().load(guest("misbehave"), config).await.err().unwrap();
    let shown = refused.to_string();
    assert!(shown.len() < 10_000);
    let Reason::Config(faults) = refused.reason else { panic!("{shown}") };
    assert_eq!(faults.len(), 101);
    assert!(faults[0].message.starts_with("told to refuse 0 x"), "{}", faults[0]);
    assert_eq!(faults[100].message, "and 99900 more faults");
}

#[test]
fn what_is_no_file_is_no_module_and_is_not_waited_for() {
    for (path, expected) in [("/dev/zero", "a device"), ("/", "a folder"), ("/nonexistent", "No such file")] {
        let refused = Module::read(std::path::Path::new(path)).unwrap_err().to_string();
        assert!(refused.starts_with("cannot be read") && refused.contains(expected), "{refused}");
    }
}

#[test]
fn a_module_of_more_than_64_megabytes_is_not_read() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len((64 << 20) + 1).unwrap();
    let refused = Module::read(file.path()).unwrap_err().to_string();
    assert!(refused.contains("larger than 64MiB"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_of_one_module_share_its_code_while_one_of_them_lives() {
    let sandbox = Sandbox::new();
    let runtime = sandbox.runtime();
    let first = sandbox.load_into(&runtime, guest("misbehave"), json!({})).await.unwrap();
    for cached in sandbox.cached_files() {
        std::fs::remove_file(cached).unwrap();
    }
    let second = sandbox.load_into(&runtime, guest("misbehave"), json!({})).await.unwrap();
    assert!(sandbox.cached_files().is_empty(), "it was compiled again");
    drop((first, second));
    sandbox.load_into(&runtime, guest("misbehave"), json!({})).await.unwrap();
    assert_eq!(sandbox.cached_files().len(), 2, "code without a stage stayed in memory");
}
