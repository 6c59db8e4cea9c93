//! `gristmill run` under a service manager: what a socket in place of systemd's hears.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
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
