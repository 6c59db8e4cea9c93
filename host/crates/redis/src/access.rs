//! Why Redis does not let us do something, told to whoever configured it.

use redis::RedisError;

use super::address::Addresses;
use super::fault::{is_forbidden, is_rejection, is_unreachable};

/// Why Redis cannot be used as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// It does not answer.
    #[error("no Redis answers at {address} ({reason}); check {}", advice(address))]
    Unreachable {
        /// As configured.
        address: Addresses,
        /// The last error.
        reason: String,
    },
    /// It rejects the user or the password.
    #[error("Redis at {address} rejects the connection ({reason}); check username and password under [redis]")]
    Credentials {
        /// As configured.
        address: Addresses,
        /// In the words of Redis.
        reason: String,
    },
    /// The user lacks a right.
    #[error("this user of Redis lacks a right ({reason}); docs/redis-streams.md lists those that are needed")]
    Forbidden {
        /// In the words of Redis.
        reason: String,
    },
    /// It answers with another error.
    #[error("Redis at {address} answers with an error: {reason}")]
    Refused {
        /// As configured.
        address: Addresses,
        /// In the words of Redis.
        reason: String,
    },
}

impl AccessError {
    /// What an error of the client says.
    pub(super) fn of(address: &Addresses, error: &RedisError) -> Self {
        let (address, reason) = (address.clone(), error.to_string());
        if is_rejection(error) {
            Self::Credentials { address, reason }
        } else if is_forbidden(error) {
            Self::Forbidden { reason }
        } else if is_unreachable(error) {
            Self::Unreachable { address, reason }
        } else {
            Self::Refused { address, reason }
        }
    }
}

fn advice(address: &Addresses) -> &'static str {
    match address.are_encrypted() {
        true => "the address, whether Redis is running and takes TLS there, and the certificates in tls under [redis]",
        false => "the address, and whether Redis is running and takes connections without TLS there",
    }
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    fn told(address: &str, error: &RedisError) -> String {
        AccessError::of(&address.parse().unwrap(), error).to_string()
    }

    #[test]
    fn each_error_is_told_with_its_way_out() {
        let lost = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        let plain = told("redis://a", &lost);
        assert!(plain.contains("no Redis answers at redis://a:6379") && plain.contains("without TLS"), "{plain}");
        let encrypted = told("rediss://a", &lost);
        assert!(encrypted.contains("certificates in tls"), "{encrypted}");
        let answered = |line: &str| {
            let answer = parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
            told("redis://a", &answer.extract_error().unwrap_err())
        };
        assert!(answered("WRONGPASS invalid username-password pair").contains("check username and password"));
        assert!(answered("NOPERM no permission to run 'info'").contains("lists those that are needed"));
        assert!(answered("LOADING it reads its file").contains("answers with an error: "));
    }
}
