//! Runs the examples as their READMEs say and compares the output with the expected files.
//!
//! `GRISTMILL_UPDATE_EXAMPLES=1 cargo test --test examples` rewrites the expected files; review the diff.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod checked;
mod dev;
mod dialects;
mod languages;
mod registry;
mod tasks;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

/// The timeout of every wait; enough for a busy machine that compiles the stages first.
const PATIENCE: Duration = Duration::from_secs(300);

fn gristmill() -> Command {
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

/// `gristmill run` on an example with its embedded broker.
struct Host {
    child: std::process::Child,
    brokers: String,
    _folder: tempfile::TempDir,
}

impl Host {
    fn start(pipeline: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = std::fs::File::create(&path).unwrap();
        let mut run = gristmill();
        run.args(["run", "--log-format", "json"]).arg(pipeline).stderr(log);
        let child = run.spawn().unwrap();
        let mut host = Self { child, brokers: String::new(), _folder: folder };
        host.brokers = until("the host is running", || {
            let log = std::fs::read_to_string(&path).unwrap();
            assert!(host.child.try_wait().unwrap().is_none(), "the host ended:\n{log}");
            let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find_map(|line| {
                let running = line["message"] == "running";
                running.then(|| line["brokers"].as_str().unwrap().to_owned())
            })
        });
        host
    }

    fn send(&self, topic: &str, files: &[PathBuf], options: &[&str]) {
        let mut send = gristmill();
        send.args(["send", topic, "--brokers", &self.brokers]).args(options).args(files);
        succeeded(send.output().unwrap());
    }

    /// All records of a topic as `gristmill tail --json` shows them, in the order of their items.
    fn records(&self, topic: &str) -> Vec<Value> {
        let mut tail = gristmill();
        tail.args(["tail", topic, "--json", "--until-end", "--brokers", &self.brokers]);
        let shown = succeeded(tail.output().unwrap());
        let mut records: Vec<Value> = shown.lines().map(|line| plain(serde_json::from_str(line).unwrap())).collect();
        records.sort_by_key(|record| {
            let header = |name: &str| record["headers"][name].as_str().unwrap_or_default().to_owned();
            (header("gristmill-job-id"), header("gristmill-item-id"))
        });
        records
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn succeeded(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until `reached` returns a value.
fn until<T>(what: &str, mut reached: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = reached() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Headers that differ between runs or builds.
const VARYING: [&str; 6] = [
    "gristmill-module",
    "gristmill-stage-versions",
    "gristmill-first-attempt",
    "gristmill-last-attempt",
    "gristmill-source-time",
    "gristmill-document-generation",
];

/// A record without the varying headers: headers by name, JSON values as JSON, binary values by size.
fn plain(record: Value) -> Value {
    let mut headers = Map::new();
    let all = record["headers"].as_array().unwrap();
    for header in all.iter().filter(|header| !VARYING.contains(&header["name"].as_str().unwrap())) {
        headers.insert(header["name"].as_str().unwrap().to_owned(), header["value"].clone());
    }
    let value = match record["value"].as_str() {
        Some(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        None => json!(format!("({} characters of base64)", record["value_base64"].as_str().map_or(0, str::len))),
    };
    json!({ "headers": headers, "value": value })
}

/// An example, and what its README sends.
struct Example {
    name: &'static str,
    /// The aliases of its models.
    aliases: &'static [&'static str],
    source: &'static str,
    sink: &'static str,
    dead: &'static str,
    files: &'static [&'static str],
    options: &'static [&'static str],
    /// How many records that are.
    inputs: usize,
}

const DOCUMENTS: Example = Example {
    name: "documents",
    aliases: &["smart"],
    source: "documents",
    sink: "chunks",
    dead: "documents.dead",
    files: &["broken-scan.pdf", "incident-report.docx", "release-notes.html", "supply-agreement.pdf"],
    options: &[],
    inputs: 4,
};

const EVENTS: Example = Example {
    name: "events",
    aliases: &["small"],
    source: "tickets",
    sink: "tickets.enriched",
    dead: "tickets.dead",
    files: &["tickets.jsonl"],
    options: &["--lines"],
    inputs: 5,
};

const CONTRACTS: Example = Example {
    name: "contracts",
    aliases: &["small", "smart"],
    source: "contracts",
    sink: "contracts.analysed",
    dead: "contracts.dead",
    files: &["consulting-agreement.txt", "lizenz-licence.md", "wartungsvertrag.html"],
    options: &[],
    inputs: 3,
};

const RESCUE: Example = Example {
    name: "rescue",
    aliases: &["small"],
    source: "orders",
    sink: "orders.checked",
    dead: "orders.dead",
    files: &["orders.jsonl"],
    options: &["--lines"],
    inputs: 7,
};

const SEARCH: Example = Example {
    name: "search",
    aliases: &["vectors"],
    source: "articles",
    sink: "vectors",
    dead: "articles.dead",
    files: &["holidays.txt", "minutes.txt", "pumps.md"],
    options: &[],
    inputs: 3,
};

impl Example {
    fn folder(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples").join(self.name)
    }

    /// Runs this pipeline file until every input record is in a topic; returns the outputs and the dead letters.
    fn run(&self, pipeline: &Path) -> [Vec<Value>; 2] {
        let host = Host::start(pipeline);
        let files: Vec<PathBuf> = self.files.iter().map(|file| self.folder().join("input").join(file)).collect();
        host.send(self.source, &files, self.options);
        until("every input record is in a topic", || {
            let (output, dead_letters) = (host.records(self.sink), host.records(self.dead));
            let job = |record: &Value| record["headers"]["gristmill-job-id"].to_string();
            let jobs: BTreeSet<String> = output.iter().chain(&dead_letters).map(job).collect();
            (jobs.len() == self.inputs).then_some([output, dead_letters])
        })
    }

    /// The files with the expected outputs and dead letters.
    fn expected(&self) -> [PathBuf; 2] {
        ["expected/output.jsonl", "expected/dead-letters.jsonl"].map(|file| self.folder().join(file))
    }

    fn run_and_compare(&self) {
        let records = self.run(&self.folder().join("pipeline.toml"));
        for (path, records) in self.expected().iter().zip(&records) {
            compare(path, records);
        }
    }
}

/// The records of a file.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn compare(path: &Path, records: &[Value]) {
    if std::env::var_os("GRISTMILL_UPDATE_EXAMPLES").is_some() {
        let lines: Vec<String> = records.iter().map(|record| format!("{record}\n")).collect();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, lines.concat()).unwrap();
    }
    let expected = lines(path);
    for (number, (record, expected)) in records.iter().zip(&expected).enumerate() {
        assert_eq!(record, expected, "record {} of {}", number + 1, path.display());
    }
    assert_eq!(records.len(), expected.len(), "{}", path.display());
}

#[test]
fn documents_become_clean_enriched_chunks_and_the_scan_a_dead_letter() {
    DOCUMENTS.run_and_compare();
}

#[test]
fn events_are_enriched_in_place_and_the_bad_ones_are_dead_letters() {
    EVENTS.run_and_compare();
}

#[test]
fn orders_that_fail_their_check_are_mended_and_those_that_cannot_be_are_dead_letters() {
    RESCUE.run_and_compare();
}

#[test]
fn articles_become_chunks_with_vectors_and_one_that_does_not_fit_a_dead_letter() {
    SEARCH.run_and_compare();
}

#[test]
fn clauses_are_summarised_by_language_and_contracts_analysed_as_a_whole() {
    CONTRACTS.run_and_compare();
}
