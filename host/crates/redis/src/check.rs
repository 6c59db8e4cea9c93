//! What is checked before anything runs: that Redis answers, can be trusted with streams, and has those that are needed.

use std::time::Duration;

use gristmill_core::ports::{Checked, Role, Start, Topic};
use redis::{RedisError, Value};
use tokio::time::{Instant, timeout_at};

use super::access::AccessError;
use super::address::Addresses;
use super::client::{Client, Link};
use super::fault::{Meaning, is_forbidden, meaning};
use super::group::{self, Begin};
use super::settings::{Creation, Settings, SettingsError};

/// The longest that Redis is waited for.
const LONGEST: Duration = Duration::from_secs(10);
const REST: Duration = Duration::from_millis(200);
/// The first version with `XAUTOCLAIM`.
const LEAST: (u32, u32) = (6, 2);
/// A group that exists only while it creates a stream.
const CREATOR: &str = "gristmill-creator";

/// Why a pipeline cannot start on this Redis.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// It does not let us in.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// It is nothing that streams can be trusted with.
    #[error("Redis at {address} cannot be used: {reason}")]
    Unsuitable {
        /// As configured.
        address: String,
        /// Why, and what to do.
        reason: String,
    },
    /// All streams that cannot be used.
    #[error("{}", describe(.0))]
    Streams(Vec<StreamFault>),
}

/// One stream that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamFault {
    /// Its name.
    pub stream: String,
    /// Why not.
    pub reason: String,
}

fn describe(faults: &[StreamFault]) -> String {
    let mut text = String::from("these Redis streams cannot be used:");
    for StreamFault { stream, reason } in faults {
        text.push_str(&format!("\n  {stream}: {reason}"));
    }
    text
}

/// Checks the server, and creates streams that are missing.
pub(super) async fn check(client: &Client, settings: &Settings, topics: &[Topic]) -> Result<Checked, CheckError> {
    let address = settings.addresses.to_string();
    let mut link = client.connect(Duration::ZERO).map_err(|error| SettingsError::Client(error.to_string()))?;
    let mut warnings = Vec::new();
    match info(client, &mut link, &settings.addresses).await? {
        Some(texts) => {
            for text in texts {
                let server = Server::of(&text);
                if let Some(reason) = server.unsuitable(settings.addresses.are_cluster()) {
                    return Err(CheckError::Unsuitable { address, reason });
                }
                warnings.extend(server.warning());
            }
        }
        None => warnings.push(
            "this user may not run INFO: it was not checked whether Redis deletes streams when memory is short"
                .to_owned(),
        ),
    }
    warnings.dedup();
    let (mut created, mut faults) = (Vec::new(), Vec::new());
    for Topic { name, role } in topics {
        match ensure(&mut link, name, *role, settings.creation).await {
            Ok(Found::Created) => created.push(name.to_string()),
            Ok(Found::There) => {}
            Err(Unusable::No(reason)) => faults.push(StreamFault { stream: name.to_string(), reason }),
            Err(Unusable::Redis(error)) => return Err(AccessError::of(&settings.addresses, &error).into()),
        }
    }
    if faults.is_empty() { Ok(Checked { address, created, warnings }) } else { Err(CheckError::Streams(faults)) }
}

/// What each server says of itself; `None` if we may not ask. Waits for one that starts.
async fn info(client: &Client, link: &mut Link, address: &Addresses) -> Result<Option<Vec<String>>, AccessError> {
    let deadline = Instant::now() + LONGEST;
    let mut last = None;
    loop {
        let asked = redis::cmd("INFO");
        let answer = timeout_at(deadline, asked.query_async::<Value>(link)).await;
        let (error, may_pass) = match answer {
            Ok(Ok(answer)) => {
                let mut texts = Vec::new();
                collect(answer, &mut texts);
                return Ok(Some(texts));
            }
            Ok(Err(error)) if is_forbidden(&error) => return Ok(None),
            Ok(Err(error)) => {
                let error = client.reason(error).await;
                (AccessError::of(address, &error), meaning(&error) == Meaning::Later)
            }
            Err(_) => {
                let silence =
                    || AccessError::Unreachable { address: address.clone(), reason: "it says nothing".to_owned() };
                (last.take().unwrap_or_else(silence), true)
            }
        };
        if !may_pass || Instant::now() + REST >= deadline {
            return Err(error);
        }
        last = Some(error);
        tokio::time::sleep(REST).await;
    }
}

/// The texts in an answer: one of a server, or one for each node of a cluster.
fn collect(value: Value, texts: &mut Vec<String>) {
    match value {
        Value::BulkString(text) => texts.push(String::from_utf8_lossy(&text).into_owned()),
        Value::VerbatimString { text, .. } => texts.push(text),
        Value::Map(nodes) => nodes.into_iter().for_each(|(_, text)| collect(text, texts)),
        Value::Array(parts) => parts.into_iter().for_each(|part| collect(part, texts)),
        _ => {}
    }
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Server {
    version: (u32, u32),
    is_replica: bool,
    is_in_cluster: bool,
    /// The policy by which it deletes keys that do not expire when memory is short.
    evicts: Option<String>,
    appends: bool,
}

impl Server {
    fn of(info: &str) -> Self {
        let value = |key: &str| info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim);
        let mut version = value("redis_version").unwrap_or_default().split('.').map(|part| part.parse().unwrap_or(0));
        let version = (version.next().unwrap_or(0), version.next().unwrap_or(0));
        let policy = value("maxmemory_policy").filter(|policy| policy.starts_with("allkeys"));
        let bounded = value("maxmemory").is_some_and(|bytes| bytes != "0");
        Self {
            version,
            is_replica: value("role") == Some("slave"),
            is_in_cluster: value("cluster_enabled") == Some("1"),
            evicts: policy.filter(|_| bounded).map(str::to_owned),
            appends: value("aof_enabled") == Some("1"),
        }
    }

    fn unsuitable(&self, as_cluster: bool) -> Option<String> {
        let (major, minor) = self.version;
        if self.version != (0, 0) && self.version < LEAST {
            return Some(format!("it is version {major}.{minor}, and XAUTOCLAIM needs {}.{}", LEAST.0, LEAST.1));
        }
        if let Some(policy) = &self.evicts {
            return Some(format!(
                "its maxmemory-policy is {policy}, so it may delete whole streams, read or not: set noeviction or a volatile-… \
                 policy"
            ));
        }
        match (self.is_in_cluster, as_cluster) {
            (true, false) => Some(
                "it is a node of a cluster: name two nodes in url, separated by commas, or the only one twice"
                    .to_owned(),
            ),
            (false, true) => Some("it is no cluster: name one address in url".to_owned()),
            (false, false) if self.is_replica => {
                Some("it is a replica, which takes no writes: name its primary".to_owned())
            }
            _ => None,
        }
    }

    fn warning(&self) -> Option<String> {
        (!self.appends && !self.is_replica).then(|| {
            "Redis has no append-only file: what it has acknowledged is lost when it ends (set appendonly yes)"
                .to_owned()
        })
    }
}

enum Found {
    There,
    Created,
}

enum Unusable {
    No(String),
    Redis(RedisError),
}

async fn ensure(link: &mut Link, name: &str, role: Role, creation: Creation) -> Result<Found, Unusable> {
    let failed = |error: RedisError| match is_forbidden(&error) {
        true => Unusable::No(format!("this user may not use it: {error}")),
        false => Unusable::Redis(error),
    };
    let kind: String = redis::cmd("TYPE").arg(name).query_async(link).await.map_err(failed)?;
    match (kind.as_str(), creation) {
        ("stream", _) => Ok(Found::There),
        ("none", Creation::Missing) => {
            group::create(link, (name, CREATOR), Begin::At(Start::Latest), creation).await.map_err(failed)?;
            let mut destroy = redis::cmd("XGROUP");
            destroy.arg("DESTROY").arg(name).arg(CREATOR).exec_async(link).await.map_err(failed)?;
            Ok(Found::Created)
        }
        ("none", Creation::Never) => {
            let used = match role {
                Role::Source => "events are read from it",
                Role::Sink => "outputs are written to it",
                Role::DeadLetters => "dead letters are written to it",
            };
            Err(Unusable::No(format!(
                "it does not exist, and {used}: create it, or take create_streams = false out of [redis]"
            )))
        }
        (other, _) => Err(Unusable::No(format!("the key is a {other} and no stream: name another topic"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Server\r\nredis_version:7.0.15\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n\
                        role:master\r\ncluster_enabled:0\r\n";

    fn server(from: &str, to: &str) -> Server {
        assert!(GOOD.contains(from));
        Server::of(&GOOD.replace(from, to))
    }

    #[test]
    fn a_server_that_keeps_streams_is_suitable() {
        let good = Server::of(GOOD);
        assert_eq!((good.version, good.unsuitable(false), good.warning()), ((7, 0), None, None));
    }

    #[test]
    fn a_server_that_may_delete_streams_is_not() {
        let evicting = |maxmemory| {
            server(
                "maxmemory:0\r\nmaxmemory_policy:noeviction",
                &format!("maxmemory:{maxmemory}\r\nmaxmemory_policy:allkeys-lru"),
            )
        };
        assert!(evicting(100).unsuitable(false).unwrap().contains("allkeys-lru"));
        assert_eq!(evicting(0).unsuitable(false), None, "memory is never short");
        let volatile =
            server("maxmemory:0\r\nmaxmemory_policy:noeviction", "maxmemory:5\r\nmaxmemory_policy:volatile-ttl");
        assert_eq!(volatile.unsuitable(false), None, "streams do not expire");
    }

    #[test]
    fn what_else_does_not_fit_is_told() {
        assert!(server("7.0.15", "6.0.9").unsuitable(false).unwrap().contains("6.2"));
        assert!(server("role:master", "role:slave").unsuitable(false).unwrap().contains("replica"));
        assert!(server("cluster_enabled:0", "cluster_enabled:1").unsuitable(false).unwrap().contains("two nodes"));
        assert!(Server::of(GOOD).unsuitable(true).unwrap().contains("no cluster"));
        assert!(server("aof_enabled:1", "aof_enabled:0").warning().unwrap().contains("append-only"));
    }
}
