//! Asks an API how far jobs are, at a steady rate, in a process of its own: what the questions cost their sender is known then.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep_until};

use super::connections::Connections;
use super::percentile;
use crate::peer::cpu_of;

/// Questions a second: a thousand jobs, each five times.
pub(super) const PER_SECOND: u32 = 5_000;
/// Connections that stay open.
const CONNECTIONS: usize = 200;
/// How much it gives way to the host where both want to compute.
const NICE: &str = "10";

/// What became of the questions since the last report.
#[derive(Default)]
pub(super) struct Tally {
    /// Answered with 200.
    pub(super) whole: usize,
    /// Answered with 304.
    pub(super) unchanged: usize,
    /// Answered with 404: its event is not taken yet.
    pub(super) unknown: usize,
    /// Answered otherwise.
    pub(super) other: usize,
    /// Percentiles of how long answers took since their questions were due, in us.
    pub(super) p50: usize,
    pub(super) p99: usize,
}

/// The process.
pub(super) struct Load {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Load {
    /// Begins to ask for the jobs whose paths are in the file.
    pub(super) fn start(api: std::net::SocketAddr, paths: &Path) -> Self {
        let mut command = Command::new("nice");
        command.args(["-n", NICE]).arg(std::env::current_exe().unwrap());
        command.arg("api-load").arg(api.to_string()).arg(paths);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, stdin, lines: BufReader::new(stdout).lines() }
    }

    /// What became of the questions since the last report.
    pub(super) async fn report(&mut self) -> Tally {
        self.stdin.write_all(b"\n").await.unwrap();
        let line = self.lines.next_line().await.unwrap().expect("the load has ended");
        let numbers: Vec<usize> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        let [whole, unchanged, unknown, other, p50, p99] = numbers[..] else { panic!("{line}") };
        Tally { whole, unchanged, unknown, other, p50, p99 }
    }

    /// User and system time so far.
    pub(super) fn cpu(&self) -> Duration {
        cpu_of(&self.child)
    }
}

impl Tally {
    pub(super) fn all(&self) -> usize {
        self.whole + self.unchanged + self.unknown + self.other
    }
}

/// A job that is asked for.
struct Asked {
    path: String,
    /// The tag of the last answer, if it is to be sent.
    tag: Mutex<Option<String>>,
}

/// Internal: asks until the measuring process closes its input, and reports for each line of it.
pub(crate) fn run(address: &str, paths: &str) {
    let jobs: Arc<[Asked]> = std::fs::read_to_string(paths)
        .unwrap()
        .lines()
        .map(|path| Asked { path: path.to_owned(), tag: Mutex::default() })
        .collect();
    let address = address.parse().unwrap();
    // One thread: it costs least.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(ask(Connections::new(address, CONNECTIONS), jobs));
}

async fn ask(connections: Arc<Connections>, jobs: Arc<[Asked]>) {
    let seen: Arc<Mutex<Vec<(u16, Duration)>>> = Arc::default();
    let mut wanted = BufReader::new(tokio::io::stdin()).lines();
    let start = Instant::now();
    let mut number = 0_u32;
    loop {
        let due = start + Duration::from_secs(1) * number / PER_SECOND;
        tokio::select! {
            () = sleep_until(due) => {
                let index = number as usize % jobs.len();
                let (connections, jobs, seen) = (Arc::clone(&connections), Arc::clone(&jobs), Arc::clone(&seen));
                tokio::spawn(async move {
                    let status = ask_for(&connections, &jobs[index], index.is_multiple_of(2)).await;
                    seen.lock().unwrap().push((status, due.elapsed()));
                });
                number += 1;
            }
            line = wanted.next_line() => match line.unwrap() {
                Some(_) => report(std::mem::take(&mut *seen.lock().unwrap())),
                None => return,
            },
        }
    }
}

/// With the tag of the last answer or without it.
async fn ask_for(connections: &Connections, job: &Asked, with_tag: bool) -> u16 {
    let tag = job.tag.lock().unwrap().clone().filter(|_| with_tag);
    let tag = tag.map_or(String::new(), |tag| format!("if-none-match: {tag}\r\n"));
    let request = format!("GET {} HTTP/1.1\r\nhost: localhost\r\n{tag}\r\n", job.path);
    let answer = connections.ask(request.as_bytes()).await;
    if answer.tag.is_some() {
        *job.tag.lock().unwrap() = answer.tag;
    }
    answer.status
}

fn report(seen: Vec<(u16, Duration)>) {
    let count = |wanted: u16| seen.iter().filter(|(status, _)| *status == wanted).count();
    let (whole, unchanged, unknown) = (count(200), count(304), count(404));
    let mut took: Vec<u128> = seen.iter().map(|(_, took)| took.as_micros()).collect();
    took.sort_unstable();
    let at = |share| if took.is_empty() { 0 } else { percentile(&took, share) };
    let other = seen.len() - whole - unchanged - unknown;
    println!("{whole} {unchanged} {unknown} {other} {} {}", at(0.5), at(0.99));
}
