//! A real Apache Kafka for tests and figures: one node, fetched by Maven, in a folder of its own, gone when dropped.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// Names the folder of the jars to tests that start brokers of their own.
pub(crate) const HOME: &str = "GRISTMILL_TEST_KAFKA_HOME";
const VERSION: &str = "4.1.0";
const POM: &str = include_str!("kafka/pom.xml");
const SERVER_PROPERTIES: &str = include_str!("kafka/server.properties");
/// Any 16 bytes in base64: the name of a cluster that lives for one run.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";
/// It takes some 3 s on an idle machine, and a multiple beside a build.
const LONGEST_START: Duration = Duration::from_secs(120);
const SERVER: &str = "server.properties";
const LOG: &str = "log";
const LOG_LINES_SHOWN: usize = 20;
const INSTALL: &str = "apt-get update && apt-get install -y maven default-jre-headless";

/// Kills the broker and deletes its folder when standard input ends. The system closes that pipe whatever this process
/// dies of, ctrl-c included, so no broker outlives it.
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
    /// Starts a broker on free ports with its files below `work_dir`/kafka, where the jars stay for the next time. Needs
    /// Java 17 and Maven, and installs them by apt-get when run as root. Returns when the broker answers, or after
    /// two minutes with an error that shows the end of its log.
    pub(crate) fn start(work_dir: &Path) -> Result<Self> {
        let home = work_dir.join("kafka");
        let libs = jars(work_dir)?;
        let (port, controller_port) = (free_port()?, free_port()?);
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

    /// Host and port, as `bootstrap.servers` wants them.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    fn wait_until_started(&mut self, log: &Path) -> Result<()> {
        let deadline = Instant::now() + LONGEST_START;
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
        // An error here means that there is nothing left to wait for.
        let _ = self.broker.wait();
        let _ = self.guard.wait();
    }
}

/// `cargo xtask kafka`: runs a broker until this process is ended, by ctrl-c for one.
#[allow(clippy::print_stdout)]
pub(crate) fn command(work_dir: &Path) -> Result<()> {
    let kafka = Kafka::start(work_dir)?;
    println!("GRISTMILL_TEST_KAFKA={}", kafka.address());
    loop {
        thread::park();
    }
}

/// Formats the folder's storage and starts a broker on it.
fn launch(libs: &Path, folder: &Path) -> Result<Child> {
    let classes = format!("{}/*", libs.display());
    let properties = folder.join(SERVER);
    run(Command::new("java")
        .args(["-cp", &classes, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
        .arg(&properties))?;
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

/// Asks for metadata and tells whether the answer names a broker: a port that is open already, with nobody behind it,
/// is not a Kafka one can use. By hand, because one request needs no client library.
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

/// The folder with the jars of Kafka below `work_dir`. They are fetched the first time, with the tools that this needs.
pub(crate) fn jars(work_dir: &Path) -> Result<PathBuf> {
    install_missing_tools()?;
    fetch_jars(&work_dir.join("kafka"))
}

/// The folder with the jars, fetched once.
fn fetch_jars(home: &Path) -> Result<PathBuf> {
    let libs = home.join(format!("libs-{VERSION}"));
    if libs.exists() {
        return Ok(libs);
    }
    // Fetched beside its place and then renamed: a broken fetch is not taken for a finished one, nor is that of another
    // process at the same time.
    let fetching = home.join(format!("fetching-{}", std::process::id()));
    fs::create_dir_all(&fetching).with_context(|| format!("cannot create {}", fetching.display()))?;
    fs::write(fetching.join("pom.xml"), POM.replace("@VERSION@", VERSION))?;
    run(Command::new("mvn")
        .args(["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"])
        .current_dir(&fetching))?;
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
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    if !root || !works("apt-get", "--version") {
        bail!("a real Kafka needs Java 17 and Maven; install them with: sudo sh -c '{INSTALL}'");
    }
    announce("Java or Maven is missing: installing them with apt-get");
    run(Command::new("sh").args(["-c", INSTALL]).env("DEBIAN_FRONTEND", "noninteractive"))
}

#[allow(clippy::print_stderr)]
fn announce(what: &str) {
    eprintln!("{what}");
}

fn works(program: &str, argument: &str) -> bool {
    let output = Command::new(program).arg(argument).output();
    output.is_ok_and(|output| output.status.success())
}

/// Runs a command to its end; its output is shown only when it fails.
fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    Ok(())
}

/// A port nobody listens on now. Someone else may take it first; then the broker says so in its log.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
