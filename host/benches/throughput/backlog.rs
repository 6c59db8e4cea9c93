//! Measures memory while a large backlog is processed: it must not grow with the size of the backlog.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gristmill_core::flow::settings::Checkpoint;
use gristmill_core::ports::Record;
use gristmill_kafka::{self as kafka, Settings};
use gristmill_wasm::Isolation;
use tokio::process::Command;

use super::flow::{self, Place};
use super::{create, load, topic};

/// The sizes of records, in bytes; each is equally frequent.
const SIZES: [usize; 4] = [1_000, 10_000, 40_000, 100_000];
/// How often memory is sampled.
const LOOK: Duration = Duration::from_millis(100);
/// The highest allowed ratio of memory in the last quarter to memory in the first.
const MOST_GROWTH: f64 = 1.2;
/// The bound of ARCHITECTURE.md for memory besides sandboxes, in MiB: events of running jobs, read ahead, fetched, and
/// queued in the producer.
const BOUND_MIB: usize = 64 + 16 + 16 + 64;

/// The work of the measured process.
pub(crate) struct Job {
    pub(crate) source: String,
    pub(crate) sink: String,
    pub(crate) dead: String,
    pub(crate) count: usize,
}

/// Fills a topic and processes it in another process, so that filling it does not count.
pub(crate) async fn measure(settings: &Settings, gigabytes: f64) {
    let (source, now) = topic(settings).await;
    let average = SIZES.iter().sum::<usize>() / SIZES.len();
    let count = (gigabytes * 1e9) as usize / average;
    // Incompressible: the size on the wire is the size in memory.
    let mut random = fastrand::Rng::with_seed(7);
    let noise: Bytes = std::iter::repeat_with(|| random.u8(..)).take(8 << 20).collect();
    let mut payload = |number: usize| {
        let size = SIZES[number % SIZES.len()];
        let begin = random.usize(..noise.len() - size);
        noise.slice(begin..begin + size)
    };
    let record = |number| Record {
        topic: source.as_str().into(),
        partition: None,
        key: None,
        payload: Some(payload(number)),
        headers: Vec::new(),
        timestamp: now,
    };
    kafka::send(settings, None, (0..count).map(record), |_| {}).await.unwrap();
    println!("{count} records of 1 KB to 100 KB, {gigabytes} GB; load average {}", load());
    let sink = create(settings, &format!("{source}.out")).await;
    let dead = create(settings, &format!("{source}.dead")).await;
    let mut worker = Command::new(std::env::current_exe().unwrap());
    let status = worker.args(["work-off", &source, &sink, &dead, &count.to_string()]).status().await.unwrap();
    std::process::exit(status.code().unwrap_or(1));
}

/// Passes the records through a sandboxed stage with default limits, and prints the memory used.
pub(crate) async fn work_off(settings: &Settings, job: Job) {
    let steps = flow::pass_through(Isolation::Item, Checkpoint::Never).await;
    let ready = resident("VmRSS");
    let ended = Arc::new(AtomicUsize::new(0));
    let watch = tokio::spawn(watch(Arc::clone(&ended), job.count));
    let place = Place { settings, source: &job.source, group: &job.source, sink: &job.sink, dead: &job.dead };
    let run = flow::run_watched(place, steps, job.count, flow::by_default(), ended).await;
    let most = watch.await.unwrap();
    println!("MiB in use: {ready} before the first event");
    for (quarter, most) in (1..).zip(most) {
        println!("  most in the {}% to {}%: {most}", (quarter - 1) * 25, quarter * 25);
    }
    let (peak, bound) = (resident("VmHWM"), ready + BOUND_MIB);
    println!("  peak (VmHWM): {peak}; bound without sandboxes: {ready} + {BOUND_MIB} = {bound}");
    println!("{:.0} events/s; load average {}", job.count as f64 / run.wall.as_secs_f64(), load());
    let growth = most[3] as f64 / most[0] as f64;
    println!("the last quarter used {growth:.2} times the memory of the first; at most {MOST_GROWTH} is allowed");
    if growth > MOST_GROWTH || peak > bound {
        println!("too much memory");
        std::process::exit(1);
    }
}

/// The most memory seen in each quarter of the work, in MiB.
async fn watch(ended: Arc<AtomicUsize>, count: usize) -> [usize; 4] {
    let mut most = [0; 4];
    loop {
        let done = ended.load(Ordering::Relaxed);
        if done >= count {
            return most;
        }
        let quarter = &mut most[done * 4 / count];
        *quarter = resident("VmRSS").max(*quarter);
        tokio::time::sleep(LOOK).await;
    }
}

/// A field of /proc/self/status, in MiB.
fn resident(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1_024
}
