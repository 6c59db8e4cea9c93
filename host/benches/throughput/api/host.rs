//! The binary with its files, and what it tells of itself.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use gristmill_kafka::Settings;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::peer::cpu_of;

/// A host that takes longer for anything has failed.
const LONGEST: Duration = Duration::from_secs(300);
/// How often a host is asked how far it is.
const BEAT: Duration = Duration::from_millis(20);

/// The API of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// There is none, and no records.
    Absent,
    /// There is one, with this for `record`.
    Recording(&'static str),
    /// There is one that records all, with an audit log in a file.
    Audited,
    /// There is one that records all, in a folder in memory: what the disk takes is left out.
    WithoutDisk,
}

/// A pipeline of a host.
pub(super) struct Pipeline<'a> {
    pub(super) name: &'a str,
    pub(super) source: &'a str,
    pub(super) sink: &'a str,
    pub(super) dead: &'a str,
    /// The tables that are not the same for all.
    pub(super) tables: String,
}

/// The binary, linked: a build beside the measurement changes another file.
pub(super) struct Binary {
    folder: TempDir,
    memory: TempDir,
    brokers: String,
}

impl Binary {
    pub(super) fn link(settings: &Settings) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::hard_link(env!("CARGO_BIN_EXE_gristmill"), folder.path().join("gristmill")).unwrap();
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        Self { folder, memory, brokers: settings.brokers.clone() }
    }

    /// Where a file of the measurement can be.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a host with these pipelines and a state store of its own, and waits until all of them run.
    pub(super) async fn start(&self, name: &str, api: Api, pipelines: &[Pipeline<'_>]) -> Host {
        let folder = self.file(name);
        std::fs::create_dir(&folder).unwrap();
        let (host_file, log) = (folder.join("gristmill.toml"), folder.join("log"));
        let api_table = match api {
            Api::Absent => String::new(),
            Api::WithoutDisk => "[api]\nlisten = \"127.0.0.1:0\"\n".to_owned(),
            Api::Recording(which) => format!("[api]\nlisten = \"127.0.0.1:0\"\nrecord = {which:?}\n"),
            Api::Audited => "[api]\nlisten = \"127.0.0.1:0\"\naudit = \"audit.jsonl\"\n".to_owned(),
        };
        let state = match api {
            Api::WithoutDisk => self.memory.path().join(name),
            _ => folder.join("state"),
        };
        let text = format!(
            "[admin]\nlisten = \"127.0.0.1:0\"\n[store]\nfolder = {state:?}\n[objects]\nfolder = \"objects\"\n{api_table}"
        );
        std::fs::write(&host_file, text).unwrap();
        let mut command = Command::new(self.file("gristmill"));
        command.arg("run").arg("--host").arg(&host_file).current_dir(&folder);
        for pipeline in pipelines {
            let file = folder.join(format!("{}.toml", pipeline.name));
            std::fs::write(&file, pipeline.text(&self.brokers)).unwrap();
            command.arg(file);
        }
        // Stages are compiled once for all hosts.
        command.env("GRISTMILL_CACHE", self.file("cache"));
        for variable in ["GRISTMILL_BROKERS", "GRISTMILL_API", "GRISTMILL_ADMIN", "RUST_LOG"] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
        let child = command.kill_on_drop(true).spawn().unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut host = Host { child, log, metrics: String::new(), http, api: None };
        host.metrics = format!("http://{}/metrics", host.until_logged("the admin server listens", "address=", 1).await);
        if api != Api::Absent {
            let url = host.until_logged("the API listens", "//", 1).await;
            host.api = Some(url.parse().unwrap());
        }
        host.until_logged("dead_letters=", "dead_letters=", pipelines.len()).await;
        host
    }
}

impl Pipeline<'_> {
    fn text(&self, brokers: &str) -> String {
        let Pipeline { name, source, sink, dead, tables } = self;
        format!(
            "name = {name:?}\n[kafka]\nbrokers = {brokers:?}\n[source]\ntopic = {source:?}\n[sink]\ntopic = {sink:?}\n\
             [dead_letter]\ntopic = {dead:?}\n{tables}"
        )
    }
}

/// A running host. It is killed when it is dropped.
pub(super) struct Host {
    child: Child,
    log: PathBuf,
    metrics: String,
    http: reqwest::Client,
    api: Option<SocketAddr>,
}

impl Host {
    /// Where its API is.
    pub(super) fn api(&self) -> SocketAddr {
        self.api.unwrap()
    }

    /// User and system time so far.
    pub(super) fn cpu(&self) -> Duration {
        cpu_of(&self.child)
    }

    /// Waits until it has ended so many jobs of a pipeline.
    pub(super) async fn until_ended(&mut self, pipeline: &str, count: usize) {
        let started = Instant::now();
        while self.ended(pipeline).await < count {
            self.check(started, "the jobs have not ended");
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Waits until so many jobs of a pipeline run.
    pub(super) async fn until_running(&mut self, pipeline: &str, count: usize) {
        let started = Instant::now();
        while self.metric("gristmill_jobs_in_flight", pipeline).await < count {
            self.check(started, "the jobs have not begun");
            tokio::time::sleep(BEAT).await;
        }
    }

    /// How many jobs of a pipeline it has ended.
    async fn ended(&self, pipeline: &str) -> usize {
        self.metric("gristmill_jobs_total", pipeline).await
    }

    /// The sum of a metric of a pipeline.
    async fn metric(&self, name: &str, pipeline: &str) -> usize {
        let text = self.http.get(&self.metrics).send().await.unwrap().text().await.unwrap();
        let begin = format!("{name}{{pipeline=\"{pipeline}\"");
        let values = text.lines().filter(|line| line.starts_with(&begin)).filter_map(|line| line.rsplit(' ').next());
        values.map(|value| value.parse::<f64>().unwrap() as usize).sum()
    }

    /// Waits until the log has such a line so many times, and returns the word after this mark in the last of them.
    async fn until_logged(&mut self, what: &str, mark: &str, times: usize) -> String {
        let started = Instant::now();
        loop {
            let log = std::fs::read_to_string(&self.log).unwrap();
            if let Some(line) = log.lines().filter(|line| line.contains(what)).nth(times - 1) {
                let (_, rest) = line.split_once(mark).unwrap();
                return rest.split_whitespace().next().unwrap().trim_end_matches('"').to_owned();
            }
            self.check(started, what);
            tokio::time::sleep(BEAT).await;
        }
    }

    fn check(&mut self, started: Instant, what: &str) {
        let ended = self.child.try_wait().unwrap();
        if ended.is_some() || started.elapsed() > LONGEST {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(20).collect();
            crate::give_up(&format!("{what}; the host's last lines, the newest first:\n{}", last.join("\n")))
        }
    }
}
