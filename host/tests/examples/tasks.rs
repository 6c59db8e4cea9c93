//! `examples/tasks`: what the API takes is published once, three pipelines learn of it, and one of them misses nothing while it is
//! stopped.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::{gristmill, succeeded, until};

/// A process of the example, with its log.
struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    fn start(folder: &Path, log: &str, arguments: &[&str], brokers: Option<&str>) -> Self {
        let log = folder.join(log);
        let mut run = gristmill();
        run.args(["run", "--admin", "off", "--log-format", "json"]).args(arguments).current_dir(folder);
        if let Some(brokers) = brokers {
            run.env("GRISTMILL_BROKERS", brokers);
        }
        let child = run.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
        Self { child, log }
    }

    /// What a line of the log says under a name, as soon as it is there.
    fn told(&mut self, message: &str, name: &str) -> String {
        until(message, || {
            let log = std::fs::read_to_string(&self.log).unwrap();
            assert!(self.child.try_wait().unwrap().is_none(), "it ended before {message:?}:\n{log}");
            let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find(|line| line["message"] == message)?[name].as_str().map(str::to_owned)
        })
    }

    /// Lets it end as Ctrl-C does.
    fn stop(&mut self) {
        let sent = std::process::Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert!(until("it ends", || self.child.try_wait().unwrap()).success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The example in a folder of its own, where it may write.
fn copy() -> tempfile::TempDir {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples").join("tasks");
    let folder = tempfile::tempdir().unwrap();
    for inner in ["", "pipelines", "input"] {
        std::fs::create_dir_all(folder.path().join(inner)).unwrap();
        for entry in std::fs::read_dir(example.join(inner)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::copy(&path, folder.path().join(inner).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    folder
}

/// The ids of the tasks in a topic.
fn tasks(brokers: &str, topic: &str) -> BTreeSet<String> {
    let mut tail = gristmill();
    tail.args(["tail", topic, "--json", "--until-end", "--brokers", brokers]);
    let output = tail.output().unwrap();
    // A topic that nobody has written to is not there yet.
    if !output.status.success() {
        return BTreeSet::new();
    }
    let id = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        let task: Value = serde_json::from_str(record["value"].as_str().unwrap()).unwrap();
        task["id"].as_str().unwrap().to_owned()
    };
    succeeded(output).lines().map(id).collect()
}

fn these(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_pipelines_learn_of_each_task_and_one_that_was_stopped_catches_up() {
    let folder = copy();
    let mut host = Process::start(folder.path(), "log", &["--host", "gristmill.toml", "--api", "127.0.0.1:0"], None);
    let api = host.told("the API listens", "url");
    let brokers = host.told("running", "brokers");
    let mut remind = Process::start(folder.path(), "remind-1", &["remind.toml"], Some(&brokers));
    remind.told("running", "brokers");

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let submit = async |input: &str| {
        let body = std::fs::read(folder.path().join("input").join(input)).unwrap();
        let request = client.post(format!("{api}/v1/pipelines/tasks/jobs"));
        let request =
            request.header("content-type", "application/json").header("idempotency-key", format!("\"{input}\""));
        // The host's pipelines may still be starting.
        loop {
            let answer = request.try_clone().unwrap().body(body.clone()).send().await.unwrap();
            if answer.status() != 503 {
                assert_eq!(answer.status(), 202);
                let job: Value = answer.json().await.unwrap();
                break job["job_id"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let pump = submit("pump.json").await;
    assert_eq!(submit("pump.json").await, pump, "the same key is the same job");
    submit("someday.json").await;
    let reached = |topic: &str, expected: &[&str]| {
        until(topic, || (tasks(&brokers, topic) == these(expected)).then_some(()));
    };
    for topic in ["task.created", "task.notifications", "task.audit"] {
        reached(topic, &["T-1", "T-3"]);
    }
    reached("task.reminders", &["T-1"]);

    remind.stop();
    submit("minutes.json").await;
    for topic in ["task.notifications", "task.audit"] {
        reached(topic, &["T-1", "T-2", "T-3"]);
    }
    assert_eq!(tasks(&brokers, "task.reminders"), these(&["T-1"]), "nobody reminds for now");
    let mut remind = Process::start(folder.path(), "remind-2", &["remind.toml"], Some(&brokers));
    remind.told("running", "brokers");
    reached("task.reminders", &["T-1", "T-2"]);

    let incomplete = submit("incomplete.json").await;
    let job = async || -> Value {
        client.get(format!("{api}/v1/jobs/{incomplete}")).send().await.unwrap().json().await.unwrap()
    };
    let deadline = std::time::Instant::now() + crate::PATIENCE;
    let failed = loop {
        let job = job().await;
        if job["status"] == "failed" {
            break job;
        }
        assert!(std::time::Instant::now() < deadline, "{job:#}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(failed["error"]["code"], "validation-failed", "{failed:#}");
    assert!(failed["last_error"].as_str().unwrap().contains("assignee"), "{failed:#}");
}
