//! A pipeline file with its own topics and group.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use gristmill_core::model::Event;
use gristmill_core::ports::{From, Until};
use gristmill_kafka::{Settings, Tail, topic_stats};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use tempfile::TempDir;

use crate::host::Host;
use crate::offsets::Offsets;
use gristmill_model_server::ModelServer;

/// The timeout of every wait; enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// The `max.message.bytes` of the source and dead-letter topics, above Kafka's default of 1 MB.
const LARGE: &str = "20971520";

/// The pipeline under test.
pub(crate) struct Setup {
    /// The address of the broker.
    pub(crate) broker: String,
    /// Partitions of the source topic.
    pub(crate) partitions: i32,
    /// Partitions of the sink topic.
    pub(crate) sink_partitions: i32,
    /// Top-level keys of the file, before the first table.
    pub(crate) top: &'static str,
    /// Keys of `[sink]`, besides its topic.
    pub(crate) sink: &'static str,
    /// Properties of librdkafka.
    pub(crate) properties: Vec<(&'static str, &'static str)>,
    /// The address of a state store on a server; without one it is a file.
    pub(crate) store: Option<String>,
    /// Further tables of the file; `GUEST:name` stands for a test guest's file.
    pub(crate) sections: String,
}

impl Setup {
    /// A pipeline with these sections on the broker of the test run, with 6 partitions.
    pub(crate) fn new(sections: impl Into<String>) -> Self {
        let broker = std::env::var("GRISTMILL_TEST_KAFKA").expect(
            "GRISTMILL_TEST_KAFKA is not set: run `cargo verify`, or `cargo xtask kafka` and set what it prints",
        );
        let (partitions, sink_partitions) = (6, 6);
        Self {
            broker,
            partitions,
            sink_partitions,
            top: "",
            sink: "",
            properties: Vec::new(),
            store: None,
            sections: sections.into(),
        }
    }

    /// One partition per topic, for tests that need an order.
    pub(crate) fn narrow(self) -> Self {
        Self { partitions: 1, sink_partitions: 1, ..self }
    }

    /// With a state store that hosts share.
    pub(crate) fn store(self, url: &str) -> Self {
        Self { store: Some(url.to_owned()), ..self }
    }

    pub(crate) fn properties(self, properties: &[(&'static str, &'static str)]) -> Self {
        Self { properties: properties.to_vec(), ..self }
    }
}

/// A stage that changes nothing.
pub(crate) const PASS: &str = "[[stage]]\nname = \"pass\"\nmodule = \"GUEST:pass\"\n";

/// A stage that executes the command in each item. It may call a model, but no server answers.
pub(crate) const OBEY: &str = "[[stage]]\nname = \"obey\"\nmodule = \"GUEST:misbehave\"\ngrants = [\"llm\"]\n\
     limits = { cpu = \"300ms\" }\n\
     [models.m]\ntargets = [{ provider = \"openai\", model = \"x\", base_url = \"http://127.0.0.1:9/v1\" }]\n";

/// A member that disappears is removed from the group after 6 s.
pub(crate) const QUICK: &[(&str, &str)] = &[("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "500")];

/// The `[models]` section for a server.
pub(crate) fn model(server: &ModelServer, timeout: &str) -> String {
    let target = format!(
        "{{ provider = \"openai\", model = \"x\", base_url = {:?}, timeout = {timeout:?} }}",
        server.base_url()
    );
    format!("[models.m]\nmax_concurrent = 64\ntargets = [{target}]\n")
}

/// A stage that asks the server about each event, and keeps the fields of the oracle.
pub(crate) fn enriching(server: &ModelServer) -> String {
    format!(
        "[[stage]]\nname = \"enrich\"\nmodule = \"builtin:enrich\"\ngrants = [\"llm\"]\n\
         config = {{ model = \"m\", tasks = [\"summary\"], fields = [\"/body\"] }}\n{}",
        model(server, "10s")
    )
}

/// A pipeline file and its topics.
pub(crate) struct Harness {
    pub(crate) name: String,
    pub(crate) settings: Settings,
    pub(crate) offsets: Offsets,
    folder: TempDir,
    starts: AtomicU32,
    partitions: (i32, i32),
}

impl Harness {
    /// Creates the topics and writes the pipeline file.
    pub(crate) async fn new(setup: Setup) -> Self {
        let name = format!("r-{:016x}", fastrand::u64(..));
        let settings = Settings::new(&setup.broker);
        let offsets = Offsets::new(&setup.broker, &name);
        let folder = tempfile::tempdir().unwrap();
        let partitions = (setup.partitions, setup.sink_partitions);
        let harness = Self { name, settings, offsets, folder, starts: AtomicU32::new(0), partitions };
        for role in ["in", "out", "dead"] {
            harness.create(role).await;
        }
        std::fs::write(harness.file(), harness.text(&setup)).unwrap();
        harness
    }

    fn text(&self, setup: &Setup) -> String {
        let mut file = format!(
            "name = {:?}\n{}\n[kafka]\nbrokers = {:?}\n[source]\ntopic = {:?}\n[sink]\ntopic = {:?}\n{}\
             [dead_letter]\ntopic = {:?}\n[retry]\nfirst_wait = \"100ms\"\n",
            self.name,
            setup.top,
            setup.broker,
            self.topic("in"),
            self.topic("out"),
            setup.sink,
            self.topic("dead"),
        );
        file.push_str("[kafka.properties]\n");
        for (name, value) in &setup.properties {
            writeln!(file, "{name:?} = {value:?}").unwrap();
        }
        let guests = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests");
        let folder = self.folder.path().join("store").display().to_string();
        let store = setup.store.as_ref().map_or(format!("folder = {folder:?}"), |url| format!("url = {url:?}"));
        let mut sections = format!("[store]\n{store}\n{}", setup.sections);
        for guest in ["pass", "misbehave"] {
            let path = guests.join(format!("{guest}.wasm"));
            sections = sections.replace(&format!("GUEST:{guest}"), &path.display().to_string());
        }
        file + &sections
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("pipeline.toml")
    }

    pub(crate) fn topic(&self, role: &str) -> String {
        format!("{}.{role}", self.name)
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", &self.settings.brokers).create().unwrap()
    }

    /// Creates the topic of a role.
    pub(crate) async fn create(&self, role: &str) {
        let partitions = if role == "in" { self.partitions.0 } else { self.partitions.1 };
        let name = self.topic(role);
        let mut topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
        if role != "out" {
            topic = topic.set("max.message.bytes", LARGE);
        }
        // A topic of that name may still be being deleted.
        let deadline = Instant::now() + PATIENCE;
        while self.admin().create_topics([&topic], &AdminOptions::new()).await.unwrap()[0].is_err() {
            assert!(Instant::now() < deadline, "the topic {name} cannot be created");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // A created topic is not visible to other clients immediately, and one that asked too early can go on not to see
        // it. So each lookup has a client of its own.
        while Offsets::new(&self.settings.brokers, &self.name).ends(&name, partitions).is_err() {
            assert!(Instant::now() < deadline, "the topic {name} does not appear");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Deletes the topic of a role, and waits until the broker is without it: it is told of the deletion later than we are,
    /// and takes records until then.
    pub(crate) async fn delete(&self, role: &str) {
        let topic = self.topic(role);
        let deleted = self.admin().delete_topics(&[&topic], &AdminOptions::new()).await.unwrap();
        deleted[0].as_ref().unwrap();
        let begun = Instant::now();
        while Offsets::new(&self.settings.brokers, &self.name).ends(&topic, 1).is_ok() {
            assert!(begun.elapsed() < PATIENCE, "{topic} was deleted and is still there");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Starts a host with this pipeline.
    pub(crate) fn start(&self) -> Host {
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        Host::start(&self.file(), self.folder.path().join(format!("log-{number}")))
    }

    /// Starts a host with this pipeline and this host file, which keeps versions in this test's folder.
    pub(crate) fn start_as(&self, host: &str) -> Host {
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        let (file, versions) = (self.folder.path().join("host.toml"), self.folder.path().join("versions"));
        std::fs::write(&file, format!("[versions]\nfolder = {versions:?}\n{host}")).unwrap();
        Host::start_as(&self.file(), &file, self.folder.path().join(format!("log-{number}")))
    }

    /// The folder of this test.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a host with this pipeline and a state store of its own, like one on another machine.
    pub(crate) fn start_apart(&self, machine: usize) -> Host {
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        let file = self.folder.path().join(format!("pipeline-{machine}.toml"));
        let text = std::fs::read_to_string(self.file()).unwrap();
        let store = self.folder.path().join("store").display().to_string();
        std::fs::write(&file, text.replace(&store, &format!("{store}-{machine}"))).unwrap();
        Host::start(&file, self.folder.path().join(format!("log-{number}")))
    }

    /// The log of the host started last.
    pub(crate) fn last_log(&self) -> String {
        let number = self.starts.load(Ordering::Relaxed) - 1;
        std::fs::read_to_string(self.folder.path().join(format!("log-{number}"))).unwrap_or_default()
    }

    /// The end offset of each partition of a role's topic.
    pub(crate) fn ends(&self, role: &str) -> Vec<u64> {
        let partitions = if role == "in" { self.partitions.0 } else { self.partitions.1 };
        self.offsets.ends(&self.topic(role), partitions).unwrap()
    }

    /// The committed offset of each partition of the source topic.
    pub(crate) fn committed(&self) -> Vec<u64> {
        self.offsets.committed(&self.topic("in"), self.partitions.0).unwrap()
    }

    /// The sum of the committed offsets: how many events are settled.
    pub(crate) fn settled(&self) -> u64 {
        self.committed().iter().sum()
    }

    /// Whether the group has committed the end of every partition.
    pub(crate) fn is_all_settled(&self) -> bool {
        self.committed() == self.ends("in")
    }

    /// Waits until all events are settled; fails if the host ends.
    pub(crate) async fn until_all_settled(&self, host: &mut Host) {
        self.until("all is settled", host, || self.is_all_settled()).await;
    }

    /// Waits until `reached` returns true; fails if the host ends.
    pub(crate) async fn until(&self, what: &str, host: &mut Host, mut reached: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !reached() {
            host.must_live(&format!("before {what}"));
            let words = || host.last_words();
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}\n{}", words());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// All records of a topic. A broker confirms a transaction before it has marked its records in every partition: waits
    /// until they can all be read.
    pub(crate) async fn records(&self, role: &str) -> Vec<Event> {
        let (written, deadline) = (self.ends(role), Instant::now() + PATIENCE);
        loop {
            let stats = topic_stats(&self.settings, &self.topic(role), None).await.unwrap();
            let readable = stats.iter().map(|partition| partition.high.unsigned_abs());
            if readable.zip(&written).all(|(readable, written)| readable >= *written) {
                break;
            }
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: all transactions in {role} have ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut tail = Tail::open(&self.settings, &self.topic(role), From::Start, Until::End).await.unwrap();
        let mut records = Vec::new();
        while let Some(record) = tail.next().await {
            records.push(record.unwrap());
        }
        records
    }
}

/// A header of a record as text.
pub(crate) fn header(record: &Event, name: &str) -> String {
    let header = record.headers.iter().find(|header| header.name == name);
    let value = header.and_then(|header| header.value.clone()).unwrap_or_default();
    String::from_utf8(value.to_vec()).unwrap()
}
