//! What the server needs from the host.

use std::fmt;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};

use super::view::HostView;

/// A host, as its admin server asks it. Every call is bounded in time, except a reload.
#[async_trait]
pub trait Control: Send + Sync + 'static {
    /// How the host is now. Its `reasons` are filled in.
    async fn view(&self) -> HostView;

    /// The metrics in Prometheus' text format.
    async fn metrics(&self) -> String;

    /// Commands a pipeline, and returns what came of it, once it has taken effect. May be dropped: the command goes on.
    async fn command(&self, pipeline: &str, command: Command) -> Result<Done, Refused>;

    /// Samples of the calls of a stage of a pipeline from now on, or of all its stages, until the pipeline ends or the
    /// stream is dropped. A stream that is read too slowly skips some.
    fn tap(&self, pipeline: &str, stage: Option<&str>) -> Result<BoxStream<'static, Tapped>, Refused>;
}

/// What an operator may tell a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// To take no new events. Jobs in flight end, partitions are kept.
    Pause,
    /// To take events again.
    Resume,
    /// To take on its changed file.
    Reload,
}

/// What came of a command: the body of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The pipeline.
    pub pipeline: String,
    /// What it does now.
    pub result: Outcome,
    /// The version of the deployment that new jobs run, if that was swapped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deployment: Option<u64>,
}

/// What a pipeline does after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It takes no events.
    Paused,
    /// It takes events.
    Resumed,
    /// New jobs run the new deployment.
    Swapped,
    /// It was drained and started again.
    Restarted,
}

/// Why the host does not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such pipeline, or it does not run.
    #[error("{0}")]
    NotFound(String),
    /// The host or the pipeline is in no state for it; later it may be.
    #[error("{0}")]
    Conflict(String),
    /// What the operator wrote is wrong: a faulty file, for example.
    #[error("{0}")]
    Faulty(String),
    /// The host is not allowed to, by its settings.
    #[error("{0}")]
    Forbidden(String),
    /// It failed.
    #[error("{0}")]
    Failed(String),
}

/// One call of a stage, as `tap` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tapped {
    /// The stage.
    pub stage: String,
    /// The job.
    pub job: String,
    /// The item that the stage got.
    pub item: TappedItem,
    /// Which attempt this was, from 1.
    pub attempt: u32,
    /// How long it took.
    pub seconds: f64,
    /// What came of it: "emitted", "dropped", "rejected", or the kind of failure.
    pub outcome: String,
    /// The stage's code of a drop, a rejection or a failure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
    /// What the stage emitted, the first ten.
    pub outputs: Vec<TappedItem>,
    /// How many it emitted.
    pub output_count: usize,
    /// How many calls were not shown before this one: to stay within the rate of samples, or because the client reads
    /// slowly.
    pub skipped: u64,
}

/// An item, as `tap` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TappedItem {
    /// Its id; of an output its branch, if it has one.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub id: String,
    /// Its media type.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content_type: Option<String>,
    /// The size of its payload.
    pub bytes: usize,
    /// The payload: as it is or redacted, by the settings of the host. Text is cut at 4 KiB.
    pub payload: String,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Reload => "reload",
        })
    }
}
