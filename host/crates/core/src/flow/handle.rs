//! Commands to a running pipeline, and its status.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::deployment::Deployment;
use crate::model::{Generation, Next, Partition};
use crate::ports::{PauseReason, Queues};

/// Speaks to the main loop of one pipeline. Cheap to clone.
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
    /// Keeps the channel open when every handle is gone.
    _sender: mpsc::UnboundedSender<Command>,
}

/// What the main loop can be told. Each is answered when it has taken effect.
#[derive(Debug)]
pub(super) enum Command {
    Pause(oneshot::Sender<()>),
    Resume(oneshot::Sender<()>),
    Swap(Arc<Deployment>, oneshot::Sender<()>),
    Status(oneshot::Sender<Status>),
}

/// The pipeline has ended, so it cannot be told anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pipeline is not running")]
pub struct NotRunning;

/// How a pipeline is at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether it takes events.
    pub intake: Intake,
    /// What keeps it from taking events for now, and for how long still: beside an operator's pause, which has no end.
    pub throttled: Option<(Duration, PauseReason)>,
    /// What is in flight.
    pub queues: Queues,
    /// The version of the deployment that new jobs begin with.
    pub deployment: u64,
    /// The partitions that are ours, in order.
    pub partitions: Vec<PartitionStatus>,
}

/// Whether events are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// Yes, while there is room.
    Open,
    /// Not until an operator resumes it.
    Paused,
    /// Not any more: what is in flight may end, then the pipeline does.
    Draining,
}

/// One partition of a running pipeline.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionStatus {
    /// Which one.
    pub partition: Partition,
    /// Since when it is ours.
    pub generation: Generation,
    /// Everything below is settled; `None` while nothing was.
    pub settled: Option<Next>,
}

impl Handle {
    /// A handle, and what the pipeline is run with. It drains when `stop` is cancelled.
    #[must_use]
    pub fn new(stop: CancellationToken) -> (Self, Commands) {
        let (commands, received) = mpsc::unbounded_channel();
        let commands_of_loop = Commands { received, stop: stop.clone(), _sender: commands.clone() };
        (Self { commands, stop }, commands_of_loop)
    }

    /// Takes no new events until [`Handle::resume`]. Jobs in flight end. Partitions are kept.
    ///
    /// # Errors
    /// When the pipeline has ended; so below.
    pub async fn pause(&self) -> Result<(), NotRunning> {
        self.tell(Command::Pause).await
    }

    /// Takes events again. Does nothing if it was not paused.
    pub async fn resume(&self) -> Result<(), NotRunning> {
        self.tell(Command::Resume).await
    }

    /// New jobs begin with this deployment; those in flight end with theirs.
    pub async fn swap(&self, deployment: Arc<Deployment>) -> Result<(), NotRunning> {
        self.tell(|done| Command::Swap(deployment, done)).await
    }

    /// How the pipeline is.
    pub async fn status(&self) -> Result<Status, NotRunning> {
        self.tell(Command::Status).await
    }

    /// Ends the pipeline: takes no new events, lets those in flight end within the drain timeout, and leaves the group.
    /// Does not wait for that.
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
    /// The next command; waits for one. Cancel-safe.
    pub(super) async fn next(&mut self) -> Command {
        match self.received.recv().await {
            Some(command) => command,
            // We hold a sender, so the channel cannot close.
            None => std::future::pending().await,
        }
    }
}
