//! Throughput and its cost: `just bench`.
//!
//! Runs plain consume-produce loops on rdkafka, and Gristmill with different stages, in turn over the same events on one
//! real broker. The ratios count; the absolute numbers depend on the machine, its load and its broker.
//! `cargo xtask bench NAME…` measures only these rows; `rounds=N` and `events=N` shorten it. `backlog` is another
//! measurement: the memory in use while a large backlog is processed. So are `stages`, what an item costs in each standard
//! stage; `gateway`, what a call of a model costs beside the model; `latency`, how long an event takes at half load; and
//! `start`, how long the first one takes. Of the HTTP API, `submit` measures how long a document takes to be accepted, `reads`
//! what status reads cost a running pipeline, and `records` what its jobs' records do.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and a failed unwrap ends it")]

mod api;
mod arguments;
mod backlog;
mod flow;
mod gateway;
mod latency;
mod native;
mod peer;
mod plain;
mod rows;
mod sandbox;
mod start;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use gristmill_core::flow::settings::Checkpoint;
use gristmill_core::model::{Header, Timestamp};
use gristmill_core::ports::{Record, Role, Topic};
use gristmill_kafka::{self as kafka, Creation, Settings};
use gristmill_wasm::Isolation;

use arguments::{Arguments, Wanted};
use rows::{Input, ROWS, Row, Subject};

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Partitions of every topic.
const PARTITIONS: u16 = 6;

/// The time of one run.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// From the first event to the last acknowledgement.
    wall: Duration,
    /// User and system time of this process, including the threads of librdkafka.
    cpu: Duration,
}

/// The events of one source topic.
struct Events {
    input: Input,
    topic: String,
    count: usize,
}

#[tokio::main]
async fn main() {
    match arguments::read(std::env::args().skip(1)).unwrap_or_else(|fault| give_up(&fault)) {
        Wanted::Rows(arguments) => measure_rows(&broker(), arguments).await,
        Wanted::Stages => sandbox::measure(arguments::ROUNDS).await,
        Wanted::Gateway { rounds } => gateway::measure(rounds).await,
        Wanted::GatewayServer => gateway::serve().await,
        Wanted::Latency => latency::measure(&broker()).await,
        Wanted::Start => start::measure(&broker(), arguments::ROUNDS).await,
        Wanted::Submit { rounds } => api::submit::measure(&broker(), rounds).await,
        Wanted::Reads { rounds } => api::reads::measure(&broker(), rounds).await,
        Wanted::ApiLoad { address, paths } => {
            std::thread::spawn(move || api::load::run(&address, &paths)).join().unwrap()
        }
        Wanted::Records { rounds } => api::records::measure(&broker(), rounds).await,
        Wanted::Backlog { gigabytes } => backlog::measure(&broker(), gigabytes).await,
        Wanted::WorkOff(job) => backlog::work_off(&broker(), job).await,
    }
}

fn broker() -> Settings {
    let unset = |_| give_up("GRISTMILL_TEST_KAFKA is not set; `just bench` starts a broker and sets it");
    Settings::new(&std::env::var("GRISTMILL_TEST_KAFKA").unwrap_or_else(unset))
}

fn give_up<T>(why: &str) -> T {
    println!("{why}");
    std::process::exit(2)
}

async fn measure_rows(settings: &Settings, arguments: Arguments) {
    let rows: Vec<&Row> = ROWS.iter().filter(|row| arguments.wants(row)).collect();
    let mut inputs = Vec::new();
    for input in [Input::Records, Input::Documents] {
        if rows.iter().any(|row| row.input == input) {
            inputs.push(fill(settings, input, arguments.events.unwrap_or(input.count())).await);
        }
    }
    println!("load average before: {}", load());
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); rows.len()];
    for round in 1..=arguments.rounds {
        for (index, row) in rows.iter().enumerate() {
            let events = inputs.iter().find(|events| events.input == row.input).unwrap();
            let run = measure(row.subject, settings, events, &format!("{index}-{round}")).await;
            println!("round {round}: {:<35} {:<15} {}", row.what, row.input.what(), figures(run, events.count));
            runs[index].push(run);
        }
    }
    println!("load average after: {}\n\nmedians of {} rounds, {PARTITIONS} partitions:", load(), arguments.rounds);
    println!("{:<35} {:<15} {:>10} {:>14} {:>9} {:>9}", "", "", "events/s", "CPU per event", "speed", "CPU");
    let medians: Vec<(&Row, Run)> = rows.into_iter().zip(runs.iter().map(|runs| median(runs))).collect();
    for (row, run) in &medians {
        let count = inputs.iter().find(|events| events.input == row.input).unwrap().count;
        let plain = |(other, _): &&(&Row, Run)| other.subject == Subject::Plain && other.input == row.input;
        let base = medians.iter().find(plain).unwrap().1;
        let speed = base.wall.as_secs_f64() / run.wall.as_secs_f64();
        let cpu = run.cpu.as_secs_f64() / base.cpu.as_secs_f64();
        let (what, input) = (row.what, row.input.what());
        println!("{what:<35} {input:<15} {}   × {speed:<7.2} × {cpu:<7.2}", figures(*run, count));
    }
    println!("\n× is the ratio to the plain loop on the same events");
}

async fn measure(subject: Subject, settings: &Settings, events: &Events, label: &str) -> Run {
    let group = format!("{}-{label}", events.topic);
    let sink = create(settings, &format!("{group}.out")).await;
    let dead = create(settings, &format!("{group}.dead")).await;
    if subject == Subject::Plain {
        let (settings, source, count) = (settings.clone(), events.topic.clone(), events.count);
        return tokio::task::spawn_blocking(move || plain::run(&settings, &source, &group, &sink, count))
            .await
            .unwrap();
    }
    let steps = match subject {
        Subject::Plain => Vec::new(),
        Subject::Python => return peer::python(settings, &events.topic, &group, &sink, events.count).await,
        Subject::Connect => {
            let place = flow::Place { settings, source: &events.topic, group: &group, sink: &sink, dead: &dead };
            return peer::connect(&place, events).await;
        }
        Subject::Pass(isolation) => flow::pass_through(isolation, Checkpoint::Never).await,
        Subject::PassKept => flow::pass_through(Isolation::Item, Checkpoint::Always).await,
        Subject::PassNative => flow::pass_natively(),
        Subject::Standard(isolation) => flow::sandboxed(isolation, Checkpoint::Never).await,
        Subject::StandardKept => flow::sandboxed(Isolation::Item, Checkpoint::Always).await,
        Subject::StandardNative => flow::natively(),
    };
    let place = flow::Place { settings, source: &events.topic, group: &group, sink: &sink, dead: &dead };
    flow::run(place, steps, events.count, flow::for_throughput()).await
}

/// Creates a source topic with this many events.
async fn fill(settings: &Settings, input: Input, count: usize) -> Events {
    let (topic, now) = topic(settings).await;
    let record = |number| Record {
        topic: topic.as_str().into(),
        partition: None,
        key: None,
        payload: Some(Bytes::from(input.payload(number))),
        headers: vec![Header { name: "content-type".into(), value: Some(Bytes::from_static(b"text/plain")) }],
        timestamp: now,
    };
    kafka::send(settings, None, (0..count).map(record), |_| {}).await.unwrap();
    Events { input, topic, count }
}

/// Creates a source topic, and returns a current timestamp for its records, because the broker applies its retention to it.
async fn topic(settings: &Settings) -> (String, Timestamp) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let topic = create(settings, &format!("bench-{now}")).await;
    (topic, Timestamp(i64::try_from(now).unwrap()))
}

async fn create(settings: &Settings, topic: &str) -> String {
    let creation = Creation { partitions: PARTITIONS, replication: 1 };
    kafka::check_topics(settings, &[Topic { name: topic.into(), role: Role::Source }], Some(creation)).await.unwrap();
    topic.to_owned()
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

/// User and system time of this process so far.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}
