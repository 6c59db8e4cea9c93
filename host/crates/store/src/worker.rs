//! A thread that can be joined with a timeout.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long to wait for a thread to stop.
const CLOSE: Duration = Duration::from_secs(10);

pub(super) struct Worker(JoinHandle<()>);

impl Worker {
    pub(super) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        thread::Builder::new().name(name.to_owned()).spawn(work).map(Self)
    }

    /// Waits for its end, for some seconds at most.
    pub(super) fn wait(self) {
        let until = Instant::now() + CLOSE;
        while !self.0.is_finished() {
            if Instant::now() >= until {
                tracing::warn!("the state store did not close in time; everything acknowledged is kept");
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        // A panic of the thread was already reported.
        let _ = self.0.join();
    }
}
