//! How long an event takes from the source topic to the sink topic at half load: `just bench latency`.

use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use gristmill_core::flow::Step;
use gristmill_core::flow::settings::Checkpoint;
use gristmill_kafka::Settings;
use gristmill_wasm::Isolation;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::rows::{Input, Subject};
use super::{Events, PARTITIONS, create, fill, flow, load, measure as throughput, plain};

/// What is sent at the beginning does not count: the group is joined, and what waited for it is worked off after that.
const WARM_UP: Duration = Duration::from_secs(6);
/// How long events are sent at the chosen rate.
const LONG: Duration = Duration::from_secs(15);
/// How often a share of them is sent.
const BEAT: Duration = Duration::from_millis(1);
/// A longer silence means that the measurement failed.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// Measures what a sandboxed stage can take, and then the latency of each way to pass events on at half of that.
pub(crate) async fn measure(settings: &Settings) {
    println!("load average before: {}", load());
    let events = fill(settings, Input::Records, Input::Records.count()).await;
    let run = throughput(Subject::Pass(Isolation::Item), settings, &events, "capacity").await;
    let rate = events.count as f64 / run.wall.as_secs_f64() / 2.0;
    println!("{rate:.0} events/s of 1 KB, half of what `pass` takes; ms from the source topic to the sink topic");
    println!("{:<35} {:>8} {:>8} {:>8}", "", "p50", "p99", "most");
    let subjects: [(&str, Option<Vec<Step>>); 4] = [
        ("plain rdkafka loop", None),
        ("gristmill, pass-through, native", Some(flow::pass_natively())),
        ("gristmill, pass-through", Some(flow::pass_through(Isolation::Item, Checkpoint::Never).await)),
        ("gristmill, pass-through, shared", Some(flow::pass_through(Isolation::Shared, Checkpoint::Never).await)),
    ];
    for (index, (what, steps)) in subjects.into_iter().enumerate() {
        let mut latencies = run_at(settings, &events, &format!("{}-latency-{index}", events.topic), steps, rate).await;
        latencies.sort_unstable();
        let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        println!("{what:<35} {:>8.1} {:>8.1} {:>8.1}", at(0.5), at(0.99), at(1.0));
    }
    println!("load average after: {}", load());
}

/// Passes events on at this rate, with these steps or by the plain loop. Returns the latency of each that counts.
async fn run_at(
    settings: &Settings,
    events: &Events,
    source: &str,
    steps: Option<Vec<Step>>,
    rate: f64,
) -> Vec<Duration> {
    let source = create(settings, source).await;
    let sink = create(settings, &format!("{source}.out")).await;
    let dead = create(settings, &format!("{source}.dead")).await;
    let warm_up = (rate * WARM_UP.as_secs_f64()) as usize;
    let count = warm_up + (rate * LONG.as_secs_f64()) as usize;
    let begun = Instant::now();
    let feed = {
        let (settings, source, text) = (settings.clone(), source.clone(), events.input.payload(0));
        thread::spawn(move || feed(&settings, &source, &text, count, rate, begun))
    };
    let reader = {
        let (settings, sink) = (settings.clone(), sink.clone());
        thread::spawn(move || read(&settings, &sink, warm_up..count, begun))
    };
    match steps {
        Some(steps) => {
            let place = flow::Place { settings, source: &source, group: &source, sink: &sink, dead: &dead };
            flow::run(place, steps, count, flow::for_throughput()).await;
        }
        None => {
            let settings = settings.clone();
            let run = move || plain::run(&settings, &source, &source, &sink, count);
            tokio::task::spawn_blocking(run).await.unwrap();
        }
    }
    feed.join().unwrap();
    reader.join().unwrap()
}

/// Sends the events, each with its number and the time since `begun`.
fn feed(settings: &Settings, topic: &str, text: &str, count: usize, rate: f64, begun: Instant) {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", &settings.brokers)
        .set("linger.ms", "1")
        .set("compression.type", "lz4")
        .create()
        .unwrap();
    let start = Instant::now();
    let mut sent = 0;
    while sent < count {
        let due = ((start.elapsed().as_secs_f64() * rate) as usize).min(count);
        for number in sent..due {
            let payload = format!("{number} {} {text}", begun.elapsed().as_nanos());
            let record = BaseRecord::<[u8], str>::to(topic).payload(&payload);
            producer
                .send(record.partition((number % usize::from(PARTITIONS)) as i32))
                .map_err(|(error, _)| error)
                .unwrap();
        }
        sent = due;
        thread::sleep(BEAT);
    }
    producer.flush(LONGEST_SILENCE).unwrap();
}

/// Reads all of them from the sink topic; those with these numbers count.
fn read(settings: &Settings, topic: &str, counted: Range<usize>, begun: Instant) -> Vec<Duration> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &settings.brokers)
        .set("group.id", "latency")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions.add_partition_offset(topic, partition.into(), Offset::Beginning).unwrap();
    }
    consumer.assign(&partitions).unwrap();
    let (mut latencies, mut heard) = (Vec::with_capacity(counted.len()), Instant::now());
    for _ in 0..counted.end {
        let message = loop {
            if let Some(message) = consumer.poll(Duration::from_secs(1)) {
                break message.unwrap();
            }
            assert!(heard.elapsed() < LONGEST_SILENCE, "the sink topic has fallen silent");
        };
        heard = Instant::now();
        let text = std::str::from_utf8(message.payload().unwrap()).unwrap();
        let mut words = text.split(' ');
        let (number, sent) = (words.next().unwrap(), words.next().unwrap());
        if counted.contains(&number.parse().unwrap()) {
            latencies.push(begun.elapsed() - Duration::from_nanos(sent.parse().unwrap()));
        }
    }
    latencies
}
