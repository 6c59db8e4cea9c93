//! The address of a server that keeps a state store.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use redis::IntoConnectionInfo;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const FORM: &str = r#"write "postgres://user@host/database" or "redis://host:6379"; a password goes to store.password"#;

/// The address of a server that keeps a state store, without a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A database of PostgreSQL.
    Postgres(PostgresUrl),
    /// A Redis server.
    Redis(RedisUrl),
}

/// The address of a database, as libpq writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    text: String,
    mode: Option<TlsMode>,
}

/// When a connection to PostgreSQL is encrypted, and whether the server has to prove who it is: libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server can.
    Prefer,
    /// Encrypted. The server need not prove anything, unless certificates to trust are named.
    Require,
    /// Encrypted, and a trusted authority has signed the server's certificate.
    VerifyCa,
    /// The same, and the certificate is for this host.
    VerifyFull,
}

/// The address of a Redis server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

/// Why a text is no address of a store. The text is not repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It is of another kind.
    #[error("names no store: {FORM}")]
    Scheme,
    /// It holds a password.
    #[error(
        "holds a password, which must not stand in the file: write it as password = {{ env = \"NAME\" }} in [store]"
    )]
    Password,
    /// `sslmode` is not one of libpq's.
    #[error("has an unknown sslmode: use disable, prefer, require, verify-ca or verify-full")]
    Mode,
    /// It cannot be read.
    #[error("cannot be read ({0}): {FORM}")]
    Malformed(String),
}

impl FromStr for StoreUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(BadUrl::Scheme)?;
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = authority.split('/').next().unwrap_or(authority);
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        let mut parameters = query.split('&').filter_map(|parameter| parameter.split_once('='));
        if user.contains(':') || parameters.any(|(name, _)| name == "password" || name == "pass") {
            return Err(BadUrl::Password);
        }
        match scheme {
            "postgres" | "postgresql" => Ok(Self::Postgres(text.parse()?)),
            "redis" | "rediss" => Ok(Self::Redis(text.parse()?)),
            _ => Err(BadUrl::Scheme),
        }
    }
}

impl FromStr for PostgresUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        // The client knows fewer modes than libpq, so we read that parameter ourselves.
        let (before, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut mode, mut others) = (None, Vec::new());
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", value)) => mode = Some(TlsMode::named(value).ok_or(BadUrl::Mode)?),
                _ => others.push(parameter),
            }
        }
        let text = match others.as_slice() {
            [] => before.to_owned(),
            others => format!("{before}?{}", others.join("&")),
        };
        let url = Self { text, mode };
        url.config().map(|_| url).map_err(|error| BadUrl::Malformed(error.to_string()))
    }
}

impl PostgresUrl {
    /// Where to connect, except for TLS.
    pub(super) fn config(&self) -> Result<tokio_postgres::Config, tokio_postgres::Error> {
        self.text.parse()
    }

    /// As the address says, if it does.
    pub(super) fn mode(&self) -> Option<TlsMode> {
        self.mode
    }
}

impl TlsMode {
    const NAMES: [(&str, Self); 5] = [
        ("disable", Self::Disable),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    fn named(text: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(name, _)| *name == text).map(|(_, mode)| *mode)
    }

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, mode)| *mode == self).map_or("", |(name, _)| name)
    }
}

impl FromStr for RedisUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let url = Self(text.to_owned());
        url.connection().map(|_| url).map_err(|error| BadUrl::Malformed(error.to_string()))
    }
}

impl RedisUrl {
    /// Where to connect.
    pub(super) fn connection(&self) -> Result<redis::ConnectionInfo, redis::RedisError> {
        self.0.as_str().into_connection_info()
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        let Some(mode) = self.mode else { return Ok(()) };
        write!(f, "{}sslmode={}", if self.text.contains('?') { '&' } else { '?' }, mode.name())
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(url) => url.fmt(f),
            Self::Redis(url) => url.fmt(f),
        }
    }
}

impl Serialize for StoreUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for StoreUrl {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "StoreUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(postgres|postgresql|redis|rediss)://([^:/?#@\s]*@)?[^@\s]*$",
            "x-fault": "names no store, or holds a password",
            "x-form": FORM,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<StoreUrl, BadUrl> {
        text.parse()
    }

    #[test]
    fn addresses_come_back_as_they_were_written() {
        for text in [
            "postgres://gristmill@db.example.com:5433/state",
            "postgresql://db/state?application_name=x&sslmode=verify-full",
            "postgres:///state?host=%2Frun%2Fpostgresql",
            "postgres://db/state?sslmode=disable",
            "redis://127.0.0.1:6379",
            "redis://user@cache.example.com/2",
            "rediss://cache.example.com:6380/0",
        ] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        for text in [
            "postgres://user:canary@db/state",
            "redis://:canary@cache",
            "rediss://user:canary@cache/0",
            "postgres://db/state?user=u&password=canary",
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error, BadUrl::Password, "{text}");
            assert!(error.to_string().contains("password = { env = \"NAME\" }"), "{error}");
        }
    }

    #[test]
    fn what_names_no_store_is_refused_with_the_form() {
        for text in ["", "db", "mysql://db/state", "sqlite:///state", "postgres:/db"] {
            assert_eq!(read(text).unwrap_err(), BadUrl::Scheme, "{text:?}");
        }
        assert_eq!(read("postgres://db/state?sslmode=allow").unwrap_err(), BadUrl::Mode);
        for text in ["postgres://db/state?no_such_parameter=1", "postgres://db:port/state", "redis://cache:port"] {
            assert!(matches!(read(text), Err(BadUrl::Malformed(_))), "{text:?}: {:?}", read(text));
        }
    }
}
