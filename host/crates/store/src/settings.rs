//! What the operator decides about the state store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gristmill_core::model::Timestamp;
use gristmill_core::settings::{ByteSize, Span, span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long things are kept of a job that has ended, where the operator says nothing.
pub const DEFAULT_KEEP_ENDED: Duration = Duration::from_secs(24 * 60 * 60);
/// How long of one that has not.
pub const DEFAULT_KEEP_UNFINISHED: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The most bytes of the file.
pub const DEFAULT_MAX_SIZE: u64 = 16 << 30;

/// The memory of jobs: answers of models and outcomes of stages, so that a job that comes again pays for nothing twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// Folder on a local disk; hosts of one pipeline on the same machine may share it. Without the key:
    /// `GRISTMILL_STATE`, else `gristmill` in `XDG_STATE_HOME` or `~/.local/state`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-path" = true, "x-show" = "the user's folder for such things"))]
    pub folder: Option<PathBuf>,
    /// How long data of a job is kept after the job has ended: a replay within that time reuses it.
    #[serde(with = "span")]
    #[schemars(with = "Span", extend("x-min" = "1m", "x-max" = "8760h"))]
    pub keep_ended: Duration,
    /// How long data of an unfinished job is kept. Not below `keep_ended`.
    #[serde(with = "span")]
    #[schemars(with = "Span", extend("x-min" = "1m", "x-max" = "8760h"))]
    pub keep_unfinished: Duration,
    /// Maximum size on disk. A full store stops the pipeline: nothing is acknowledged that could not be kept.
    #[schemars(extend("x-min" = "1MiB", "x-max" = "1024GiB"))]
    pub max_size: ByteSize,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            folder: None,
            keep_ended: DEFAULT_KEEP_ENDED,
            keep_unfinished: DEFAULT_KEEP_UNFINISHED,
            max_size: ByteSize::bytes(DEFAULT_MAX_SIZE),
        }
    }
}

/// Tells the time of the day.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The store of one pipeline.
#[derive(Clone)]
pub struct Settings {
    /// Where the file is; made if it is missing, for this user alone. On a disk of this machine: not on a network.
    pub folder: PathBuf,
    /// The pipeline's name: letters, digits, "-", "_" and ".", not "." first. The file is called so.
    pub pipeline: Arc<str>,
    /// How long things are kept of a job that has ended, to the minute.
    pub keep_ended: Duration,
    /// How long of one that has not, counted from when something was last kept of it.
    pub keep_unfinished: Duration,
    /// The most bytes of the file, at least 64 KiB. The log of what was written last comes on top: mostly below 16 MiB.
    pub max_size: u64,
    /// The time of the day, by which ages are counted.
    pub clock: Clock,
}

impl Settings {
    /// A store of this pipeline with the operator's bounds, in this folder.
    #[must_use]
    pub fn of(decided: &StoreSettings, folder: impl Into<PathBuf>, pipeline: &str, clock: Clock) -> Self {
        Self {
            keep_ended: decided.keep_ended,
            keep_unfinished: decided.keep_unfinished,
            max_size: decided.max_size.get(),
            ..Self::new(folder, pipeline, clock)
        }
    }

    /// A store of this pipeline in this folder with the default bounds.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, pipeline: &str, clock: Clock) -> Self {
        Self {
            folder: folder.into(),
            pipeline: pipeline.into(),
            keep_ended: DEFAULT_KEEP_ENDED,
            keep_unfinished: DEFAULT_KEEP_UNFINISHED,
            max_size: DEFAULT_MAX_SIZE,
            clock,
        }
    }
}
