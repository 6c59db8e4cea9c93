//! The same work by others.

use std::process::Stdio;
use std::time::{Duration, Instant};

use gristmill_kafka::Settings;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::process::{Child, Command};

use super::flow::Place;
use super::rows::{CONNECT, Input};
use super::{Events, PARTITIONS, Run, give_up};

/// A Python with confluent-kafka. `just bench python` makes one.
const PYTHON: &str = "GRISTMILL_BENCH_PYTHON";
/// The configurations and the worker.
const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");

/// How often another process is looked at.
const BEAT: Duration = Duration::from_millis(20);
/// A peer that takes longer has failed.
const LONGEST: Duration = Duration::from_secs(600);
/// The unit of times in `/proc`, which Linux fixes for programs: a hundredth of a second.
const TICK: Duration = Duration::from_millis(10);

/// Runs the worker of `host/benches/peers` over this many events, and returns what it measured of itself.
pub(crate) async fn python(settings: &Settings, source: &str, group: &str, sink: &str, count: usize) -> Run {
    let unset =
        |_| give_up("GRISTMILL_BENCH_PYTHON is not set; `just bench python` installs what it needs and sets it");
    let mut worker = Command::new(std::env::var(PYTHON).unwrap_or_else(unset));
    worker.arg(format!("{PEERS}/worker.py"));
    let output = worker.args([&settings.brokers, source, sink, group, &count.to_string()]).output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let seconds: Vec<f64> = text.split_whitespace().map_while(|word| word.parse().ok()).collect();
    match seconds[..] {
        [wall, cpu] => Run { wall: Duration::from_secs_f64(wall), cpu: Duration::from_secs_f64(cpu) },
        _ => give_up(&format!("the Python worker failed: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// Runs Redpanda Connect over these events, watched from outside: from the first record in the sink, some milliseconds later
/// than the others are measured, until all events are committed.
pub(crate) async fn connect(place: &Place<'_>, events: &Events) -> Run {
    let unset = |_| give_up("GRISTMILL_BENCH_CONNECT is not set; it names the binary of Redpanda Connect");
    let config = match events.input {
        Input::Records => "connect-records.yaml",
        Input::Documents => "connect-documents.yaml",
    };
    let mut command = Command::new(std::env::var(CONNECT).unwrap_or_else(unset));
    command.arg("run").arg(format!("{PEERS}/{config}"));
    command.env("BENCH_BROKERS", &place.settings.brokers).env("BENCH_SOURCE", place.source);
    command.env("BENCH_GROUP", place.group).env("BENCH_SINK", place.sink);
    let mut peer = command.stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let watcher: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &place.settings.brokers)
        .set("group.id", place.group)
        .create()
        .unwrap();
    let started = Instant::now();
    wait(&mut peer, started, || has_records(&watcher, place.sink)).await;
    let (begun, cpu) = (Instant::now(), cpu_of(&peer));
    wait(&mut peer, started, || committed(&watcher, place.source) >= events.count).await;
    Run { wall: begun.elapsed(), cpu: cpu_of(&peer) - cpu }
}

async fn wait(peer: &mut Child, started: Instant, is_reached: impl Fn() -> bool) {
    while !is_reached() {
        if let Some(status) = peer.try_wait().unwrap() {
            give_up(&format!("Redpanda Connect ended: {status}"))
        }
        assert!(started.elapsed() < LONGEST, "Redpanda Connect took longer than {LONGEST:?}");
        tokio::time::sleep(BEAT).await;
    }
}

fn has_records(watcher: &BaseConsumer, topic: &str) -> bool {
    let end = |partition: u16| watcher.fetch_watermarks(topic, partition.into(), LONGEST).unwrap().1;
    (0..PARTITIONS).any(|partition| end(partition) > 0)
}

/// How many events of the topic the watcher's group has committed.
fn committed(watcher: &BaseConsumer, topic: &str) -> usize {
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_range(topic, 0, i32::from(PARTITIONS) - 1);
    let committed = watcher.committed_offsets(partitions, LONGEST).unwrap();
    let each = committed.elements().into_iter().map(|element| match element.offset() {
        Offset::Offset(offset) => usize::try_from(offset).unwrap(),
        _ => 0,
    });
    each.sum()
}

/// User and system time of a process so far.
pub(crate) fn cpu_of(peer: &Child) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", peer.id().unwrap())).unwrap();
    // What follows the name, which may have blanks in it: user and system time are the 12th and 13th.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u32 = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u32>().unwrap()).sum();
    TICK * ticks
}
