//! The first failure of a store is its last: after it, nobody knows what is on the disk.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use rusqlite::ErrorCode;

use gristmill_core::ports::StoreError;

/// How long a call waits for another process to let go of the file, before the failure is reported as transient.
pub(super) const HELD: Duration = Duration::from_secs(2);

/// Whether the store still works; shared by its threads and those who ask them.
pub(super) struct Health {
    path: PathBuf,
    max_size: u64,
    broken: OnceLock<String>,
}

/// What a failure of SQLite means for the store.
pub(super) enum Failure {
    /// Nothing was written, and it may be tried again.
    Transient(String),
    /// Nobody knows what is on the disk.
    Broken,
}

impl Health {
    pub(super) fn new(path: &Path, max_size: u64) -> Self {
        Self { path: path.to_owned(), max_size, broken: OnceLock::new() }
    }

    /// An error if the store failed before.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self.broken.get() {
            None => Ok(()),
            Some(reason) => Err(self.named(reason.clone())),
        }
    }

    /// Whether a failure passes. Only one does: that another process has held the file for too long. Nothing was begun then.
    pub(super) fn classify(&self, error: &rusqlite::Error) -> Failure {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Failure::Transient(reason(error, self.max_size))
            }
            _ => Failure::Broken,
        }
    }

    /// Breaks the store for good. Never again is a write tried: a disk that once did not take one may say the next time
    /// that all is well, and have forgotten it.
    pub(super) fn fail(&self, error: &rusqlite::Error) {
        let reason = reason(error, self.max_size);
        if self.broken.set(reason).is_ok() {
            tracing::error!(store = %self.path.display(), %error, "the state store does not work any more");
        }
    }

    /// Why a request was not answered.
    pub(super) fn error(&self) -> StoreError {
        let unknown = || "its thread is gone, which is a bug; start the pipeline again".to_owned();
        self.named(self.broken.get().cloned().unwrap_or_else(unknown))
    }

    /// Why a request was not answered, after a failure that passes.
    pub(super) fn transient(&self, reason: String) -> StoreError {
        StoreError::Transient { store: self.path.display().to_string(), reason }
    }

    fn named(&self, reason: String) -> StoreError {
        StoreError::Broken { store: self.path.display().to_string(), reason }
    }
}

/// What happened and how to fix it.
pub(super) fn reason(error: &rusqlite::Error, max_size: u64) -> String {
    let Some(code) = error.sqlite_error_code() else {
        return error.to_string();
    };
    match code {
        ErrorCode::DiskFull => format!(
            "it is full ({error}): the file has its {max_size} bytes (store.max_size), or its disk has no room; raise \
             store.max_size, shorten store.keep_ended, or make room on the disk, and start the pipeline again: what \
             was acknowledged is there"
        ),
        ErrorCode::SystemIoFailure => format!(
            "its disk does not work ({error}, code {}): a full disk, a quota or limit on files, or a fault; make room \
             or mend it and start the pipeline again: what was acknowledged is there",
            error.sqlite_error().map_or(0, |error| error.extended_code)
        ),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => format!(
            "another process has held it for more than {} s ({error}); only hosts of this pipeline may have it open, look \
             for others",
            HELD.as_secs()
        ),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => format!(
            "it is damaged, or no such file ({error}); move it away together with its -wal and -shm files and start \
             the pipeline again: what unfinished jobs have paid for is then paid again"
        ),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => format!(
            "it cannot be opened or written ({error}); the user of this process needs the right to read and write the \
             file and its folder"
        ),
        _ => format!("{error}; start the pipeline again, what was acknowledged is there"),
    }
}
