//! What the operator decided about the state store: plain data, made by `app` from the configuration file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gristmill_core::model::Timestamp;

/// How long things are kept of a job that has ended, where the operator says nothing.
pub const DEFAULT_KEEP_ENDED: Duration = Duration::from_secs(24 * 60 * 60);
/// How long of one that has not.
pub const DEFAULT_KEEP_UNFINISHED: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The most bytes of the file.
pub const DEFAULT_MAX_SIZE: u64 = 16 << 30;

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
