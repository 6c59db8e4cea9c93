//! How long the binary takes from its start to the first record in the sink: `just bench start`.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gristmill_kafka::Settings;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::rows::Input;
use super::{PARTITIONS, create, fill, flow, load};

/// Joining a group takes some seconds at most; a longer silence means that the measurement failed.
const LONGEST: Duration = Duration::from_secs(120);

/// Starts the binary with nothing cached, and then some times with all modules compiled.
pub(crate) async fn measure(settings: &Settings, rounds: usize) {
    println!("load average before: {}", load());
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let events = fill(settings, Input::Documents, 1).await;
    let mut took = Vec::new();
    for round in 0..=rounds {
        // A group of its own for each round: each reads the one event.
        let name = format!("{}-{round}", events.topic);
        let sink = create(settings, &format!("{name}.out")).await;
        let dead = create(settings, &format!("{name}.dead")).await;
        let file = folder.path().join(format!("{name}.toml"));
        let text = format!(
            "name = {name:?}\n[kafka]\nbrokers = {:?}\n[source]\ntopic = {:?}\n[sink]\ntopic = {sink:?}\n\
             [dead_letter]\ntopic = {dead:?}\n{}",
            settings.brokers,
            events.topic,
            flow::standard_stages()
        );
        std::fs::write(&file, text).unwrap();
        let consumer = reader(settings, &sink);
        let begun = Instant::now();
        let mut host = Command::new(env!("CARGO_BIN_EXE_gristmill"));
        host.arg("run").arg(&file).current_dir(folder.path());
        host.env("GRISTMILL_CACHE", folder.path().join("cache")).env("GRISTMILL_STATE", folder.path().join("state"));
        let host = Running(host.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        first(&consumer, begun);
        took.push(begun.elapsed());
        drop(host);
    }
    println!("from the start of `gristmill run` with sanitize and chunk to the first record in the sink:");
    println!("nothing cached: {:.2} s", took[0].as_secs_f64());
    let mut warm = took.split_off(1);
    warm.sort_unstable();
    println!("modules compiled before: {:.2} s (median of {rounds})", warm[warm.len() / 2].as_secs_f64());
    println!("load average after: {}", load());
}

/// Killed when it is no longer needed.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn reader(settings: &Settings, topic: &str) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &settings.brokers)
        .set("group.id", "start")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions.add_partition_offset(topic, partition.into(), Offset::Beginning).unwrap();
    }
    consumer.assign(&partitions).unwrap();
    consumer
}

/// Waits for the first record.
fn first(consumer: &BaseConsumer, begun: Instant) {
    while consumer.poll(Duration::from_millis(100)).is_none() {
        assert!(begun.elapsed() < LONGEST, "no record came within {LONGEST:?}");
    }
}
