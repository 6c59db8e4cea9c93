//! An Apache Kafka of one test, which can be killed and restarted with the same port and data.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use gristmill_kafka::{Settings, topic_stats};
use gristmill_test_servers::free_port;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::harness::PATIENCE;

const PROPERTIES: &str = include_str!("../../../xtask/src/kafka/server.properties");
/// Any 16 bytes in base64.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";

/// Runs a program and kills it when standard input ends, which happens however the test process ends.
const GUARDED: &str = r#"trap "" INT TERM HUP
"$@" &
child=$!
cat >/dev/null
kill -9 $child
wait $child"#;

/// A broker that the test may kill.
pub(crate) struct OwnBroker {
    jars: PathBuf,
    folder: TempDir,
    port: u16,
    running: Option<Child>,
}

impl OwnBroker {
    /// Starts a broker. Returns when it answers.
    pub(crate) async fn start() -> Self {
        let jars = std::env::var("GRISTMILL_TEST_KAFKA_HOME").expect(
            "GRISTMILL_TEST_KAFKA_HOME is not set: run `cargo verify` or `cargo xtask test`, or set it to a folder \
             with the jars of Apache Kafka, such as target/kafka/libs-4.1.0 after `cargo xtask kafka`",
        );
        let [port, controller_port] = free_ports();
        let mut broker = Self { jars: jars.into(), folder: tempfile::tempdir().unwrap(), port, running: None };
        let text = PROPERTIES
            .replace("@PORT@", &broker.port.to_string())
            .replace("@CONTROLLER_PORT@", &controller_port.to_string())
            .replace("@DATA@", &broker.folder.path().join("data").display().to_string());
        std::fs::write(broker.properties(), text).unwrap();
        let mut format = broker.java(Command::new("java"), "-Xmx256m");
        format.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]).arg(broker.properties());
        let formatted = format.output().await.unwrap();
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        broker.up().await;
        broker
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn properties(&self) -> PathBuf {
        self.folder.path().join("server.properties")
    }

    fn java(&self, mut command: Command, heap: &str) -> Command {
        let classes = Path::new(&self.jars).join("*");
        command.args([heap, "-XX:+UseSerialGC", "-cp"]).arg(classes).current_dir(self.folder.path());
        command
    }

    /// Starts it, again after [`OwnBroker::down`]. Returns when it answers.
    pub(crate) async fn up(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let mut guarded = Command::new("sh");
        guarded.args(["-c", GUARDED, "kafka-guard", "java"]);
        let mut java = self.java(guarded, "-Xmx512m");
        java.arg("kafka.Kafka").arg(self.properties()).stdin(Stdio::piped());
        self.running = Some(java.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        let deadline = Instant::now() + PATIENCE;
        let settings = Settings::new(&self.address());
        // The error that this topic does not exist is an answer.
        while !self.knows(topic_stats(&settings, "none", None).await) {
            assert!(Instant::now() < deadline, "Kafka did not start, its log is in {}", self.folder.path().display());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn knows<T>(&self, answer: anyhow::Result<T>) -> bool {
        answer.is_err_and(|error| error.to_string().contains("does not exist"))
    }

    /// Kills it with SIGKILL. Returns when it has ended.
    pub(crate) async fn down(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        drop(running.stdin.take());
        running.wait().await.unwrap();
    }
}

/// Two ports that are free now, and that clients which look for a broker that is down do not take.
fn free_ports() -> [u16; 2] {
    let first = free_port();
    loop {
        let second = free_port();
        if second != first {
            return [first, second];
        }
    }
}
