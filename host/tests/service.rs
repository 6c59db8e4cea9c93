//! `gristmill run` under a service manager: what a socket in place of systemd's hears.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The timeout of every wait; enough for a busy machine that compiles the stages first.
const PATIENCE: Duration = Duration::from_secs(300);

/// The socket, what was heard on it so far, and the process.
struct Service {
    socket: UnixDatagram,
    heard: Vec<String>,
    process: Child,
}

impl Service {
    /// Starts `gristmill run` with a watchdog of this patience.
    fn start(folder: &Path, patience: Duration) -> Self {
        let pipeline = folder.join("pipeline.toml");
        let text = "name = \"p\"\nkafka = { brokers = \"embedded\" }\nsource = { topic = \"in\" }\nsink = { topic = \"out\" }\n\
                    dead_letter = { topic = \"dead\" }\nstage = [{ name = \"a\", module = \"builtin:language\" }]\n";
        std::fs::write(&pipeline, text).unwrap();
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_gristmill"))
            .arg("run")
            .arg(&pipeline)
            .env("GRISTMILL_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
            .env("GRISTMILL_STATE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("state"))
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", patience.as_micros().to_string())
            .env_remove("WATCHDOG_PID")
            .env_remove("GRISTMILL_BROKERS")
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        Self { socket, heard: Vec::new(), process }
    }

    /// Waits for the next message with this line, and returns all its lines.
    fn until(&mut self, line: &str) -> Vec<String> {
        let begun = Instant::now();
        let mut buffer = [0; 4096];
        loop {
            if let Ok(length) = self.socket.recv(&mut buffer) {
                let message: Vec<String> =
                    String::from_utf8(buffer[..length].to_vec()).unwrap().lines().map(str::to_owned).collect();
                self.heard.extend(message.iter().cloned());
                if message.iter().any(|heard| heard == line) {
                    return message;
                }
            }
            assert!(begun.elapsed() < PATIENCE, "{line:?} was not heard, but {:?}", self.heard);
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[test]
fn the_service_manager_hears_of_the_start_the_progress_a_reload_and_the_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(folder.path(), Duration::from_secs(2));
    service.until("READY=1");
    assert_eq!(service.heard, ["STATUS=loading 1 pipeline", "READY=1"], "nothing before it is loaded and connected");
    for _ in 0..2 {
        assert_eq!(service.until("WATCHDOG=1"), ["WATCHDOG=1", "STATUS=1 pipeline, 0 jobs in flight"]);
    }

    service.signal("HUP");
    let reloading = service.until("RELOADING=1");
    assert!(reloading[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse::<u64>().unwrap() > 0, "{reloading:?}");
    service.until("READY=1");
    service.until("WATCHDOG=1");

    service.signal("TERM");
    service.until("STOPPING=1");
    assert_eq!(service.process.wait().unwrap().code(), Some(0));
}

/// Runs `gristmill health` against a server that gives this answer to every path. Returns the path that was asked for, the
/// exit code, and what was said.
fn health(answer: &'static str, more: &[&str]) -> (String, Option<i32>, String) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let asked = thread::spawn(move || {
        let (mut connection, _) = server.accept().unwrap();
        let mut request = [0; 1024];
        let length = connection.read(&mut request).unwrap();
        connection.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&request[..length]).split(' ').nth(1).unwrap().to_owned()
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
    let output = command.args(["health", "--url", &url]).args(more).output().unwrap();
    (asked.join().unwrap(), output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn health_says_by_its_exit_code_what_the_host_says() {
    let (path, code, said) = health("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok", &[]);
    assert_eq!((path.as_str(), code, said.as_str()), ("/livez", Some(0), ""));
    let paused = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 6\r\nconnection: close\r\n\r\npaused";
    let (path, code, said) = health(paused, &["--ready"]);
    assert_eq!((path.as_str(), code), ("/readyz", Some(1)));
    assert!(said.contains("503") && said.contains("paused"), "{said}");
}

#[test]
fn a_host_that_does_not_answer_is_not_healthy() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
    let output = command.args(["health", "--url", &format!("http://{free}")]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&format!("no host answers at http://{free}/livez")), "{said}");
}
