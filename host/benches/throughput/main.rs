//! How fast, and at what cost: `just bench`.
//!
//! On one real broker, in one run and in turn: a plain consume-produce loop on rdkafka, Gristmill with a stage that
//! changes nothing, Gristmill with sanitize and chunk in the sandbox, and the same two stages compiled natively. What
//! counts are the ratios; the absolute numbers are those of the machine, its load and its broker.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints, and stops at the first surprise")]

mod flow;
mod native;
mod plain;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use gristmill::kafka::{self, Creation, Settings};
use gristmill::model::{Header, Timestamp};
use gristmill::ports::Record;

/// Partitions of every topic.
const PARTITIONS: u16 = 6;
/// Rounds, of which the median counts.
const ROUNDS: usize = 3;

/// What one run took.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// From the first event to the last acknowledgement.
    wall: Duration,
    /// User and system time of this process, the threads of librdkafka included.
    cpu: Duration,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Plain,
    PassThrough,
    Sandboxed,
    Native,
}

/// The events of one source topic.
struct Events {
    what: &'static str,
    topic: String,
    count: usize,
}

#[tokio::main]
async fn main() {
    let Ok(address) = std::env::var("GRISTMILL_TEST_KAFKA") else {
        println!("GRISTMILL_TEST_KAFKA is not set; `just bench` starts a broker and sets it");
        std::process::exit(2);
    };
    let settings = Settings::new(&address);
    let records = fill(&settings, "1 KB records", 60_000, record_of_1_kb).await;
    let documents = fill(&settings, "4 KB documents", 20_000, document_of_4_kb).await;
    let table = [
        (Subject::Plain, "plain rdkafka loop", &records),
        (Subject::PassThrough, "gristmill, pass-through stage", &records),
        (Subject::Plain, "plain rdkafka loop", &documents),
        (Subject::Sandboxed, "gristmill, sanitize + chunk", &documents),
        (Subject::Native, "gristmill, the same two natively", &documents),
    ];
    println!("load average before: {}", load());
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); table.len()];
    for round in 1..=ROUNDS {
        for (index, (subject, name, events)) in table.iter().enumerate() {
            let run = measure(*subject, &settings, events, &format!("{index}-{round}")).await;
            println!("round {round}: {name:<33} {:<15} {}", events.what, figures(run, events.count));
            runs[index].push(run);
        }
    }
    println!("load average after: {}\n\nmedians of {ROUNDS} rounds, {PARTITIONS} partitions:", load());
    println!("{:<33} {:<15} {:>10} {:>14} {:>9} {:>9}", "", "", "events/s", "CPU per event", "speed", "CPU");
    for (index, (_, name, events)) in table.iter().enumerate() {
        let run = median(&runs[index]);
        let base = median(&runs[if events.count == records.count { 0 } else { 2 }]);
        let speed = base.wall.as_secs_f64() / run.wall.as_secs_f64();
        let cpu = run.cpu.as_secs_f64() / base.cpu.as_secs_f64();
        println!("{name:<33} {:<15} {}   × {speed:<7.2} × {cpu:<7.2}", events.what, figures(run, events.count));
    }
    println!("\n× is the ratio to the plain loop on the same events");
    let ratio = median(&runs[3]).cpu.as_secs_f64() / median(&runs[4]).cpu.as_secs_f64();
    println!("CPU of the sandboxed stages ÷ the native ones: {ratio:.2}");
}

async fn measure(subject: Subject, settings: &Settings, events: &Events, label: &str) -> Run {
    let group = format!("{}-{label}", events.topic);
    let sink = create(settings, &format!("{group}.out")).await;
    let dead = create(settings, &format!("{group}.dead")).await;
    let wanted = flow::Wanted { settings, source: &events.topic, group: &group, sink: &sink, dead: &dead };
    match subject {
        Subject::Plain => {
            let (settings, source, count) = (settings.clone(), events.topic.clone(), events.count);
            tokio::task::spawn_blocking(move || plain::run(&settings, &source, &group, &sink, count)).await.unwrap()
        }
        Subject::PassThrough => flow::run(wanted, flow::pass_through().await, events.count).await,
        Subject::Sandboxed => flow::run(wanted, flow::sandboxed().await, events.count).await,
        Subject::Native => flow::run(wanted, flow::natively(), events.count).await,
    }
}

/// A source topic with so many events.
async fn fill(settings: &Settings, what: &'static str, count: usize, payload: fn(usize) -> String) -> Events {
    // Also the time of the records: the broker's retention goes by it.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let topic = create(settings, &format!("bench-{}", now.as_millis())).await;
    let record = |number| Record {
        topic: topic.as_str().into(),
        key: None,
        payload: Some(Bytes::from(payload(number))),
        headers: vec![Header { name: "content-type".into(), value: Some(Bytes::from_static(b"text/plain")) }],
        timestamp: Timestamp(i64::try_from(now.as_millis()).unwrap()),
    };
    kafka::send(settings, None, (0..count).map(record), |_| {}).await.unwrap();
    Events { what, topic, count }
}

async fn create(settings: &Settings, topic: &str) -> String {
    let creation = Creation { partitions: PARTITIONS, replication: 1 };
    kafka::check_topics(settings, &[kafka::Topic::source(topic)], Some(creation)).await.unwrap();
    topic.to_owned()
}

fn record_of_1_kb(number: usize) -> String {
    let mut text = format!("record {number} ");
    while text.len() < 1_024 {
        text.push_str("all work and no play ");
    }
    text
}

fn document_of_4_kb(number: usize) -> String {
    let mut text = format!("# Document {number}\n\n");
    while text.len() < 4_096 {
        let line = text.len() + number;
        text.push_str(&format!(
            "The supplier delivers the goods within {} days after the order was confirmed. Questions go to \
             person{line}@example.com or +49 30 {:07}. Nothing in this paragraph is meant.\n\n",
            line % 30,
            line % 10_000_000
        ));
    }
    text
}

fn median(runs: &[Run]) -> Run {
    let mut runs = runs.to_vec();
    runs.sort_by_key(|run| run.wall);
    runs[runs.len() / 2]
}

fn figures(run: Run, count: usize) -> String {
    let each = run.cpu.as_secs_f64() * 1e6 / count as f64;
    format!("{:>10.0} {each:>11.1} us", count as f64 / run.wall.as_secs_f64())
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// User and system time of this process so far, as the kernel counts it (in hundredths of a second).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}
