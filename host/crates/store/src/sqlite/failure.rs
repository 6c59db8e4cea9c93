//! What a failure of SQLite means.

use std::time::Duration;

use rusqlite::ErrorCode;

use crate::health::Failure;

/// How long a call waits for another process to release the file before it reports a transient failure.
pub(super) const HELD: Duration = Duration::from_secs(2);

/// What a failure means for the store. Only one is transient: another process held the file for too long, and nothing was
/// written. After any other, the state of the disk is unknown.
pub(super) fn failure(error: &rusqlite::Error, max_size: u64) -> Failure {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Failure::Transient(reason(error, max_size)),
        _ => Failure::Broken(reason(error, max_size)),
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
