//! What a failure of Redis means.

use redis::{ErrorKind, RedisError};

use crate::health::Failure;

/// What is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It passes.
    Passes(&'static str),
    /// It does not pass before somebody changes something.
    Stays(&'static str),
}

use Cause::{Passes, Stays};

/// The first word of an error of the server.
const CODES: &[(&str, Cause)] = &[
    ("LOADING", Passes("it starts and reads its data")),
    ("MASTERDOWN", Passes("its master is away")),
    ("READONLY", Passes("it is a replica, which takes no writes; the master must be at this address")),
    ("TRYAGAIN", Passes("it is busy")),
    ("CLUSTERDOWN", Passes("it is away")),
    ("BUSY", Passes("it is busy with a script")),
    ("OOM", Passes("its memory is full; raise maxmemory, or keep jobs for less time (store.keep_ended)")),
    ("MISCONF", Passes("it cannot write to its disk; free some space there")),
    ("NOREPLICAS", Passes("too few replicas are there (min-replicas-to-write)")),
    ("NOSCRIPT", Passes("its scripts were flushed; they are loaded again")),
    ("UNBLOCKED", Passes("a failover is under way")),
    ("NOAUTH", Stays("it wants a password; set store.password")),
    ("WRONGPASS", Stays("it does not let this user in; check the user of store.url and store.password")),
    ("NOPERM", Stays("the user may not do that; allow it all commands on the keys gristmill:*, and INFO and SCRIPT")),
    ("MOVED", Stays(CLUSTER)),
    ("ASK", Stays(CLUSTER)),
    ("CROSSSLOT", Stays(CLUSTER)),
    ("WRONGTYPE", Stays("its keys gristmill:* are of another application; name another database in store.url")),
];

/// Why a cluster will not do.
pub(super) const CLUSTER: &str =
    "it is a cluster; the state store takes a single server, with replicas if you like: name one in store.url";

/// What a failed command means for the store. It does not matter whether something was written: everything that is written
/// may be written again.
pub(super) fn failure(error: &RedisError) -> Failure {
    match error.kind() {
        ErrorKind::Io | ErrorKind::Parse => Failure::Transient(format!("the connection failed ({error})")),
        ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::AuthenticationFailed => match error.code() {
            Some(code) => by_code(code, &error.to_string()),
            None => Failure::Broken(format!("it does not let us in ({error}); check store.url and store.password")),
        },
        _ => Failure::Broken(error.to_string()),
    }
}

/// The same while a connection is opened: a server with too many connections says so in the way of an unknown error.
pub(super) fn failure_to_connect(error: &RedisError) -> Failure {
    match error.code() {
        Some("ERR") => Failure::Transient(format!("it takes no connection ({error})")),
        _ => failure(error),
    }
}

fn by_code(code: &str, message: &str) -> Failure {
    let named = CODES.iter().find(|(known, _)| *known == code).map(|(_, cause)| *cause);
    match named {
        Some(Passes(what)) => Failure::Transient(format!("{what} (\"{message}\")")),
        Some(Stays(what)) => Failure::Broken(format!("{what} (\"{message}\")")),
        None => Failure::Broken(format!("\"{message}\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_stays() {
        for (code, passes) in [
            ("LOADING", true),
            ("MASTERDOWN", true),
            ("READONLY", true),
            ("OOM", true),
            ("MISCONF", true),
            ("NOREPLICAS", true),
            ("NOSCRIPT", true),
            ("BUSY", true),
            ("NOAUTH", false),
            ("WRONGPASS", false),
            ("NOPERM", false),
            ("MOVED", false),
            ("WRONGTYPE", false),
            ("ERR", false),
        ] {
            let failure = by_code(code, "said");
            assert_eq!(matches!(&failure, Failure::Transient(_)), passes, "{code}: {failure:?}");
            let (Failure::Transient(reason) | Failure::Broken(reason)) = failure;
            assert!(reason.contains("\"said\""), "{reason}");
        }
    }

    #[test]
    fn a_lost_connection_passes() {
        let error = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert!(matches!(failure(&error), Failure::Transient(_)));
    }
}
