//! What a failure of PostgreSQL means.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use deadpool_postgres::PoolError;
use tokio_postgres::Error;

use crate::health::Failure;

/// What is in the way, by the class or the code of the server's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It passes: the server starts or ends, is full, has too many connections, or two hosts were in each other's way.
    Passes(&'static str),
    /// It does not pass before somebody changes something.
    Stays(&'static str),
}

use Cause::{Passes, Stays};

/// Codes and classes of SQLSTATE. The first that a code begins with counts.
const CODES: &[(&str, Cause)] = &[
    ("08", Passes("the connection was lost")),
    (
        "25006",
        Passes("it only answers questions, as a standby does; a server that takes writes must be at this address"),
    ),
    ("25P03", Passes("this host was too slow in the middle of a transaction")),
    ("28", Stays("it does not let this user in; check the user of store.url, store.password and pg_hba.conf")),
    ("3D000", Stays("it has no such database; create it, or correct store.url")),
    ("40", Passes("two hosts were in each other's way")),
    ("42501", Stays("the user may not do that; give it the schema gristmill and its tables")),
    ("42", Stays("its tables are not those that Gristmill made; do not change the schema gristmill")),
    ("53100", Passes("its disk is full; free some space")),
    ("53300", Passes("it has too many connections; raise max_connections, or run fewer hosts")),
    ("53", Passes("it lacks resources")),
    ("55P03", Passes("another host held a row for too long")),
    ("57014", Passes("it took too long")),
    ("57P01", Passes("it is being stopped")),
    ("57P02", Passes("it restarts after a crash")),
    ("57P03", Passes("it is starting")),
    ("57P04", Stays("the database was dropped")),
    ("57P05", Passes("the connection was idle for too long")),
    ("58", Stays("its disk or operating system failed")),
    ("XX", Stays("it is damaged, or has a bug")),
];

/// What a failed statement or connection means for the store. It does not matter whether something was written: everything
/// that is written may be written again.
pub(super) fn failure(error: &Error) -> Failure {
    if let Some(code) = error.code() {
        let message = error.as_db_error().map_or("", |error| error.message());
        return by_code(code.code(), message);
    }
    let text = chain(error);
    if error.is_closed() || has_io_error(error) || is_cut_off(&text) {
        return Failure::Transient(format!("the connection failed ({text})"));
    }
    Failure::Broken(format!("{text}; check store.url and the settings of the server"))
}

/// The same for a connection that the pool could not give.
pub(super) fn pool_failure(error: &PoolError) -> Failure {
    match error {
        PoolError::Backend(error) => failure(error),
        PoolError::Timeout(_) => Failure::Transient("there was no connection in time".to_owned()),
        PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            Failure::Broken(error.to_string())
        }
    }
}

/// The server did not answer within this time.
pub(super) fn no_answer(time: Duration) -> Failure {
    Failure::Transient(format!("no answer within {} s", time.as_secs()))
}

fn by_code(code: &str, message: &str) -> Failure {
    let named = CODES.iter().find(|(class, _)| code.starts_with(class)).map(|(_, cause)| *cause);
    match named {
        Some(Passes(what)) => Failure::Transient(format!("{what} (\"{message}\", {code})")),
        Some(Stays(what)) => Failure::Broken(format!("{what} (\"{message}\", {code})")),
        None => Failure::Broken(format!("\"{message}\" ({code})")),
    }
}

/// Whether a socket, a name or a timeout is the cause.
fn has_io_error(error: &Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<io::Error>() {
            return true;
        }
        source = cause.source();
    }
    false
}

/// Whether the server went away during a handshake for TLS. OpenSSL tells that by its text only, which differs by its version.
fn is_cut_off(text: &str) -> bool {
    text.to_ascii_lowercase().contains("unexpected eof")
}

/// The error with its causes.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_stays() {
        for (code, passes) in [
            ("08006", true),
            ("08P01", true),
            ("25006", true),
            ("25P03", true),
            ("28000", false),
            ("28P01", false),
            ("3D000", false),
            ("40001", true),
            ("40P01", true),
            ("42501", false),
            ("42P01", false),
            ("42703", false),
            ("53100", true),
            ("53200", true),
            ("53300", true),
            ("55P03", true),
            ("57014", true),
            ("57P01", true),
            ("57P02", true),
            ("57P03", true),
            ("57P04", false),
            ("57P05", true),
            ("58030", false),
            ("22021", false),
            ("23505", false),
            ("XX001", false),
            ("P0001", false),
        ] {
            let failure = by_code(code, "said");
            assert_eq!(matches!(&failure, Failure::Transient(_)), passes, "{code}: {failure:?}");
            let (Failure::Transient(reason) | Failure::Broken(reason)) = failure;
            assert!(reason.contains("\"said\"") && reason.contains(code), "{reason}");
        }
    }
}
