//! What it costs a running pipeline that people ask for jobs all the time: `just bench reads`.
//!
//! A host works a backlog off, alone and while a thousand of its jobs are each asked for five times a second: half of them
//! ended, half waiting for a retry, half of the questions with the tag of the last answer. Measured from a tenth of the
//! backlog on to its end.

use std::fmt::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gristmill_core::model::Header;
use gristmill_core::ports::Record;
use gristmill_kafka::{self as kafka, Settings};

use super::host::{Api, Binary, Pipeline};
use super::load::{Load, PER_SECOND, Tally};
use super::median;
use crate::rows::Input;
use crate::{Events, PARTITIONS, create, fill, flow, load, topic};

/// Jobs in flight, as for the other rows.
const IN_FLIGHT: u32 = 2_000;
/// Jobs that wait for a retry.
const WAITING: usize = 500;
/// Jobs of each partition that have ended when the measurement begins.
const ENDED: usize = 83;
/// How long the host is asked without anything else to do.
const CALM: Duration = Duration::from_secs(5);
/// A longer answer or fewer questions than this share mean that the machine could not ask so often.
const ASKED: f64 = 0.97;

/// One backlog.
struct Run {
    /// Events a second.
    speed: f64,
    /// Of the host, for each event, in us.
    cpu: f64,
    asking: Option<Asking>,
}

/// What the questions came to.
struct Asking {
    tally: Tally,
    per_second: f64,
    /// The share of a core that asking took.
    sender: f64,
    /// CPU time of the host for each question when there is nothing else to do, in us.
    calm: f64,
}

/// Prints the medians of so many rounds.
pub(crate) async fn measure(settings: &Settings, rounds: usize) {
    let binary = Binary::link(settings);
    let events = fill(settings, Input::Documents, Input::Documents.count()).await;
    let slow = fill_slow(settings).await;
    println!("load average before: {}", load());
    let (mut alone, mut asked) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        for is_asked in [false, true] {
            let run =
                run(settings, &binary, &events, &slow, &format!("{}-{round}-{is_asked}", events.topic), is_asked).await;
            println!("round {round}: {:<12} {}", if is_asked { "with reads" } else { "alone" }, shown(&run));
            if is_asked { &mut asked } else { &mut alone }.push(run);
        }
    }
    println!("load average after: {}\n", load());
    let of = |runs: &[Run], value: fn(&Run) -> f64| median(runs.iter().map(value).collect());
    let (speed, cpu) = (of(&alone, |run| run.speed), of(&alone, |run| run.cpu));
    let (speed_asked, cpu_asked) = (of(&asked, |run| run.speed), of(&asked, |run| run.cpu));
    println!("sanitize + chunk, {} documents of 4 KB, medians of {rounds} rounds:", events.count);
    println!("alone      {speed:>8.0} events/s {cpu:>8.1} us of CPU per event");
    println!("with reads {speed_asked:>8.0} events/s {cpu_asked:>8.1} us of CPU per event");
    println!(
        "{PER_SECOND} reads/s cost {:.1}% of the throughput and {:.1}% more CPU time of the host per event",
        (1.0 - speed_asked / speed) * 100.0,
        (cpu_asked / cpu - 1.0) * 100.0
    );
}

fn shown(run: &Run) -> String {
    let mut text = format!("{:>8.0} events/s {:>8.1} us", run.speed, run.cpu);
    if let Some(Asking { tally, per_second, sender, calm }) = &run.asking {
        let Tally { whole, unchanged, unknown, other, p50, p99 } = tally;
        let _ = write!(
            text,
            ", {per_second:.0} reads/s: {whole} whole, {unchanged} unchanged, {unknown} unknown, {other} other, p50 {p50} us, p99 {p99} us; \
             the sender used {:.0}% of a core; {calm:.0} us of the idle host for each",
            sender * 100.0
        );
        if *per_second < ASKED * f64::from(PER_SECOND) || *other > 0 {
            text.push_str("; NOT VALID: not asked as often as it should be, or not answered");
        }
    }
    text
}

/// Works the backlog off with a host of its own.
async fn run(settings: &Settings, binary: &Binary, events: &Events, slow: &str, name: &str, is_asked: bool) -> Run {
    let sink = create(settings, &format!("{name}.out")).await;
    let dead = create(settings, &format!("{name}.dead")).await;
    let waits = format!("{name}-slow");
    let slow_sink = create(settings, &format!("{waits}.out")).await;
    let slow_dead = create(settings, &format!("{waits}.dead")).await;
    let busy = Pipeline {
        name,
        source: &events.topic,
        sink: &sink,
        dead: &dead,
        tables: format!("[limits]\nmax_in_flight = {IN_FLIGHT}\n{}", flow::standard_stages()),
    };
    let waiting = Pipeline {
        name: &waits,
        source: slow,
        sink: &slow_sink,
        dead: &slow_dead,
        tables: format!(
            "[limits]\nmax_in_flight = {WAITING}\n[retry]\nfirst_wait = \"1h\"\nlongest_wait = \"1h\"\n\
             deadline = \"24h\"\n{}",
            flow::failing_stage()
        ),
    };
    let paths = binary.file(&format!("{name}.paths"));
    std::fs::write(
        &paths,
        paths_of(name, &events.topic, ENDED) + &paths_of(&waits, slow, WAITING / usize::from(PARTITIONS)),
    )
    .unwrap();
    let mut host = binary.start(name, Api::Recording("all"), &[waiting, busy]).await;
    let mut asking = is_asked.then(|| Load::start(host.api(), &paths));
    host.until_running(&waits, WAITING).await;
    let first = events.count / 10;
    host.until_ended(name, first).await;
    let (begun, cpu) = (Instant::now(), host.cpu());
    let sender = match &mut asking {
        Some(load) => {
            load.report().await;
            load.cpu()
        }
        None => Duration::ZERO,
    };
    host.until_ended(name, events.count).await;
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), (host.cpu() - cpu).as_secs_f64());
    let count = (events.count - first) as f64;
    let asking = match &mut asking {
        None => None,
        Some(load) => {
            let (tally, sender) = (load.report().await, (load.cpu() - sender).as_secs_f64() / wall);
            let idle = host.cpu();
            tokio::time::sleep(CALM).await;
            let asked = load.report().await.all() as f64;
            let calm = (host.cpu() - idle).as_secs_f64() * 1e6 / asked;
            Some(Asking { per_second: tally.all() as f64 / wall, tally, sender, calm })
        }
    };
    Run { speed: count / wall, cpu: cpu * 1e6 / count, asking }
}

/// The paths of the first jobs of each partition.
fn paths_of(pipeline: &str, topic: &str, each: usize) -> String {
    let mut paths = String::new();
    for position in 0..each {
        for partition in 0..PARTITIONS {
            let _ = writeln!(paths, "/v1/jobs/{pipeline}%2F{topic}%2F{partition}%2F{position}");
        }
    }
    paths
}

/// A source topic whose jobs all wait for a retry.
async fn fill_slow(settings: &Settings) -> String {
    let (topic, now) = topic(settings).await;
    let record = |number: usize| Record {
        topic: topic.as_str().into(),
        partition: Some(u32::try_from(number % usize::from(PARTITIONS)).unwrap()),
        key: None,
        payload: Some(Bytes::from_static(b"retry later")),
        headers: vec![Header { name: "content-type".into(), value: Some(Bytes::from_static(b"text/plain")) }],
        timestamp: now,
    };
    kafka::send(settings, None, (0..WAITING).map(record), |_| {}).await.unwrap();
    topic
}
