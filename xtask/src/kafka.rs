//! A real Apache Kafka for tests and benchmarks: one node, downloaded by Maven, in its own folder, which is deleted on
//! drop.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::apt::Missing;
use crate::workspace;

/// The variable with the folder of the jars, for tests that start their own brokers.
pub(crate) const HOME: &str = "GRISTMILL_TEST_KAFKA_HOME";
const VERSION: &str = "4.1.0";
const POM: &str = include_str!("kafka/pom.xml");
const SERVER_PROPERTIES: &str = include_str!("kafka/server.properties");
/// Any 16 bytes in base64: the id of a cluster that exists for one run.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";
/// A start takes about 3 s on an idle machine, and several times as long during a build.
const START_TIMEOUT: Duration = Duration::from_secs(120);
const SERVER: &str = "server.properties";
const LOG: &str = "log";
const LOG_LINES_SHOWN: usize = 20;

/// Kills the broker and deletes its folder when standard input ends. The system closes that pipe however this process
/// ends, ctrl-c included, so no broker outlives it.
const GUARD: &str = r#"trap "" INT TERM HUP
cat >/dev/null
kill -9 "$1" 2>/dev/null
n=0
while kill -0 "$1" 2>/dev/null && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done
rm -rf "$2""#;

/// A running broker. Dropping it kills it and deletes what it wrote.
pub(crate) struct Kafka {
    broker: Child,
    guard: Child,
    address: String,
}

impl Kafka {
    /// Starts a broker on free ports with its files below `work_dir`/kafka, where the jars are kept for the next run.
    /// Needs Java 17 and Maven, and installs them with apt-get if run as root. Returns when the broker answers, or
    /// after two minutes with an error that shows the end of its log.
    pub(crate) fn start(work_dir: &Path) -> Result<Self> {
        let home = work_dir.join("kafka");
        let libs = jars(work_dir)?;
        let [port, controller_port] = free_ports()?;
        let folder = home.join(format!("broker-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let text = SERVER_PROPERTIES
            .replace("@PORT@", &port.to_string())
            .replace("@CONTROLLER_PORT@", &controller_port.to_string())
            .replace("@DATA@", &folder.join("data").display().to_string());
        fs::write(folder.join(SERVER), text)?;
        let mut broker = match launch(&libs, &folder) {
            Ok(broker) => broker,
            Err(error) => {
                fs::remove_dir_all(&folder)?;
                return Err(error);
            }
        };
        let guard = Command::new("sh")
            .args(["-c", GUARD, "kafka-guard", &broker.id().to_string()])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        let guard = match guard {
            Ok(guard) => guard,
            Err(error) => {
                broker.kill()?;
                return Err(error).context("cannot start sh");
            }
        };
        let mut kafka = Self { broker, guard, address: format!("127.0.0.1:{port}") };
        kafka.wait_until_started(&folder.join(LOG))?;
        Ok(kafka)
    }

    /// Host and port, as in `bootstrap.servers`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    fn wait_until_started(&mut self, log: &Path) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if knows_a_broker(&self.address).unwrap_or(false) {
                return Ok(());
            }
            let ended = self.broker.try_wait()?.is_some();
            if ended || Instant::now() > deadline {
                let lines = fs::read_to_string(log).unwrap_or_default();
                let shown = lines.lines().count().saturating_sub(LOG_LINES_SHOWN);
                let end: Vec<&str> = lines.lines().skip(shown).collect();
                bail!("Kafka did not start at {}; the end of its log:\n{}", self.address, end.join("\n"));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // An error means that there is nothing left to wait for.
        let _ = self.broker.wait();
        let _ = self.guard.wait();
    }
}

/// `cargo xtask kafka`: runs a broker until this process ends, for example by ctrl-c.
#[allow(clippy::print_stdout)]
pub(crate) fn command(work_dir: &Path) -> Result<()> {
    let kafka = Kafka::start(work_dir)?;
    println!("GRISTMILL_TEST_KAFKA={}", kafka.address());
    loop {
        thread::park();
    }
}

/// Formats the storage in the folder and starts a broker on it.
fn launch(libs: &Path, folder: &Path) -> Result<Child> {
    let classes = format!("{}/*", libs.display());
    let properties = folder.join(SERVER);
    workspace::quietly(
        Command::new("java")
            .args(["-cp", &classes, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
            .arg(&properties),
    )?;
    let log = File::create(folder.join(LOG))?;
    Command::new("java")
        .args(["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-cp", &classes, "kafka.Kafka"])
        .arg(&properties)
        .stdin(Stdio::null())
        .stderr(log.try_clone()?)
        .stdout(log)
        .spawn()
        .context("cannot start java")
}

/// Requests metadata and returns whether the answer lists a broker: an open port alone does not mean that Kafka can be
/// used. Written by hand, because one request needs no client library.
fn knows_a_broker(address: &str) -> io::Result<bool> {
    /// Length; key 3 (Metadata), version 1; correlation id; no client id; an empty list of topics.
    const REQUEST: [u8; 18] = [0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0];
    let mut broker = TcpStream::connect(address)?;
    broker.set_read_timeout(Some(Duration::from_secs(5)))?;
    broker.write_all(&REQUEST)?;
    // Length, correlation id, and the number of brokers: four bytes each.
    let mut answer = [0; 12];
    broker.read_exact(&mut answer)?;
    Ok(answer[8..] > [0; 4][..])
}

/// The folder with the jars of Kafka below `work_dir`. The first time, downloads them and installs the tools for that.
pub(crate) fn jars(work_dir: &Path) -> Result<PathBuf> {
    install_missing_tools()?;
    fetch_jars(&work_dir.join("kafka"))
}

/// The folder with the jars, downloaded once.
fn fetch_jars(home: &Path) -> Result<PathBuf> {
    let libs = home.join(format!("libs-{VERSION}"));
    if libs.exists() {
        return Ok(libs);
    }
    // Downloaded to another folder and then renamed, so that an interrupted download, or one that another process is
    // doing, is not taken for a complete one.
    let fetching = home.join(format!("fetching-{}", std::process::id()));
    fs::create_dir_all(&fetching).with_context(|| format!("cannot create {}", fetching.display()))?;
    fs::write(fetching.join("pom.xml"), POM.replace("@VERSION@", VERSION))?;
    workspace::quietly(
        Command::new("mvn")
            .args(["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"])
            .current_dir(&fetching),
    )?;
    if let Err(error) = fs::rename(fetching.join("libs"), &libs) {
        ensure!(libs.exists(), "cannot move the jars of Kafka to {}: {error}", libs.display());
    }
    fs::remove_dir_all(&fetching)?;
    Ok(libs)
}

fn install_missing_tools() -> Result<()> {
    if works("java", "-version") && works("mvn", "-version") {
        return Ok(());
    }
    let packages = "maven default-jre-headless";
    Missing { what: "Java 17 or Maven, for a real Kafka", packages, or: "" }.install()
}

fn works(program: &str, argument: &str) -> bool {
    let output = Command::new(program).arg(argument).output();
    output.is_ok_and(|output| output.status.success())
}

/// Two ports that are free now. If another process takes one first, the broker reports that in its log.
fn free_ports() -> Result<[u16; 2]> {
    // Both are held at the same time: a port that was released may be given out again.
    let (one, two) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    Ok([one.local_addr()?.port(), two.local_addr()?.port()])
}
