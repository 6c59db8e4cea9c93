//! Commands to a running pipeline, and its status.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::deployment::{Canary, Deployment};
use crate::model::{Generation, Next, Partition, Share, Tally};
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
    Status(oneshot::Sender<Status>),
    Change(Change),
}

/// A command that changes which deployments new jobs run.
#[derive(Debug)]
pub(super) enum Change {
    Swap(Arc<Deployment>, oneshot::Sender<()>),
    /// Answered with what tells of its end.
    Canary(Canary, oneshot::Sender<oneshot::Receiver<CanaryEnd>>),
    /// Answered with the version it was about, if there was one; so below.
    Promote(oneshot::Sender<Option<u64>>),
    Withdraw(oneshot::Sender<Option<u64>>),
}

/// Tells how a trial ends. It goes on if this is dropped.
#[derive(Debug)]
pub struct CanaryEnding(oneshot::Receiver<CanaryEnd>);

/// The end of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryEnd {
    /// The version that was on trial.
    pub version: u64,
    /// What became of it.
    pub how: CanaryEnded,
}

/// What became of a deployment on trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CanaryEnded {
    /// It serves, for this reason.
    Promoted(String),
    /// It was worse than the one that serves, in this way.
    RolledBack(String),
    /// An operator ended it.
    Withdrawn,
    /// Another deployment took its place, or that of the one it was compared with.
    Replaced,
}

impl fmt::Display for CanaryEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Promoted(reason) => write!(f, "promoted: {reason}"),
            Self::RolledBack(reason) => write!(f, "rolled back: {reason}"),
            Self::Withdrawn => f.write_str("withdrawn by an operator"),
            Self::Replaced => f.write_str("replaced by another deployment"),
        }
    }
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
    /// The version of the deployment that serves: new jobs use it, unless they are of the share of a canary.
    pub deployment: u64,
    /// The deployment on trial, if there is one.
    pub canary: Option<CanaryStatus>,
    /// All deployments that new jobs may use or whose jobs have not ended, by version.
    pub live: Vec<LiveDeployment>,
    /// The partitions we own, in order.
    pub partitions: Vec<PartitionStatus>,
}

/// A deployment on trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryStatus {
    /// Its version.
    pub version: u64,
    /// Which part of the jobs it gets.
    pub share: Share,
    /// What is known of the jobs of the one that serves, in the last minutes of the trial.
    pub stable: Tally,
    /// The same of its own.
    pub canary: Tally,
}

/// A deployment that is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveDeployment {
    /// Its version.
    pub version: u64,
    /// How many of its jobs run their stages.
    pub jobs: usize,
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

    /// Switches new jobs to this deployment. Jobs in flight finish with the one they started with. A trial ends.
    pub async fn swap(&self, deployment: Arc<Deployment>) -> Result<(), NotRunning> {
        self.tell(|done| Command::Change(Change::Swap(deployment, done))).await
    }

    /// Puts a deployment on trial: from now on it gets a share of new jobs, by their ids, or by their keys where those are in
    /// order. A job is never done by both, and a replay stays with what its job had, as long as the trial lasts. It ends when
    /// the deployment is surely worse than the one that serves, when it takes over as its terms say, or by one of the other
    /// commands. A trial that goes on already is replaced.
    pub async fn canary(&self, canary: Canary) -> Result<CanaryEnding, NotRunning> {
        self.tell(|done| Command::Change(Change::Canary(canary, done))).await.map(CanaryEnding)
    }

    /// The deployment on trial serves from now on. Returns its version; `None` if there is no trial.
    pub async fn promote(&self) -> Result<Option<u64>, NotRunning> {
        self.tell(|done| Command::Change(Change::Promote(done))).await
    }

    /// Ends the trial: no new job runs that deployment. Returns its version; `None` if there is no trial.
    pub async fn withdraw(&self) -> Result<Option<u64>, NotRunning> {
        self.tell(|done| Command::Change(Change::Withdraw(done))).await
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

impl CanaryEnding {
    /// Waits for the end of the trial. May be dropped.
    ///
    /// # Errors
    /// The pipeline has ended first, and with it the trial.
    pub async fn ended(self) -> Result<CanaryEnd, NotRunning> {
        self.0.await.map_err(|_| NotRunning)
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
