//! The same work by others.

use std::time::Duration;

use gristmill_kafka::Settings;
use tokio::process::Command;

use super::{Run, give_up};

/// A Python with confluent-kafka. `just bench python` makes one.
const PYTHON: &str = "GRISTMILL_BENCH_PYTHON";

/// Runs the worker of `host/benches/peers` over this many events, and returns what it measured of itself.
pub(crate) async fn python(settings: &Settings, source: &str, group: &str, sink: &str, count: usize) -> Run {
    let unset =
        |_| give_up("GRISTMILL_BENCH_PYTHON is not set; `just bench python` installs what it needs and sets it");
    let mut worker = Command::new(std::env::var(PYTHON).unwrap_or_else(unset));
    worker.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/worker.py"));
    let output = worker.args([&settings.brokers, source, sink, group, &count.to_string()]).output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let seconds: Vec<f64> = text.split_whitespace().map_while(|word| word.parse().ok()).collect();
    match seconds[..] {
        [wall, cpu] => Run { wall: Duration::from_secs_f64(wall), cpu: Duration::from_secs_f64(cpu) },
        _ => give_up(&format!("the Python worker failed: {}", String::from_utf8_lossy(&output.stderr))),
    }
}
