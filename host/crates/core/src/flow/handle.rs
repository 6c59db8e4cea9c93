//! Commands to a running pipeline, and its status.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::deployment::Deployment;
use crate::model::{Generation, Next, Partition};
use crate::ports::{PauseReason, Queues};

/// Sends commands to the main loop of one pipeline. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::UnboundedSender<Command>,
    stop: CancellationToken,
}

/// The other end of a [`Handle`], for [`run`](super::run).
#[derive(Debug)]
pub struct Commands {
    received: mpsc::UnboundedReceiver<Command>,
    pub(super) stop: CancellationToken,
    /// Keeps the channel open after every handle was dropped.
    _sender: mpsc::UnboundedSender<Command>,
}

/// A command to the main loop. Each is answered once it has taken effect.
#[derive(Debug)]
pub(super) enum Command {
    Pause(oneshot::Sender<()>),
    Resume(oneshot::Sender<()>),
    Swap(Arc<Deployment>, oneshot::Sender<()>),
    Status(oneshot::Sender<Status>),
}

/// The pipeline has ended and takes no more commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pipeline is not running")]
pub struct NotRunning;

/// The state of a pipeline at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether the pipeline takes events.
    pub intake: Intake,
    /// Why it takes no events for now, and for how much longer. Separate from an operator's pause, which is open-ended.
    pub throttled: Option<(Duration, PauseReason)>,
    /// How many jobs an outage holds. They end with the deployment that they began with, which may be what is wrong.
    pub held: usize,
    /// What is in flight.
    pub queues: Queues,
    /// The version of the deployment that new jobs use.
    pub deployment: u64,
    /// The partitions we own, in order.
    pub partitions: Vec<PartitionStatus>,
}

/// Whether events are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// Yes, while there is room.
    Open,
    /// Not until an operator resumes the pipeline.
    Paused,
    /// No longer: jobs in flight may finish, and then the pipeline ends.
    Draining,
}

/// One partition of a running pipeline.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionStatus {
    /// The partition.
    pub partition: Partition,
    /// The generation in which we own it.
    pub generation: Generation,
    /// Everything below this is settled. `None` if nothing is settled yet.
    pub settled: Option<Next>,
}

impl Handle {
    /// Creates a handle, and the commands to run the pipeline with. The pipeline drains when `stop` is cancelled.
    #[must_use]
    pub fn new(stop: CancellationToken) -> (Self, Commands) {
        let (commands, received) = mpsc::unbounded_channel();
        let commands_of_loop = Commands { received, stop: stop.clone(), _sender: commands.clone() };
        (Self { commands, stop }, commands_of_loop)
    }

    /// Takes no new events until [`Handle::resume`]. Jobs in flight finish. Partitions are kept.
    ///
    /// # Errors
    /// If the pipeline has ended. The same applies to the methods below.
    pub async fn pause(&self) -> Result<(), NotRunning> {
        self.tell(Command::Pause).await
    }

    /// Takes events again. Does nothing if the pipeline was not paused.
    pub async fn resume(&self) -> Result<(), NotRunning> {
        self.tell(Command::Resume).await
    }

    /// Switches new jobs to this deployment. Jobs in flight finish with the one they started with.
    pub async fn swap(&self, deployment: Arc<Deployment>) -> Result<(), NotRunning> {
        self.tell(|done| Command::Swap(deployment, done)).await
    }

    /// The current state of the pipeline.
    pub async fn status(&self) -> Result<Status, NotRunning> {
        self.tell(Command::Status).await
    }

    /// Ends the pipeline: takes no new events, lets jobs in flight finish within the drain timeout, and leaves the
    /// group. Returns immediately.
    pub fn drain(&self) {
        self.stop.cancel();
    }

    async fn tell<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, NotRunning> {
        let (done, answer) = oneshot::channel();
        self.commands.send(command(done)).map_err(|_| NotRunning)?;
        answer.await.map_err(|_| NotRunning)
    }
}

impl Commands {
    /// Waits for the next command. Cancel-safe.
    pub(super) async fn next(&mut self) -> Command {
        match self.received.recv().await {
            Some(command) => command,
            // We hold a sender, so the channel cannot close.
            None => std::future::pending().await,
        }
    }
}
