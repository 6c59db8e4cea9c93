//! The Apache Kafka for tests and benchmarks: the caller's own, or one that runs as long as this process.

use std::env;
use std::mem;
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow, bail};

use crate::kafka::Kafka;
use crate::workspace::Workspace;

/// The variable with the address of the broker, read here and by the tests.
pub(crate) const VARIABLE: &str = "GRISTMILL_TEST_KAFKA";

/// A broker. One that was started here is stopped on drop, even if it is still starting.
pub(crate) struct Broker(State);

enum State {
    Given(String),
    Starting(JoinHandle<Result<Kafka>>),
    Running(Kafka),
    Failed,
}

impl Broker {
    /// Starts a broker in the background, unless the caller has named one. Downloads Kafka the first time, so callers
    /// do other work before they ask for the address.
    pub(crate) fn begin(workspace: &Workspace) -> Self {
        match env::var(VARIABLE) {
            Ok(address) if !address.is_empty() => return Self(State::Given(address)),
            _ => {}
        }
        let target = workspace.target.clone();
        Self(State::Starting(thread::spawn(move || Kafka::start(&target))))
    }

    /// Waits until the broker runs and returns its address.
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
        // Exiting while the thread is still starting the broker would leave one behind that nobody stops.
        if let State::Starting(thread) = mem::replace(&mut self.0, State::Failed) {
            drop(thread.join());
        }
    }
}
