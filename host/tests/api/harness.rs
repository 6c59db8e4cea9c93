//! The real binary with a host file and one pipeline, on the embedded broker or on Kafka with topics of its own.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use gristmill_core::model::Event;
use gristmill_core::ports::{From, Record, Role, Topic, Until};
use gristmill_kafka::{self as kafka, Creation, Settings, Tail};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::client::Client;
pub(crate) use crate::client::PATIENCE;

/// How many lines of its log a failing test shows.
const SHOWN: usize = 60;

/// A stage that changes nothing.
pub(crate) const PASS: &str = "[[stage]]\nname = \"pass\"\nmodule = \"GUEST:pass\"\nlabel = \"Passing it on\"\n";
/// A stage that executes the command in each item.
pub(crate) const OBEY: &str = "[[stage]]\nname = \"obey\"\nmodule = \"GUEST:misbehave\"\ngrants = [\"llm\"]\n\
    [models.m]\ntargets = [{ provider = \"openai\", model = \"nobody asks it\", base_url = \"http://127.0.0.1:9\" }]\n";

/// The broker of a pipeline under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broker {
    /// In the process: everything is gone when it ends.
    Embedded,
    /// The one of the test run.
    Kafka,
}

/// What is under test.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) broker: Broker,
    /// The address of another Kafka than that of the test run.
    pub(crate) address: Option<String>,
    /// Properties of librdkafka, a line each.
    pub(crate) properties: String,
    /// Partitions of the source topic.
    pub(crate) partitions: u16,
    /// Top-level keys of the pipeline file.
    pub(crate) top: String,
    /// Stages, models and whatever else the pipeline file has; `GUEST:name` stands for a test guest's file.
    pub(crate) sections: String,
    /// The address of a state store that hosts share; without one it is a file.
    pub(crate) store: Option<String>,
    /// Keys of `[api]`, besides its address.
    pub(crate) api: String,
    /// Further tables of the host file.
    pub(crate) host: String,
}

impl Setup {
    /// A pipeline with these sections on the embedded broker.
    pub(crate) fn embedded(sections: impl Into<String>) -> Self {
        Self {
            broker: Broker::Embedded,
            address: None,
            properties: String::new(),
            partitions: 1,
            top: String::new(),
            sections: sections.into(),
            store: None,
            api: String::new(),
            host: String::new(),
        }
    }

    /// The same on the Kafka of the test run. A member of its group that disappears is removed after 6 s.
    pub(crate) fn kafka(sections: impl Into<String>) -> Self {
        Self { broker: Broker::Kafka, partitions: 3, ..Self::embedded(sections) }
    }

    /// With these tables in the host file.
    pub(crate) fn host(self, tables: &str) -> Self {
        Self { host: tables.to_owned(), ..self }
    }

    /// With `[auth]` by this secret, which is put into the folder.
    pub(crate) fn secret(self, folder: &Path, secret: &[u8]) -> Self {
        let file = folder.join("secret");
        std::fs::write(&file, secret).unwrap();
        self.host(&format!(
            "[auth]\nissuer = \"test\"\naudience = \"gristmill\"\nkeys = {{ secret = {{ file = {:?} }} }}\n",
            file.display().to_string()
        ))
    }

    /// With these keys of `[api]`.
    pub(crate) fn api(self, keys: &str) -> Self {
        Self { api: keys.to_owned(), ..self }
    }

    /// On the Kafka at this address instead.
    pub(crate) fn at(self, address: String) -> Self {
        Self { address: Some(address), ..self }
    }

    /// With these properties of librdkafka, a line each.
    pub(crate) fn properties(self, properties: &str) -> Self {
        Self { properties: properties.to_owned(), ..self }
    }

    fn kafka_settings(&self) -> Settings {
        self.address.as_deref().map_or_else(broker, Settings::new)
    }

    /// With a state store that hosts share.
    pub(crate) fn store(self, url: &str) -> Self {
        Self { store: Some(url.to_owned()), ..self }
    }
}

/// A host file, a pipeline file and its topics.
pub(crate) struct Harness {
    /// The pipeline.
    pub(crate) name: String,
    setup: Setup,
    folder: TempDir,
    starts: AtomicU32,
}

impl Harness {
    /// Creates the topics and writes the files.
    pub(crate) async fn new(setup: Setup) -> Self {
        Self::named(&format!("a-{:016x}", fastrand::u64(..)), setup).await
    }

    /// The same with a name of the pipeline. On Kafka others could have it, too.
    pub(crate) async fn named(name: &str, setup: Setup) -> Self {
        let name = name.to_owned();
        let harness = Self { name, setup, folder: tempfile::tempdir().unwrap(), starts: AtomicU32::new(0) };
        if harness.setup.broker == Broker::Kafka {
            let topics = [("in", Role::Source), ("out", Role::Sink), ("dead", Role::DeadLetters)]
                .map(|(name, role)| Topic { name: harness.topic(name).into(), role });
            let creation = Creation { partitions: harness.setup.partitions, replication: 1 };
            kafka::check_topics(&harness.setup.kafka_settings(), &topics, Some(creation)).await.unwrap();
        }
        std::fs::write(harness.folder().join("pipeline.toml"), harness.pipeline()).unwrap();
        std::fs::write(harness.host_file(), harness.host()).unwrap();
        harness
    }

    fn pipeline(&self) -> String {
        let Setup { top, sections, .. } = &self.setup;
        let kafka = match self.setup.broker {
            Broker::Embedded => "brokers = \"embedded\"".to_owned(),
            Broker::Kafka => format!(
                "brokers = {:?}\n[kafka.properties]\n\"session.timeout.ms\" = 6000\n\"heartbeat.interval.ms\" = 500\n{}",
                self.setup.kafka_settings().brokers,
                self.setup.properties
            ),
        };
        let [source, sink, dead] = ["in", "out", "dead"].map(|role| self.topic(role));
        let mut sections = sections.clone();
        let guests = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests");
        for guest in ["pass", "misbehave", "batch"] {
            let path = guests.join(format!("{guest}.wasm"));
            sections = sections.replace(&format!("GUEST:{guest}"), &path.display().to_string());
        }
        format!(
            "name = {:?}\n{top}\n[kafka]\n{kafka}\n[source]\ntopic = {source:?}\n[sink]\ntopic = {sink:?}\n\
             [dead_letter]\ntopic = {dead:?}\n[retry]\nfirst_wait = \"100ms\"\n{sections}",
            self.name
        )
    }

    fn host(&self) -> String {
        let folder = self.folder().join("state").display().to_string();
        let store = self.setup.store.as_ref().map_or(format!("folder = {folder:?}"), |url| format!("url = {url:?}"));
        let objects = self.folder().join("objects").display().to_string();
        let Setup { api, host, .. } = &self.setup;
        let objects = match host.contains("[objects]") {
            true => String::new(),
            false => format!("[objects]\nfolder = {objects:?}\n"),
        };
        format!("admin = false\n[api]\nlisten = \"127.0.0.1:0\"\n{api}\n[store]\n{store}\n{objects}{host}\n")
    }

    /// The folder of all files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn host_file(&self) -> PathBuf {
        self.folder().join("gristmill.toml")
    }

    pub(crate) fn topic(&self, role: &str) -> String {
        format!("{}.{role}", self.name)
    }

    /// Starts a host, and waits until its pipeline runs. Several of them share the work.
    pub(crate) async fn start(&self) -> Host {
        let mut host = self.launch().await;
        host.until_logged("dead_letters=").await;
        self.until_open(&host.client).await;
        host
    }

    /// Waits until the API takes jobs of the pipeline, which is soon after it runs. Where tokens are needed, with one.
    pub(crate) async fn until_open(&self, client: &Client) {
        let (path, deadline) = (format!("/v1/jobs?most=1&pipeline={}", self.name), Instant::now() + PATIENCE);
        while client.get(&path).await.status == 503 {
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: the pipeline runs");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The same, as soon as the API listens.
    pub(crate) async fn launch(&self) -> Host {
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        let log = self.folder().join(format!("start-{number}"));
        std::fs::create_dir(&log).unwrap();
        Host::launch(&log, |command| {
            command.arg("run").arg(self.folder().join("pipeline.toml")).arg("--host").arg(self.host_file());
        })
        .await
    }

    /// All records of the topic of a role. Only with Kafka.
    pub(crate) async fn records(&self, role: &str) -> Vec<Event> {
        let mut tail =
            Tail::open(&self.setup.kafka_settings(), &self.topic(role), From::Start, Until::End).await.unwrap();
        let mut records = Vec::new();
        while let Some(record) = tail.next().await {
            records.push(record.unwrap());
        }
        records
    }

    /// Writes copies of events, as somebody does who has lost the broker's acknowledgement. Only with Kafka.
    pub(crate) async fn send_again(&self, events: Vec<Event>) {
        let (settings, topic) = (self.setup.kafka_settings(), Arc::<str>::from(self.topic("in")));
        let copy = |event: Event| Record {
            topic: Arc::clone(&topic),
            partition: None,
            key: event.key,
            payload: event.payload,
            headers: event.headers,
            timestamp: event.timestamp,
        };
        kafka::send(&settings, None, events.into_iter().map(copy), |_| {}).await.unwrap();
    }

    /// Waits until every event is settled. Only with Kafka.
    pub(crate) async fn until_settled(&self) {
        let (settings, topic, deadline) = (self.setup.kafka_settings(), self.topic("in"), Instant::now() + PATIENCE);
        loop {
            let stats = kafka::topic_stats(&settings, &topic, Some(&self.name)).await.unwrap();
            if stats.iter().all(|partition| partition.lag() == 0) {
                return;
            }
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: all events are settled; {stats:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// The broker of the test run.
fn broker() -> Settings {
    let broker = std::env::var("GRISTMILL_TEST_KAFKA");
    let help = "GRISTMILL_TEST_KAFKA is not set: run `cargo verify`, or `cargo xtask kafka` and set what it prints";
    Settings::new(&broker.expect(help))
}

/// The binary under test, with a cache of compiled stages that all tests share.
pub(crate) fn gristmill() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
    command.env("GRISTMILL_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    command.env("GRISTMILL_STATE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("state"));
    for variable in ["GRISTMILL_BROKERS", "GRISTMILL_API", "GRISTMILL_ADMIN", "RUST_LOG"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    command
}

/// A running host.
pub(crate) struct Host {
    child: Child,
    log: PathBuf,
    /// Asks its API.
    pub(crate) client: Client,
}

impl Host {
    /// Starts the binary with these arguments and its log in this folder, and waits until the API listens.
    pub(crate) async fn launch(folder: &Path, with: impl FnOnce(&mut Command)) -> Self {
        let log = folder.join("log");
        let mut command = gristmill();
        with(&mut command);
        let child = command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
        let mut host = Self { child, log, client: Client::new("") };
        let line = host.until_logged("the API listens").await;
        let url = line.split("url=").nth(1).and_then(|rest| rest.split_whitespace().next());
        let url = url.unwrap_or_else(|| panic!("no address in {line:?}"));
        host.client = Client::new(url.trim_matches('"'));
        host
    }

    /// Its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(SHOWN)..].join("\n")
    }

    /// Waits for a line of its log; fails if it ends before.
    pub(crate) async fn until_logged(&mut self, what: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.log().lines().find(|line| line.contains(what)) {
                return line.to_owned();
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the host ended before {what:?}:\n{}", self.last_words());
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what:?}\n{}", self.last_words());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it has in memory, in bytes, by the table of the system.
    pub(crate) fn resident(&self) -> u64 {
        let id = self.child.id().expect("the host has ended");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// Sends a signal by its short name.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().expect("the host has ended").to_string();
        assert!(Command::new("kill").arg(format!("-{name}")).arg(id).status().await.unwrap().success());
    }

    /// Sends SIGKILL. Returns when the process has ended.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends SIGTERM and waits until it has ended.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM").await;
        match tokio::time::timeout(Duration::from_secs(90), self.child.wait()).await {
            Ok(status) => status.unwrap(),
            Err(_) => panic!("the host did not end:\n{}", self.last_words()),
        }
    }
}

/// A header of a record as text.
pub(crate) fn header(record: &Event, name: &str) -> String {
    let header = record.headers.iter().find(|header| header.name == name);
    let value = header.and_then(|header| header.value.clone()).unwrap_or_default();
    String::from_utf8(value.to_vec()).unwrap()
}
