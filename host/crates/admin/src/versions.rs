//! What the server tells of the versions of stages, and takes: the bodies of the paths below `/versions` and `/history`.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gristmill_core::model::Share;
use serde::{Deserialize, Serialize};

use super::control::Refused;

/// The versions of a host's stages, as its admin server asks for them. A push and a change take as long as a module takes to
/// compile. Either may be dropped: it goes on.
#[async_trait]
pub trait Versions: Send + Sync + 'static {
    /// The versions of a stage of a pipeline, or of all its stages.
    async fn versions(&self, pipeline: &str, stage: Option<&str>) -> Result<VersionList, Refused>;

    /// What became of the versions of a stage, the oldest entry first.
    async fn history(&self, pipeline: &str, stage: &str) -> Result<History, Refused>;

    /// Takes a module as a version of a stage.
    async fn push(&self, pipeline: &str, stage: &str, pushed: Pushed) -> Result<VersionDone, Refused>;

    /// Changes which version serves.
    async fn change(&self, pipeline: &str, stage: &str, change: VersionChange) -> Result<VersionDone, Refused>;
}

/// A module that somebody sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Its bytes, which have the digest that the sender stated.
    pub wasm: Bytes,
    /// What to do with it once it was tried out.
    pub activate: Activate,
}

/// What becomes of a version that was tried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activate {
    /// It is kept.
    No,
    /// All new jobs run it.
    Now,
    /// A share of them does.
    Canary(Trial),
}

/// How a version is tried on a share of the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// Of which part of the jobs.
    pub share: Share,
    /// After how long it serves by itself if it is not worse. `None`: an operator decides.
    pub promote_after: Option<Duration>,
}

/// Which version is to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionChange {
    /// This one.
    Activate {
        /// Its number, or at least the first eight digits of its digest.
        version: String,
        /// How; never [`Activate::No`].
        activate: Activate,
    },
    /// The one that served before; or, if a canary runs, the one beside it alone.
    Rollback,
}

/// What came of a push or a change: the body of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionDone {
    /// The pipeline.
    pub pipeline: String,
    /// The stage.
    pub stage: String,
    /// The version that was taken on, or serves again.
    pub version: u64,
    /// SHA-256 of its module, in hexadecimal.
    pub digest: String,
    /// What it does now.
    pub state: VersionState,
    /// The version of the deployment with it, if jobs run it from now on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deployment: Option<u64>,
}

/// The body of `GET …/versions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionList {
    /// The pipeline.
    pub pipeline: String,
    /// Its stages, in the order of its file.
    pub stages: Vec<StageVersions>,
}

/// The versions of a stage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageVersions {
    /// The stage.
    pub stage: String,
    /// The module that its file names.
    pub module: String,
    /// Its versions, in the order in which they were first seen.
    pub versions: Vec<VersionView>,
}

/// A version of a stage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionView {
    /// Counted from 1 for each stage.
    pub version: u64,
    /// SHA-256 of its module, in hexadecimal.
    pub digest: String,
    /// Its state.
    pub state: VersionState,
    /// How it first came here: "file", "push", "operator", "rollback" or "automatic".
    pub by: String,
    /// Since when it is in this state, by RFC 3339.
    pub since: String,
    /// Whether it is what the pipeline file names.
    pub file: bool,
    /// Whether its module is at hand, so that it can be activated.
    pub kept: bool,
    /// The part of the jobs that a canary gets.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub share: Option<String>,
    /// Why it is in this state.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// The state of a version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// It was tried out and can be activated.
    #[default]
    Ready,
    /// New jobs run it.
    Serving,
    /// A share of the new jobs runs it.
    Canary,
    /// It served before, or was a canary.
    Retired,
    /// It failed a step.
    Refused,
}

impl VersionState {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Serving => "serving",
            Self::Canary => "canary",
            Self::Retired => "retired",
            Self::Refused => "refused",
        }
    }
}

/// The body of `GET …/history`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The pipeline.
    pub pipeline: String,
    /// The stage.
    pub stage: String,
    /// The oldest first.
    pub entries: Vec<HistoryEntry>,
}

/// What became of a version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When, by RFC 3339.
    pub at: String,
    /// Which version.
    pub version: u64,
    /// SHA-256 of its module, in hexadecimal.
    pub digest: String,
    /// What became of it: "ready", "serving", "canary", "withdrawn" or "refused".
    pub change: String,
    /// Who or what did that: "file", "push", "operator", "rollback" or "automatic".
    pub by: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}
