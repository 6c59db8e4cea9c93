//! Where Redis is: one server, or some nodes of a cluster.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Redis's own port.
const PORT: u16 = 6379;
const FORM: &str = r#"write "redis://host:port", "rediss://host:port" for TLS, or several nodes of a cluster: "redis://a:6379,b:6379""#;
const LARGEST_DATABASE: u32 = 9_999;

/// One server, or some nodes of a cluster: `redis://host:port/database` or `redis://host:port,host:port`, with `rediss` for
/// TLS. Holds no user and no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    scheme: Scheme,
    hosts: Vec<Host>,
    database: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Plain,
    Tls,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Host {
    /// IPv6 addresses in brackets.
    name: String,
    port: u16,
}

/// Why a text is no address. Does not repeat one that may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// A user or a password is in it.
    #[error(
        "a user and a password do not go into the address: they are username and password under [redis] of the pipeline file"
    )]
    Credentials,
    /// It has another form.
    #[error("\"{0}\" is no address of Redis: {FORM}")]
    Form(String),
}

impl Addresses {
    /// Whether a text is meant as an address of Redis rather than of other brokers.
    #[must_use]
    pub fn are_meant(text: &str) -> bool {
        text.starts_with("redis://") || text.starts_with("rediss://")
    }

    /// Whether they are nodes of a cluster.
    #[must_use]
    pub fn are_cluster(&self) -> bool {
        self.hosts.len() > 1
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn are_encrypted(&self) -> bool {
        self.scheme == Scheme::Tls
    }

    /// The URL of each server.
    pub(super) fn urls(&self) -> Vec<String> {
        let scheme = self.scheme.text();
        self.hosts.iter().map(|Host { name, port }| format!("{scheme}{name}:{port}/{}", self.database)).collect()
    }
}

impl Scheme {
    fn text(self) -> &'static str {
        match self {
            Self::Plain => "redis://",
            Self::Tls => "rediss://",
        }
    }
}

impl FromStr for Addresses {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if text.contains('@') {
            return Err(BadAddress::Credentials);
        }
        let bad = || BadAddress::Form(text.to_owned());
        let (scheme, rest) = match (text.strip_prefix("redis://"), text.strip_prefix("rediss://")) {
            (Some(rest), _) => (Scheme::Plain, rest),
            (None, Some(rest)) => (Scheme::Tls, rest),
            (None, None) => return Err(bad()),
        };
        let (hosts, database) = match rest.split_once('/') {
            Some((hosts, database)) => (hosts, digits(database).filter(|n| *n <= LARGEST_DATABASE).ok_or_else(bad)?),
            None => (rest, 0),
        };
        let hosts: Vec<Host> = hosts.split(',').map(host).collect::<Option<_>>().ok_or_else(bad)?;
        // A cluster has one database, and no number for it.
        if hosts.len() > 1 && rest.contains('/') {
            return Err(bad());
        }
        Ok(Self { scheme, hosts, database })
    }
}

fn host(text: &str) -> Option<Host> {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, u16::try_from(digits(port)?).ok().filter(|n| *n > 0)?),
        _ => (text, PORT),
    };
    let is_host = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)),
    };
    is_host.then(|| Host { name: name.to_owned(), port })
}

fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme.text())?;
        for (index, Host { name, port }) in self.hosts.iter().enumerate() {
            write!(f, "{}{name}:{port}", if index == 0 { "" } else { "," })?;
        }
        if self.database != 0 {
            write!(f, "/{}", self.database)?;
        }
        Ok(())
    }
}

impl Serialize for Addresses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Addresses {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "RedisAddresses".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let port = "0*(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})";
        let host = format!(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f.]*(:[0-9A-Fa-f.]*){{2,7}}\])(:{port})?");
        json_schema!({
            "type": "string",
            "pattern": format!("^rediss?://({host}/0*[0-9]{{1,4}}|{host}(,{host})*)$"),
            "x-fault": "is no address of Redis",
            "x-form": format!("{FORM}; a user and a password have keys of their own, username and password"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_as_it_is_used() {
        for (text, shown) in [
            ("redis://localhost", "redis://localhost:6379"),
            ("rediss://cache.example:6380/2", "rediss://cache.example:6380/2"),
            ("redis://a:7000,b,[::1]:7002", "redis://a:7000,b:6379,[::1]:7002"),
            ("redis://[fe80::1]", "redis://[fe80::1]:6379"),
        ] {
            let addresses: Addresses = text.parse().unwrap();
            assert_eq!(addresses.to_string(), shown);
            assert_eq!(addresses, shown.parse().unwrap());
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "localhost",
            "http://a",
            "redis://",
            "redis://a:0",
            "redis://a:65536",
            "redis://a:b",
            "redis://a/x",
            "redis://a,b/1",
            "redis://a,,b",
            "redis://a b",
            "redis://[zz]",
            "redis://a/10000",
            "redis://a?x=1",
            "redis://a#b",
        ] {
            assert!(matches!(text.parse::<Addresses>(), Err(BadAddress::Form(_))), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        let error = "redis://u:hunter2@a".parse::<Addresses>().unwrap_err();
        assert_eq!(error, BadAddress::Credentials);
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn each_server_has_its_url() {
        let addresses: Addresses = "rediss://a:1,b:2".parse().unwrap();
        assert!(addresses.are_cluster() && addresses.are_encrypted());
        assert_eq!(addresses.urls(), ["rediss://a:1/0", "rediss://b:2/0"]);
    }
}
