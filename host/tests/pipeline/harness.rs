//! The harness for whole pipelines: the real binary and a real broker, with separate topics and a group for each test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use gristmill_core::model::{Event, Header, Timestamp};
use gristmill_core::ports::{From, Record, Role, Topic, Until};
use gristmill_kafka::{self as kafka, Creation, Settings, Tail};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// The timeout of every wait; enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// The broker of the test run.
pub(crate) fn broker() -> Settings {
    match std::env::var("GRISTMILL_TEST_KAFKA") {
        Ok(address) => Settings::new(&address),
        Err(_) => {
            panic!("GRISTMILL_TEST_KAFKA is not set: run `cargo verify`, or `cargo xtask kafka` and set what it prints")
        }
    }
}

/// A guest that `cargo stages` built.
fn guest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests").join(format!("{name}.wasm"))
}

/// A pipeline file with fresh topics on the broker.
pub(crate) struct Harness {
    pub(crate) name: String,
    settings: Settings,
    folder: TempDir,
}

impl Harness {
    /// A pipeline with these `[[stage]]` and `[models]` sections; `GUEST:name` in them stands for a test guest's file.
    pub(crate) async fn new(sections: &str, partitions: u16) -> Self {
        let harness = Self::without_topics(sections);
        let topics = [("in", Role::Source), ("out", Role::Sink), ("dead", Role::DeadLetters)]
            .map(|(name, role)| Topic { name: harness.topic(name).into(), role });
        let creation = Creation { partitions, replication: 1 };
        kafka::check_topics(&harness.settings, &topics, Some(creation)).await.unwrap();
        harness
    }

    /// Like [`Harness::new`], but its topics do not exist.
    pub(crate) fn without_topics(sections: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let name = format!("t-{}-{now}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let harness = Self { settings: broker(), folder: tempfile::tempdir().unwrap(), name };
        let mut sections = sections.to_owned();
        for name in ["pass", "misbehave"] {
            sections = sections.replace(&format!("GUEST:{name}"), &guest(name).display().to_string());
        }
        let file = format!(
            "name = {:?}\n[kafka]\nbrokers = {:?}\n[source]\ntopic = {:?}\n[sink]\ntopic = {:?}\n[dead_letter]\ntopic = {:?}\n\
             [store]\nfolder = {:?}\n[retry]\nfirst_wait = \"100ms\"\n{sections}",
            harness.name,
            harness.settings.brokers,
            harness.topic("in"),
            harness.topic("out"),
            harness.topic("dead"),
            harness.folder.path().join("store").display().to_string(),
        );
        std::fs::write(harness.file(), file).unwrap();
        harness
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("pipeline.toml")
    }

    pub(crate) fn topic(&self, role: &str) -> String {
        format!("{}.{role}", self.name)
    }

    /// Writes payloads to the source topic; `None` is a null value.
    pub(crate) async fn send<'a>(&self, payloads: impl IntoIterator<Item = (&'a str, Option<String>)>) {
        let topic: Arc<str> = self.topic("in").into();
        // The broker applies its retention to this time.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let record = |(content_type, payload): (&str, Option<String>)| Record {
            topic: Arc::clone(&topic),
            partition: None,
            key: None,
            payload: payload.map(Bytes::from),
            headers: vec![Header { name: "content-type".into(), value: Some(content_type.to_owned().into()) }],
            timestamp: Timestamp(i64::try_from(now.as_millis()).unwrap()),
        };
        kafka::send(&self.settings, None, payloads.into_iter().map(record), |_| {}).await.unwrap();
    }

    /// Starts a host with this pipeline.
    pub(crate) fn start(&self) -> Host {
        self.start_on(&[self.file()])
    }

    /// Starts one host with this pipeline and another.
    pub(crate) fn start_with(&self, other: &Self) -> Host {
        self.start_on(&[self.file(), other.file()])
    }

    /// Starts a host with this flag and file instead of a pipeline.
    pub(crate) fn start_by(&self, flag: &str, file: &Path) -> Host {
        self.start_on(&[flag.into(), file.to_owned()])
    }

    fn start_on(&self, args: &[PathBuf]) -> Host {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let state = self.folder.path().join("state");
        let mut command = gristmill();
        command.arg("run").args(args).env("GRISTMILL_STATE", state).stderr(log).kill_on_drop(true);
        let child = command.spawn().unwrap();
        Host { child, log: self.folder.path().join("log") }
    }

    /// The log of the host started last.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the host until it ends by itself.
    pub(crate) async fn run_to_end(&self) -> Output {
        tokio::time::timeout(PATIENCE, gristmill().arg("run").arg(self.file()).output()).await.unwrap().unwrap()
    }

    /// The sum of the committed offsets: how many events are settled.
    pub(crate) async fn settled(&self) -> i64 {
        let stats = kafka::topic_stats(&self.settings, &self.topic("in"), Some(&self.name)).await.unwrap();
        stats.iter().map(|partition| partition.committed.unwrap_or(0)).sum()
    }

    /// Waits until the group has committed the end of every partition.
    pub(crate) async fn until_all_settled(&self, host: &mut Host) {
        self.until("all is settled", host, async || {
            let stats = kafka::topic_stats(&self.settings, &self.topic("in"), Some(&self.name)).await.unwrap();
            stats.iter().all(|partition| partition.committed.unwrap_or(0) == partition.high)
        })
        .await;
    }

    /// Waits until this many events are settled by a host in this process.
    pub(crate) async fn until_settled_in(&self, events: i64) {
        let wait = async {
            while self.settled().await < events {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "not within {PATIENCE:?}: {events} settled");
    }

    /// Waits until this many events are settled.
    pub(crate) async fn until_settled(&self, events: i64, host: &mut Host) {
        self.until("events are settled", host, async || self.settled().await >= events).await;
    }

    /// Waits until `reached` returns true; fails if the host ends.
    pub(crate) async fn until(&self, what: &str, host: &mut Host, reached: impl AsyncFn() -> bool) {
        let wait = async {
            while !reached().await {
                assert!(host.child.try_wait().unwrap().is_none(), "the host ended before {what}:\n{}", host.log());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "not within {PATIENCE:?}: {what}\n{}", host.log());
    }

    /// All records of a topic.
    pub(crate) async fn records(&self, role: &str) -> Vec<Event> {
        let mut tail = Tail::open(&self.settings, &self.topic(role), From::Start, Until::End).await.unwrap();
        let mut records = Vec::new();
        while let Some(record) = tail.next().await {
            records.push(record.unwrap());
        }
        records
    }
}

/// The binary under test, with a cache of compiled stages that all tests share.
pub(crate) fn gristmill() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    command
        .env("GRISTMILL_CACHE", cache)
        .env("GRISTMILL_STATE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("state"))
        .env_remove("GRISTMILL_BROKERS")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

/// A running host.
pub(crate) struct Host {
    child: Child,
    log: PathBuf,
}

impl Host {
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends SIGTERM and returns the exit code.
    pub(crate) async fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").arg(id).status().await.unwrap().success());
        tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await.unwrap().unwrap().code()
    }

    /// Sends SIGKILL.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A header of a record as text.
pub(crate) fn header(record: &Event, name: &str) -> String {
    let header = record.headers.iter().find(|header| header.name == name);
    let value = header.and_then(|header| header.value.clone()).unwrap_or_default();
    String::from_utf8(value.to_vec()).unwrap()
}

/// The payload of a record as text.
pub(crate) fn text(record: &Event) -> String {
    String::from_utf8(record.payload.clone().unwrap_or_default().to_vec()).unwrap()
}

/// The number of records by job id.
pub(crate) fn by_job(records: &[Event]) -> BTreeMap<String, usize> {
    let mut jobs = BTreeMap::new();
    for record in records {
        *jobs.entry(header(record, "gristmill-job-id")).or_default() += 1;
    }
    jobs
}

/// The ids of all jobs with records.
pub(crate) fn jobs(records: &[Event]) -> BTreeSet<String> {
    by_job(records).into_keys().collect()
}
