//! A server process that cannot outlive the test, can be killed, and is started again on the same port and files.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A start takes less than a second on an idle machine. After a kill, a server reads its logs first.
const START: Duration = Duration::from_secs(120);
const LOG_LINES_SHOWN: usize = 20;

/// Ends the server that was named last and deletes its folder when standard input ends. The system closes that pipe
/// however the test ends, so no server outlives it. A signal comes first that lets a server free what it shares.
const GUARD: &str = r#"trap "" INT TERM HUP
while read -r line; do pid=$line; done
kill -QUIT $pid 2>/dev/null
n=0
while [ -n "$pid" ] && kill -0 $pid 2>/dev/null && [ $n -lt 30 ]; do n=$((n + 1)); sleep 0.1; done
kill -KILL $pid 2>/dev/null
rm -rf "$1""#;

/// A running server, with its folder.
pub(crate) struct Process {
    server: Child,
    guard: Child,
    folder: TempDir,
    port: u16,
}

impl Process {
    /// Starts a program, whose files are in the folder. `install` is the command that installs a missing one.
    pub(crate) fn start(mut command: Command, folder: TempDir, port: u16, install: &str) -> Self {
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "server-guard"]).arg(folder.path());
        // In a group of its own: what ends the test's group does not end the guard.
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut guard = guard.spawn().expect("sh starts");
        let server = spawn(&mut command, folder.path(), &mut guard, install);
        Self { server, guard, folder, port }
    }

    /// Starts the program again after a kill.
    pub(crate) fn start_again(&mut self, mut command: Command, install: &str) {
        self.server = spawn(&mut command, self.folder.path(), &mut self.guard, install);
    }

    /// Kills the server and its child processes, which have no time to finish anything.
    pub(crate) fn kill(&mut self) {
        let pid = self.server.id().to_string();
        let mut kill = Command::new("sh");
        kill.args(["-c", r#"kill -KILL "$@" 2>/dev/null"#, "kill", &pid]).args(children(&pid));
        // It fails for those that have ended meanwhile.
        let _ = kill.status();
        let _ = self.server.wait();
    }

    /// Waits until the server answers.
    ///
    /// # Panics
    /// With the end of the server's log if it ends, or does not answer within two minutes.
    pub(crate) async fn until(&mut self, mut answers: impl AsyncFnMut() -> bool) {
        let deadline = Instant::now() + START;
        while !answers().await {
            let ended = self.server.try_wait().unwrap();
            if ended.is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(log(self.folder.path())).unwrap_or_default();
                let shown = log.lines().count().saturating_sub(LOG_LINES_SHOWN);
                let end: Vec<&str> = log.lines().skip(shown).collect();
                panic!("the server did not start ({ended:?}); the end of its log:\n{}", end.join("\n"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // An error means that there is nothing left to wait for.
        let _ = self.server.wait();
        let _ = self.guard.wait();
    }
}

fn spawn(command: &mut Command, folder: &Path, guard: &mut Child, install: &str) -> Child {
    let log = File::options().create(true).append(true).open(log(folder)).unwrap();
    command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let server = command.spawn().unwrap_or_else(|error| missing(command.get_program().as_ref(), &error, install));
    writeln!(guard.stdin.as_mut().unwrap(), "{}", server.id()).unwrap();
    server
}

/// Fails the test for want of a program.
pub(crate) fn missing(program: &Path, error: &std::io::Error, install: &str) -> ! {
    panic!("cannot start {} ({error}); install it with: {install}", program.display())
}

fn log(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// The child processes of a process, by the table of the system.
fn children(parent: &str) -> Vec<String> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        // The name of the program, in parentheses, may hold anything; the state and the parent follow it.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
        if after.split(' ').nth(1) == Some(parent) {
            children.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    children
}

/// A port that is free now, below those that the system gives to clients: one that tries to connect while the server is
/// down must not take its port.
#[must_use]
pub fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(15_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
