//! One line of a stage's history.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::digest::Digest;

/// What became of a version of a stage, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in milliseconds since the Unix epoch.
    pub at: u64,
    /// Which version: counted for each stage from 1, in the order in which they were first seen.
    pub version: u64,
    /// Its module.
    pub digest: Digest,
    /// What became of it.
    pub change: Change,
    /// Who or what did that.
    pub by: By,
    /// The module that the pipeline file named at that moment.
    pub file: Digest,
    /// Why. Always there if it was refused or rolled back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// What became of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was tried out and can be activated.
    Ready,
    /// New jobs run it.
    Serving,
    /// A share of the new jobs runs it.
    Canary,
    /// No new job runs it any more, and it has never served alone: the end of a canary.
    Withdrawn,
    /// It failed a step; what served before goes on.
    Refused,
}

/// Who or what changed a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The module that the pipeline file names changed, or the host started with it.
    File,
    /// Somebody sent the module.
    Push,
    /// Somebody chose a version that the host knew.
    Operator,
    /// Somebody went back to the version before.
    Rollback,
    /// The host by itself, from what it observed.
    Automatic,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Push => "push",
            Self::Operator => "operator",
            Self::Rollback => "rollback",
            Self::Automatic => "automatic",
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Serving => "serving",
            Self::Canary => "canary",
            Self::Withdrawn => "withdrawn",
            Self::Refused => "refused",
        })
    }
}
