//! What an error of Redis means, by its code.

use anyhow::anyhow;
use redis::{ErrorKind, RedisError, ServerError};

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It will be possible later: Redis cannot be reached, loads its data, fails over, or has no memory or disk left.
    Later,
    /// The stream or its group is not there any more.
    Gone,
    /// It will not be possible: rights, the type of a key, an unknown command.
    Never,
}

/// What an error means.
pub(super) fn meaning(error: &RedisError) -> Meaning {
    match is_unreachable(error) || is_full(error) {
        true => Meaning::Later,
        false => error.code().map_or(Meaning::Never, of_code),
    }
}

/// The same for the answer to one command of several.
pub(super) fn meaning_of_answer(error: &ServerError) -> Meaning {
    of_code(error.code())
}

fn of_code(code: &str) -> Meaning {
    match code {
        "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "MOVED" | "ASK" | "READONLY" | "OOM" | "MISCONF"
        | "BUSY" | "NOREPLICAS" | "FAILOVER" => Meaning::Later,
        "NOGROUP" | "UNBLOCKED" => Meaning::Gone,
        _ => Meaning::Never,
    }
}

/// Whether nobody has answered.
pub(super) fn is_unreachable(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Io | ErrorKind::ClusterConnectionNotFound)
}

/// Whether there are too many connections. That is said in place of the first answer, in the way of an unknown error.
fn is_full(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.starts_with("max number of clients"))
}

/// The error without its sources, which say the same again.
pub(super) fn said(error: &RedisError) -> anyhow::Error {
    anyhow!("{error}")
}

/// Whether Redis refuses the user or the password.
pub(super) fn is_rejection(error: &RedisError) -> bool {
    error.kind() == ErrorKind::AuthenticationFailed || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
}

/// Whether the user may not do this.
pub(super) fn is_forbidden(error: &RedisError) -> bool {
    error.code() == Some("NOPERM")
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    fn answered(line: &str) -> RedisError {
        parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap().extract_error().unwrap_err()
    }

    #[test]
    fn what_passes_by_itself_is_waited_for() {
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "MISCONF Redis is configured to save RDB snapshots",
            "READONLY You can't write against a read only replica.",
            "CLUSTERDOWN Hash slot not served",
            "NOREPLICAS Not enough good replicas to write.",
            "ERR max number of clients reached",
        ] {
            assert_eq!(meaning(&answered(line)), Meaning::Later, "{line}");
        }
        let lost = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert_eq!(meaning(&lost), Meaning::Later);
    }

    #[test]
    fn a_group_that_is_gone_is_told_from_what_never_works() {
        assert_eq!(meaning(&answered("NOGROUP No such key 's' or consumer group 'g'")), Meaning::Gone);
        for line in [
            "NOPERM this user has no permissions to run the 'xadd' command",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "ERR unknown command 'XADD'",
        ] {
            assert_eq!(meaning(&answered(line)), Meaning::Never, "{line}");
        }
        assert!(is_rejection(&answered("WRONGPASS invalid username-password pair")));
        assert!(is_forbidden(&answered("NOPERM no")));
    }
}
