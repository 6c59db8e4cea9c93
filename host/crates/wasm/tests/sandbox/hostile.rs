//! Every misdeed at every export, beside a good stage in the same process: what is hostile is stopped in time, and the good one
//! hardly notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gristmill_wasm::StageLimits;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::harness::{Loaded, Sandbox, guest};
use crate::text;

/// What each call may compute.
const CPU: Duration = Duration::from_millis(200);
/// How long after that a call is over, in 95 of 100 cases.
const LATE: Duration = Duration::from_millis(50);

/// What a stage does wrong when it gets an item: alone, and with good items in one call.
const AT_PROCESS: [&str; 12] = [
    "spin",
    "hog",
    "panic",
    "recurse",
    "exit",
    "chatter",
    "flood 30",
    "flood 1000",
    "outputs 100001",
    "attributes 200000",
    "shout",
    "ask-too-many",
];

/// `full` with `GRISTMILL_SOAK`, `short` without.
fn size<T>(short: T, full: T) -> T {
    if std::env::var_os("GRISTMILL_SOAK").is_some() { full } else { short }
}

/// The guest "misbehave", told in its bytes what to do wrong.
fn told(marker: &str, word: &str) -> Vec<u8> {
    let mut module = guest("misbehave");
    let places: Vec<usize> = (0..module.len()).filter(|at| module[*at..].starts_with(marker.as_bytes())).collect();
    let [at] = places[..] else { panic!("{marker} is there {} times", places.len()) };
    let (at, told) = (at + marker.len(), format!("{word:<11}"));
    module[at..at + told.len()].copy_from_slice(told.as_bytes());
    module
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100).max(1) - 1]
}

/// The CPU time of this thread.
fn thread_clock() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// How many times longer than its CPU time it takes to compute for 20 ms here and now, because others compute too.
struct Slowness {
    over: Arc<AtomicBool>,
    measured: std::thread::JoinHandle<Vec<f64>>,
}

impl Slowness {
    fn begin() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let measured = std::thread::spawn(move || {
            let mut ratios = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                let (wall, cpu) = (Instant::now(), thread_clock());
                while thread_clock() - cpu < Duration::from_millis(20) {
                    std::hint::black_box(());
                }
                ratios.push(wall.elapsed().as_secs_f64() / 0.02);
                std::thread::sleep(Duration::from_millis(20));
            }
            ratios
        });
        Self { over, measured }
    }

    /// The ratio that was exceeded one time in 20.
    fn end(self) -> f64 {
        self.over.store(true, Ordering::Relaxed);
        let mut ratios = self.measured.join().unwrap();
        ratios.sort_unstable_by(f64::total_cmp);
        ratios[ratios.len() * 95 / 100].max(1.0)
    }
}

/// A good stage that gets one item after the other.
struct Good {
    over: Arc<AtomicBool>,
    times: JoinHandle<Vec<Duration>>,
}

impl Good {
    fn begin(stage: &Arc<Loaded>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (ends, stage) = (Arc::clone(&over), Arc::clone(stage));
        let times = tokio::spawn(async move {
            let mut times = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                let begun = Instant::now();
                assert_eq!(text(stage.run("hello").await), "hello");
                times.push(begun.elapsed());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            times
        });
        Self { over, times }
    }

    async fn end(self) -> Vec<Duration> {
        self.over.store(true, Ordering::Relaxed);
        self.times.await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout, reason = "figures are printed for --nocapture")]
async fn hostile_items_are_stopped_in_time_and_a_good_stage_goes_on_beside_them() {
    let limits = StageLimits { cpu: CPU, ..StageLimits::default() };
    let sandbox = Sandbox::new().limits(limits);
    let runtime = sandbox.runtime();
    let hostile = sandbox.load_into(&runtime, guest("misbehave"), json!({})).await.unwrap();
    let good = Arc::new(sandbox.load_into(&runtime, guest("pass"), json!({})).await.unwrap());
    let rounds = size(3, 30);

    let slowness = Slowness::begin();
    // Beside a neighbour that computes as much as it may, and does nothing wrong.
    let beside_a_good_one = Good::begin(&good);
    for _ in 0..2 * rounds {
        assert_eq!(text(hostile.run("compute 150").await), "computed");
    }
    let mut usual = beside_a_good_one.end().await;
    let beside = Good::begin(&good);
    let mut late = Vec::new();
    for _ in 0..rounds {
        for misdeed in AT_PROCESS {
            let begun = Instant::now();
            let _ = hostile.run(misdeed).await;
            late.push(begun.elapsed().saturating_sub(CPU));
            let begun = Instant::now();
            let together = hostile.run_together(&["echo a", misdeed, "echo b"]).await;
            late.push(begun.elapsed().saturating_sub(CPU));
            if let Some(results) = together {
                assert!(results[0].is_ok() && results[2].is_ok(), "{misdeed} cost its neighbours: {results:?}");
            }
            assert_eq!(text(hostile.run("echo still here").await), "still here", "after {misdeed}");
        }
    }
    let (mut times, slowness) = (beside.end().await, slowness.end());
    let (before, after, late) = (percentile(&mut usual, 99), percentile(&mut times, 99), percentile(&mut late, 95));
    println!(
        "hostile items: over their limit by {late:?} (p95); a good stage beside them p99 {after:?} of {} items, beside a good \
         one {before:?} of {}; computing takes {slowness:.1} times its CPU time",
        times.len(),
        usual.len()
    );
    // The limit is one of CPU time, of which each gets a part on a busy machine.
    let part = |time: Duration| time.mul_f64(slowness);
    assert!(late <= part(CPU + LATE) - CPU, "{late:?}, slowed down {slowness}");
    assert!(after <= 2 * before + part(LATE), "{after:?}, and {before:?} before");
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout, reason = "figures are printed for --nocapture")]
async fn stages_that_are_hostile_when_they_are_loaded_are_refused_and_a_good_one_goes_on_beside_them() {
    let limits = StageLimits { cpu: CPU, ..StageLimits::default() };
    let sandbox = Sandbox::new().limits(limits);
    let runtime = sandbox.runtime();
    let good = Arc::new(sandbox.load_into(&runtime, guest("pass"), json!({})).await.unwrap());
    let beside = Good::begin(&good);
    let computes = "used more than its 200ms of CPU time";
    let at_describe = [
        ("spin", computes),
        ("exit", "failed in describe"),
        ("shout", "failed in describe"),
        ("branches", "too many branches"),
        ("hog", "memory-limit"),
        ("panic", "told to panic"),
        ("recurse", "failed in describe"),
        ("schema", "JSON Schema"),
    ];
    let at_init = [
        ("spin", computes),
        ("exit", "failed in init"),
        ("hog", "memory-limit"),
        ("panic", "told to panic"),
        ("recurse", "failed in init"),
    ];
    let describe = at_describe.iter().take(size(4, 8)).map(|case| ("GRISTMILL-DESCRIBE:", case));
    let init = at_init.iter().take(size(2, 5)).map(|case| ("GRISTMILL-INIT:", case));
    for (marker, (word, expected)) in describe.chain(init) {
        let refused = sandbox.load_into(&runtime, told(marker, word), json!({})).await.err();
        let refused = refused.unwrap_or_else(|| panic!("{marker}{word} was taken")).to_string();
        assert!(refused.contains(expected) && refused.len() < 20_000, "{marker}{word}: {refused}");
    }
    let chatty = sandbox.load_into(&runtime, told("GRISTMILL-DESCRIBE:", "chatter"), json!({})).await.unwrap();
    assert_eq!(chatty.description().description, "said a lot");
    let mut times = beside.end().await;
    println!("beside hostile modules: p99 {:?} of {} items", percentile(&mut times, 99), times.len());
}
