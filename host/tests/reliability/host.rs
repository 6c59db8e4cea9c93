//! A process of the binary under test, and the signals it is sent.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};

/// How many lines of its log a failing test shows.
const SHOWN: usize = 60;

/// The binary, with a cache of compiled stages that all tests share.
pub(crate) fn gristmill() -> Command {
    with_environment(Command::new(env!("CARGO_BIN_EXE_gristmill")))
}

/// Sets the environment of the binary under test.
pub(crate) fn with_environment(mut command: Command) -> Command {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    command
        .env("GRISTMILL_CACHE", cache)
        .env("GRISTMILL_STATE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("state"))
        .env_remove("GRISTMILL_BROKERS")
        .env_remove("RUST_LOG");
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    command
}

/// A running host.
pub(crate) struct Host {
    child: Child,
    log: PathBuf,
}

impl Host {
    pub(crate) fn start(file: &Path, log: PathBuf) -> Self {
        Self::spawn(gristmill().arg("run").arg(file), log)
    }

    /// The same with a host file.
    pub(crate) fn start_as(file: &Path, host: &Path, log: PathBuf) -> Self {
        Self::spawn(gristmill().arg("run").arg(file).arg("--host").arg(host), log)
    }

    fn spawn(command: &mut Command, log: PathBuf) -> Self {
        let errors = std::fs::File::create(&log).unwrap();
        let child = command.stderr(errors).spawn().unwrap();
        Self { child, log }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("the host has ended")
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

    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Fails if it has ended.
    pub(crate) fn must_live(&mut self, when: &str) {
        if let Some(status) = self.has_ended() {
            panic!("the host ended {when} ({status}):\n{}", self.last_words());
        }
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

    /// Waits until it ends and returns its exit code, or `None` if a signal ended it. Fails after `within`.
    pub(crate) async fn end(&mut self, within: Duration) -> Option<i32> {
        match tokio::time::timeout(within, self.child.wait()).await {
            Ok(status) => status.unwrap().code(),
            Err(_) => panic!("the host did not end within {within:?}:\n{}", self.last_words()),
        }
    }

    /// Sends SIGTERM and returns the exit code.
    pub(crate) async fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM").await;
        self.end(Duration::from_secs(60)).await
    }
}
