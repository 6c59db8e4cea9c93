//! `[versions]` and `watch` of the host file.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where versions of stages are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VersionSettings {
    /// The folder of their modules and their histories.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-path" = true, "x-show" = "`versions` in the folder of state stores"))]
    pub folder: Option<PathBuf>,
    /// How many modules are kept for each stage, those that serve and that served before among them; older ones cannot be
    /// activated again. All together have at most 1 GiB, but for those two.
    #[schemars(range(min = 2, max = 1_000))]
    pub keep: NonZeroU32,
}

impl Default for VersionSettings {
    fn default() -> Self {
        Self { folder: None, keep: NonZeroU32::MIN.saturating_add(9) }
    }
}

/// Whether changed files are taken on by themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, extend("x-noun" = "choice"))]
pub enum Watch {
    /// As soon as the system tells of them; looked at every 5 s besides.
    #[default]
    On,
    /// By a look every second, for file systems of which the system tells nothing.
    Poll,
    /// No: by SIGHUP and the admin server alone.
    Off,
}
