//! What the operator configures for the state store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gristmill_core::model::Timestamp;
use gristmill_core::settings::{ByteSize, SecretError, SecretRef, Span, span};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::url::StoreUrl;

/// How long data of an ended job is kept by default.
pub const DEFAULT_KEEP_ENDED: Duration = Duration::from_secs(24 * 60 * 60);
/// How long data of an unfinished job is kept by default.
pub const DEFAULT_KEEP_UNFINISHED: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The default maximum size of the file, in bytes.
pub const DEFAULT_MAX_SIZE: u64 = 16 << 30;
/// The default maximum size of the answers that any job may reuse, in bytes.
pub const DEFAULT_MAX_ANSWERS: u64 = 1 << 30;
/// How long a host waits for its server at the start, when both may have been started together.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(30);

/// The memory of jobs: answers of models and outcomes of stages, so that a job that comes again pays for nothing twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// A server that all hosts of the pipeline share, instead of a file: `"postgres://user@host/database"`, with libpq's
    /// parameters such as `?sslmode=verify-full`, or `"redis://host:6379"`, `"rediss://…"` with TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-show" = "none: a file in `folder`"))]
    pub url: Option<StoreUrl>,
    /// The password for the server, a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretRef>,
    /// A file of certificates (PEM) to trust when the server proves who it is, instead of the system's. PostgreSQL then has
    /// to prove it unless `sslmode` says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-path" = true, "x-show" = "those of the system"))]
    pub ca: Option<PathBuf>,
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
    /// Maximum size on disk. A full store stops the pipeline: nothing is acknowledged that could not be kept. Not with
    /// `url`: a server has its own.
    #[schemars(extend("x-min" = "1MiB", "x-max" = "1024GiB"))]
    pub max_size: ByteSize,
    /// Maximum size of the answers that aliases with `cache` keep across jobs, at most a quarter of `max_size` in a file.
    /// Above it those that soon are too old go first.
    #[schemars(extend("x-min" = "1MiB", "x-max" = "1024GiB"))]
    pub max_answers: ByteSize,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            url: None,
            password: None,
            ca: None,
            folder: None,
            keep_ended: DEFAULT_KEEP_ENDED,
            keep_unfinished: DEFAULT_KEEP_UNFINISHED,
            max_size: ByteSize::bytes(DEFAULT_MAX_SIZE),
            max_answers: ByteSize::bytes(DEFAULT_MAX_ANSWERS),
        }
    }
}

/// Returns the current wall-clock time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The store of one pipeline on a server.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The password, if the server wants one.
    pub password: Option<SecretString>,
    /// A file of certificates (PEM) to trust, instead of the system's.
    pub ca: Option<PathBuf>,
    /// The pipeline's name. Pipelines on one server are told apart by it.
    pub pipeline: Arc<str>,
    /// How long data of an ended job is kept, to the minute.
    pub keep_ended: Duration,
    /// How long data of an unfinished job is kept, counted from when something of it was last kept.
    pub keep_unfinished: Duration,
    /// Maximum size of the answers that any job may reuse, in bytes.
    pub max_answers: u64,
    /// How long opening waits for a server that does not answer yet.
    pub patience: Duration,
}

impl ServerSettings {
    /// The settings of a pipeline's store, with the operator's limits. Reads the password.
    ///
    /// # Errors
    /// The password is not where it should be.
    pub fn of(decided: &StoreSettings, pipeline: &str) -> Result<Self, SecretError> {
        Ok(Self {
            password: decided.password.as_ref().map(SecretRef::read).transpose()?,
            ca: decided.ca.clone(),
            keep_ended: decided.keep_ended,
            keep_unfinished: decided.keep_unfinished,
            max_answers: decided.max_answers.get(),
            ..Self::new(pipeline)
        })
    }

    /// The settings of a pipeline's store, with the default limits and without a password.
    #[must_use]
    pub fn new(pipeline: &str) -> Self {
        Self {
            password: None,
            ca: None,
            pipeline: pipeline.into(),
            keep_ended: DEFAULT_KEEP_ENDED,
            keep_unfinished: DEFAULT_KEEP_UNFINISHED,
            max_answers: DEFAULT_MAX_ANSWERS,
            patience: DEFAULT_PATIENCE,
        }
    }
}

/// The store of one pipeline in a file.
#[derive(Clone)]
pub struct Settings {
    /// The folder of the file; created for this user alone if it is missing. On a local disk, not a network one.
    pub folder: PathBuf,
    /// The pipeline's name: letters, digits, "-", "_" and ".", not "." first. Also names the file.
    pub pipeline: Arc<str>,
    /// How long data of an ended job is kept, to the minute.
    pub keep_ended: Duration,
    /// How long data of an unfinished job is kept, counted from when something of it was last kept.
    pub keep_unfinished: Duration,
    /// Maximum size of the file in bytes, at least 64 KiB. The write-ahead log comes on top: mostly below 16 MiB.
    pub max_size: u64,
    /// Maximum size of the answers that any job may reuse, in bytes. At most a quarter of `max_size` counts.
    pub max_answers: u64,
    /// The wall clock that determines ages.
    pub clock: Clock,
}

impl Settings {
    /// The settings of a pipeline's store in this folder, with the operator's limits.
    #[must_use]
    pub fn of(decided: &StoreSettings, folder: impl Into<PathBuf>, pipeline: &str, clock: Clock) -> Self {
        Self {
            keep_ended: decided.keep_ended,
            keep_unfinished: decided.keep_unfinished,
            max_size: decided.max_size.get(),
            max_answers: decided.max_answers.get(),
            ..Self::new(folder, pipeline, clock)
        }
    }

    /// The settings of a pipeline's store in this folder, with the default limits.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, pipeline: &str, clock: Clock) -> Self {
        Self {
            folder: folder.into(),
            pipeline: pipeline.into(),
            keep_ended: DEFAULT_KEEP_ENDED,
            keep_unfinished: DEFAULT_KEEP_UNFINISHED,
            max_size: DEFAULT_MAX_SIZE,
            max_answers: DEFAULT_MAX_ANSWERS,
            clock,
        }
    }
}
