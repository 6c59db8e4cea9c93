//! How long a small document takes from `POST` to 202, beside the broker's acknowledgement alone: `just bench submit`.
//!
//! Requests are due at a steady rate and none waits for another; the time of each counts from the moment it was due. What a bare
//! sync of the disk takes beside them is shown, too: on many a disk it stalls now and then, and all that is stored waits with it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use gristmill_core::model::Timestamp;
use gristmill_core::ports::{Record, Sink};
use gristmill_kafka::{KafkaSink, Settings};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::connections::Connections;
use super::disk::Disk;
use super::host::{Api, Binary, Host, Pipeline};
use super::{median, percentile};
use crate::{create, flow, load, topic};

/// In each way.
const PER_SECOND: u32 = 500;
/// How long they are sent in one round.
const SECONDS: u32 = 20;
/// What is sent first does not count: connections are opened.
const WARM_UP: u32 = 3;
/// More than are ever in use.
const CONNECTIONS: usize = 256;
/// Bytes of a body.
const BODY: usize = 256;

/// The percentiles of one round in ms.
struct Took {
    p50: f64,
    p99: f64,
}

/// A way to the topic.
#[derive(Clone)]
enum Way {
    /// To the broker, with the producer of the host.
    Producer { sink: Arc<KafkaSink>, topic: Arc<str> },
    /// Through the API.
    Api { connections: Arc<Connections>, head: Arc<str> },
}

/// A host and the pipeline in it.
struct Entrance {
    host: Host,
    head: Arc<str>,
}

impl Entrance {
    /// The way through its API, by connections of its own.
    fn way(&self) -> Way {
        Way::Api { connections: Connections::new(self.host.api(), CONNECTIONS), head: Arc::clone(&self.head) }
    }
}

impl Way {
    async fn take(self, body: Bytes) {
        match self {
            Self::Producer { sink, topic } => {
                let (partition, key, headers, timestamp) = (None, None, Vec::new(), Timestamp(now()));
                let record = Record { topic, partition, key, payload: Some(body), headers, timestamp };
                sink.deliver(vec![record]).await.unwrap();
            }
            Self::Api { connections, head } => {
                let answer = connections.ask(&[head.as_bytes(), &body].concat()).await;
                assert_eq!(answer.status, 202, "a job is not accepted");
            }
        }
    }
}

/// Prints the percentiles of each way, over so many rounds.
pub(crate) async fn measure(settings: &Settings, rounds: usize) {
    println!("load average before: {}", load());
    let binary = Binary::link(settings);
    let (plain, _) = topic(settings).await;
    let producer = Way::Producer { sink: Arc::new(KafkaSink::open(settings).unwrap()), topic: plain.as_str().into() };
    let logged = start(settings, &binary, &format!("{plain}-log"), Api::Recording("all")).await;
    let audited = start(settings, &binary, &format!("{plain}-file"), Api::Audited).await;
    let unsynced = start(settings, &binary, &format!("{plain}-memory"), Api::WithoutDisk).await;
    let names = [
        "acknowledgement, alone",
        "a bare sync, beside it",
        "acknowledgement, beside the next",
        "202",
        "a bare sync, beside it",
        "acknowledgement, beside the next",
        "202, with an audit file",
        "a bare sync, beside it",
        "acknowledgement, beside the next",
        "202, with the store in memory",
        "a bare sync, beside it",
    ];
    let mut took: [Vec<Took>; 11] = Default::default();
    for round in 1..=rounds {
        let phases = [
            (0, vec![producer.clone()]),
            (2, vec![producer.clone(), logged.way()]),
            (5, vec![producer.clone(), audited.way()]),
            (8, vec![producer.clone(), unsynced.way()]),
        ];
        for (first, ways) in phases {
            for (index, mut took_now) in side_by_side(&ways, &binary.file("")).await.into_iter().enumerate() {
                took_now.sort_unstable();
                let milliseconds = |share| percentile(&took_now, share).as_secs_f64() * 1e3;
                let now = Took { p50: milliseconds(0.5), p99: milliseconds(0.99) };
                println!("round {round}: {:<34} {:>6.1} {:>6.1} ms", names[first + index], now.p50, now.p99);
                took[first + index].push(now);
            }
        }
    }
    println!("load average after: {}\n", load());
    println!("{PER_SECOND}/s of {BODY} bytes, medians of {rounds} rounds of {SECONDS} s:");
    println!("{:<34} {:>9} {:>9}", "", "p50", "p99");
    let medians = took.each_ref().map(|took| Took {
        p50: median(took.iter().map(|took| took.p50).collect()),
        p99: median(took.iter().map(|took| took.p99).collect()),
    });
    for (name, Took { p50, p99 }) in names.iter().zip(&medians) {
        println!("{name:<34} {p50:>6.1} ms {p99:>6.1} ms");
    }
    for at in [3, 6, 9] {
        println!(
            "{} beyond the acknowledgement, p99: {:.1} ms beside it, {:.1} ms if that is alone; a bare sync {:.1} ms",
            names[at],
            medians[at].p99 - medians[at - 1].p99,
            medians[at].p99 - medians[0].p99,
            medians[at + 1].p99
        );
    }
}

/// A host with a pipeline that changes nothing.
async fn start(settings: &Settings, binary: &Binary, name: &str, api: Api) -> Entrance {
    let source = create(settings, &format!("{name}.in")).await;
    let sink = create(settings, &format!("{name}.out")).await;
    let dead = create(settings, &format!("{name}.dead")).await;
    let (source, sink, dead, tables) = (&*source, &*sink, &*dead, flow::pass_stage());
    let host = binary.start(name, api, &[Pipeline { name, source, sink, dead, tables }]).await;
    let head = format!(
        "POST /v1/pipelines/{name}/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n\
         content-length: {BODY}\r\n\r\n"
    );
    Entrance { host, head: head.into() }
}

/// Sends in all these ways in the same seconds. Returns how long each took since it was due, by way; and last how long a bare
/// sync in the folder would have taken.
async fn side_by_side(ways: &[Way], folder: &Path) -> Vec<Vec<Duration>> {
    let disk = Disk::start(folder);
    let mut order: Vec<usize> = (0..ways.len()).collect();
    let mut running = JoinSet::new();
    let start = Instant::now();
    for number in 0..PER_SECOND * (WARM_UP + SECONDS) {
        let due = start + Duration::from_secs(1) * number / PER_SECOND;
        sleep_until(due).await;
        fastrand::shuffle(&mut order);
        for &at in &order {
            let sent = ways[at].clone().take(body(number));
            running.spawn(async move {
                sent.await;
                (at, number, due.elapsed())
            });
        }
    }
    let mut took = vec![Vec::new(); ways.len()];
    for (at, number, time) in running.join_all().await {
        if number >= PER_SECOND * WARM_UP {
            took[at].push(time);
        }
    }
    let counted = PER_SECOND * WARM_UP..PER_SECOND * (WARM_UP + SECONDS);
    let due: Vec<_> = counted.map(|number| (start + Duration::from_secs(1) * number / PER_SECOND).into_std()).collect();
    took.push(disk.end(&due));
    took
}

fn body(number: u32) -> Bytes {
    let mut text = format!("document {number}, ");
    while text.len() < BODY {
        text.push_str("in which nothing is meant ");
    }
    text.truncate(BODY);
    text.into()
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}
