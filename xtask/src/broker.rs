//! The Apache Kafka of the tests and figures: the caller's own, or one that lives as long as this run.

use std::env;
use std::mem;
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow, bail};

use crate::kafka::Kafka;
use crate::workspace::Workspace;

/// Names the broker that the tests use, to us and to them.
pub(crate) const VARIABLE: &str = "GRISTMILL_TEST_KAFKA";

/// A broker. One that was started here is stopped when this is dropped, also when it is still starting.
pub(crate) struct Broker(State);

enum State {
    Given(String),
    Starting(JoinHandle<Result<Kafka>>),
    Running(Kafka),
    Failed,
}

impl Broker {
    /// Begins to start one unless the caller has named one. The first time it is downloaded, so this goes on beside
    /// whatever is done until the address is asked for.
    pub(crate) fn begin(workspace: &Workspace) -> Self {
        match env::var(VARIABLE) {
            Ok(address) if !address.is_empty() => return Self(State::Given(address)),
            _ => {}
        }
        let target = workspace.target.clone();
        Self(State::Starting(thread::spawn(move || Kafka::start(&target))))
    }

    /// Waits until it runs, and gives its address.
    pub(crate) fn address(&mut self) -> Result<&str> {
        self.0 = match mem::replace(&mut self.0, State::Failed) {
            State::Starting(thread) => {
                State::Running(thread.join().map_err(|_| anyhow!("the thread that starts Kafka panicked"))??)
            }
            state => state,
        };
        match &self.0 {
            State::Given(address) => Ok(address),
            State::Running(kafka) => Ok(kafka.address()),
            State::Starting(_) | State::Failed => bail!("Apache Kafka did not start"),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Leaving while the thread is at it would leave a broker behind that nobody stops.
        if let State::Starting(thread) = mem::replace(&mut self.0, State::Failed) {
            drop(thread.join());
        }
    }
}
