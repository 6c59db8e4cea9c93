//! Whether a store still works. The first permanent failure breaks it for good: the state of the disk is then unknown.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use rusqlite::ErrorCode;

use gristmill_core::ports::StoreError;

/// How long a call waits for another process to release the file before it reports a transient failure.
pub(super) const HELD: Duration = Duration::from_secs(2);

/// Whether the store still works. Shared by its threads and their callers.
pub(super) struct Health {
    path: PathBuf,
    max_size: u64,
    broken: OnceLock<String>,
}

/// What a failure of SQLite means for the store.
pub(super) enum Failure {
    /// Nothing was written, and the call may be retried.
    Transient(String),
    /// The state of the disk is unknown.
    Broken,
}

impl Health {
    pub(super) fn new(path: &Path, max_size: u64) -> Self {
        Self { path: path.to_owned(), max_size, broken: OnceLock::new() }
    }

    /// Returns an error if the store is broken.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self.broken.get() {
            None => Ok(()),
            Some(reason) => Err(self.named(reason.clone())),
        }
    }

    /// Classifies a failure. Only one is transient: another process held the file for too long, and nothing was
    /// written.
    pub(super) fn classify(&self, error: &rusqlite::Error) -> Failure {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Failure::Transient(reason(error, self.max_size))
            }
            _ => Failure::Broken,
        }
    }

    /// Marks the store as broken for good. No write is tried again: a disk that failed once may report success the next
    /// time and still have lost the data.
    pub(super) fn fail(&self, error: &rusqlite::Error) {
        let reason = reason(error, self.max_size);
        if self.broken.set(reason).is_ok() {
            tracing::error!(store = %self.path.display(), %error, "the state store is broken");
        }
    }

    /// The error for a request that was not answered.
    pub(super) fn error(&self) -> StoreError {
        let unknown = || "its thread has stopped, which is a bug; start the pipeline again".to_owned();
        self.named(self.broken.get().cloned().unwrap_or_else(unknown))
    }

    /// The error for a request that failed transiently.
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
            "it is full ({error}): the file has reached {max_size} bytes (store.max_size), or its disk is full; raise \
             store.max_size, shorten store.keep_ended, or free disk space, and start the pipeline again: everything \
             acknowledged is kept"
        ),
        ErrorCode::SystemIoFailure => format!(
            "its disk failed ({error}, code {}): a full disk, a quota or limit on files, or a fault; free disk space \
             or fix the disk and start the pipeline again: everything acknowledged is kept",
            error.sqlite_error().map_or(0, |error| error.extended_code)
        ),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => format!(
            "another process held it for more than {} s ({error}); only hosts of this pipeline may have it open, so \
             look for other processes",
            HELD.as_secs()
        ),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => format!(
            "it is damaged, or no such file ({error}); move it away together with its -wal and -shm files and start \
             the pipeline again: unfinished jobs then pay again for what they had paid for"
        ),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => format!(
            "it cannot be opened or written ({error}); the user of this process needs read and write permission \
             for the file and its folder"
        ),
        _ => format!("{error}; start the pipeline again: everything acknowledged is kept"),
    }
}
