//! Clients that want to take the API away from others, beside one that only works: its answers have to stay quick, and the
//! host's memory flat.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::client::{Client, PATIENCE, path_of};
use crate::harness::{Harness, Host, OBEY, PASS, Setup};

/// What the good client's slowest answers but one in a hundred may take on a machine that does nothing else.
const QUICK: Duration = Duration::from_millis(100);
/// How often longer they may take than in calm where even that is slower: the tests of others run beside this one.
const OFTEN: u32 = 5;
/// How much more memory the host may have after an attack.
const FLAT: u64 = 192 << 20;
/// How many answers of the good client are measured at least.
const LEAST: usize = 100;
/// How many read at a time.
const READERS: usize = 2_000;

/// A client that submits and asks, all the time.
struct GoodClient {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Vec<Duration>>,
}

impl GoodClient {
    fn start(client: &Client, pipeline: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (client, pipeline, stopped) = (client.clone(), pipeline.to_owned(), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            let mut took = Vec::new();
            while !stopped.load(Ordering::SeqCst) || took.len() < LEAST {
                let start = Instant::now();
                let job = client.submit(&pipeline, "text/plain", "echo good").await;
                took.push(start.elapsed());
                let start = Instant::now();
                client.job(&job).await;
                took.push(start.elapsed());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            took
        });
        Self { stop, task }
    }

    /// The 99th percentile of its answers.
    async fn p99(self) -> Duration {
        self.stop.store(true, Ordering::SeqCst);
        let mut took = self.task.await.unwrap();
        took.sort_unstable();
        took[took.len() * 99 / 100]
    }
}

/// The measures of a host before an attack.
struct Calm {
    p99: Duration,
    memory: u64,
    good: GoodClient,
}

impl Calm {
    async fn measure(host: &Host, pipeline: &str) -> Self {
        let good = GoodClient::start(&host.client, pipeline);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let p99 = good.p99().await;
        Self { p99, memory: host.resident(), good: GoodClient::start(&host.client, pipeline) }
    }

    /// Holds the measures of now against them.
    async fn hold(self, host: &Host, attack: &str) {
        let p99 = self.good.p99().await;
        let grown = host.resident().saturating_sub(self.memory);
        println!("{attack}: p99 {p99:?} (in calm {:?}), {} MiB more memory", self.p99, grown >> 20);
        assert!(p99 < QUICK.max(self.p99 * OFTEN), "{attack}: p99 {p99:?}, in calm {:?}", self.p99);
        assert!(grown < FLAT, "{attack}: {} MiB more\n{}", grown >> 20, host.last_words());
        host.client.get("/livez").await.is(200);
    }
}

fn address(host: &Host) -> SocketAddr {
    host.client.base().trim_start_matches("http://").parse().unwrap()
}

/// One attack at a time: each is measured.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

/// Lets this process, and the hosts it starts from now on, have that many files open. Never fewer than before: other tests
/// of this process may have asked for more.
fn allow_files(wanted: usize) {
    if files_allowed() >= wanted {
        return;
    }
    let id = std::process::id().to_string();
    let _ = std::process::Command::new("prlimit").args(["--pid", &id, &format!("--nofile={wanted}:")]).status();
    let has = files_allowed();
    assert!(has >= wanted, "{has} files may be open, and {wanted} are needed: raise the limit (ulimit -n)");
}

fn files_allowed() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX)
}

/// Reads until this text has come; `false` if the connection ends before.
async fn read_until(stream: &mut TcpStream, seen: &mut String, text: &str) -> bool {
    let mut buffer = vec![0; 16 << 10];
    loop {
        if seen.contains(text) {
            return true;
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return false,
            Ok(read) => seen.push_str(&String::from_utf8_lossy(&buffer[..read])),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_follow_a_job_to_its_end() {
    let _alone = alone().await;
    allow_files(READERS * 2 + 500);
    // The job fails and is tried again, so that there is something to tell, until it is cancelled.
    let sections = format!("attempts = 100\nlongest_wait = \"5s\"\n{OBEY}");
    let harness = Harness::new(Setup::embedded(sections)).await;
    let host = harness.start().await;
    let calm = Calm::measure(&host, &harness.name).await;
    let job = host.client.submit(&harness.name, "text/plain", "retry for long").await;
    let request = format!("GET {}/events HTTP/1.1\r\nhost: localhost\r\n\r\n", path_of(&job));
    let (address, reading) = (address(&host), Arc::new(AtomicUsize::new(0)));
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let (request, reading) = (request.clone(), Arc::clone(&reading));
        readers.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut seen = String::new();
            assert!(read_until(&mut stream, &mut seen, "\nid: ").await, "{seen}");
            reading.fetch_add(1, Ordering::SeqCst);
            read_until(&mut stream, &mut seen, "\"status\":\"cancelled\"").await
        });
    }
    let deadline = Instant::now() + PATIENCE;
    while reading.load(Ordering::SeqCst) < READERS {
        assert!(Instant::now() < deadline, "{} read", reading.load(Ordering::SeqCst));
        assert!(readers.try_join_next().is_none(), "a reader has ended before the job");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // All of them are there at once, and are told of each attempt.
    tokio::time::sleep(Duration::from_secs(3)).await;
    host.client.post(&format!("{}/cancel", path_of(&job)), "application/json", "").await;
    let told = timeout(PATIENCE, readers.join_all()).await.unwrap();
    assert_eq!(told.iter().filter(|told| **told).count(), READERS);
    calm.hold(&host, "2,000 readers").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_byte_by_byte_keeps_nobody_out() {
    let _alone = alone().await;
    const SLOW: usize = 1_000;
    allow_files(SLOW * 2 + 500);
    let harness = Harness::new(Setup::embedded(OBEY)).await;
    let host = harness.start().await;
    let calm = Calm::measure(&host, &harness.name).await;
    let address = address(&host);
    let head = "GET /v1/jobs HTTP/1.1\r\nhost: localhost\r\nx-slow: ".to_owned();
    let body = format!(
        "POST /v1/pipelines/{}/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\ncontent-length: 1000000\r\n\r\n",
        harness.name
    );
    let mut slow = JoinSet::new();
    for number in 0..SLOW {
        let start = if number % 2 == 0 { head.clone() } else { body.clone() };
        slow.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(start.as_bytes()).await.unwrap();
            let mut answer = [0; 512];
            loop {
                // Until it answers or closes: nobody may send a head for more than 10 s, or a body this slowly.
                match timeout(Duration::from_secs(1), stream.read(&mut answer)).await {
                    Ok(Ok(read)) => return String::from_utf8_lossy(&answer[..read]).into_owned(),
                    Ok(Err(_)) => return String::new(),
                    Err(_) if stream.write_all(b"x").await.is_err() => return String::new(),
                    Err(_) => {}
                }
            }
        });
    }
    let answers = timeout(PATIENCE, slow.join_all()).await.expect("slow clients are sent away");
    assert!(answers.iter().all(|answer| answer.is_empty() || answer.starts_with("HTTP/1.1 408 ")), "{answers:?}");
    assert!(answers.iter().any(|answer| answer.starts_with("HTTP/1.1 408 ")), "nobody was told why");
    calm.hold(&host, "1,000 slow clients").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_gigabytes_are_refused_unread_or_cut() {
    let _alone = alone().await;
    const HUGE: u64 = 5 << 30;
    let harness = Harness::new(Setup::embedded(OBEY).api("max_body = \"16MiB\"")).await;
    let host = harness.start().await;
    let calm = Calm::measure(&host, &harness.name).await;
    let chunk = vec![b'x'; 1 << 20];
    for (name, header) in [("told", format!("content-length: {HUGE}")), ("untold", "transfer-encoding: chunked".into())]
    {
        let (mut answer, mut writing) = TcpStream::connect(address(&host)).await.unwrap().into_split();
        let start = format!(
            "POST /v1/pipelines/{}/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/octet-stream\r\n{header}\r\n\r\n",
            harness.name
        );
        writing.write_all(start.as_bytes()).await.unwrap();
        let chunk = chunk.clone();
        let is_chunked = name == "untold";
        let sent = tokio::spawn(async move {
            let mut sent = 0;
            while sent < HUGE {
                let size = format!("{:x}\r\n", chunk.len());
                let parts: [&[u8]; 3] =
                    if is_chunked { [size.as_bytes(), &chunk, b"\r\n"] } else { [b"", &chunk, b""] };
                for part in parts {
                    if writing.write_all(part).await.is_err() {
                        return sent;
                    }
                }
                sent += chunk.len() as u64;
            }
            sent
        });
        let mut text = vec![0; 1 << 10];
        let read = timeout(PATIENCE, answer.read(&mut text)).await.expect("an answer in time");
        // A connection that is reset while it still sends may lose its answer: that it was cut has to show then.
        if let Ok(read @ 1..) = read {
            let text = String::from_utf8_lossy(&text[..read]);
            assert!(text.starts_with("HTTP/1.1 413 "), "{name}: {text}");
        }
        drop(answer);
        let sent = timeout(PATIENCE, sent).await.expect("the connection is cut").unwrap();
        assert!(sent < 256 << 20, "{name}: {sent} bytes were taken");
    }
    calm.hold(&host, "5 GB bodies").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_requests_in_one_go_are_answered_in_order() {
    let _alone = alone().await;
    const REQUESTS: usize = 10_000;
    let harness = Harness::new(Setup::embedded(PASS)).await;
    let host = harness.start().await;
    let calm = Calm::measure(&host, &harness.name).await;
    let (mut answers, mut requests) = TcpStream::connect(address(&host)).await.unwrap().into_split();
    let writing = tokio::spawn(async move {
        let all = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(REQUESTS - 1);
        requests.write_all(all.as_bytes()).await.unwrap();
        let last = b"GET /nothing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        requests.write_all(last).await.unwrap();
        requests
    });
    let mut read = Vec::new();
    timeout(PATIENCE, answers.read_to_end(&mut read)).await.expect("all answers in time").unwrap();
    drop(writing.await.unwrap());
    let text = String::from_utf8_lossy(&read);
    assert_eq!(text.matches("HTTP/1.1 200 ").count(), REQUESTS - 1);
    let last = text.rfind("HTTP/1.1 ").map(|at| &text[at..at + 12]);
    assert_eq!(last, Some("HTTP/1.1 404"));
    calm.hold(&host, "10,000 pipelined requests").await;
}
