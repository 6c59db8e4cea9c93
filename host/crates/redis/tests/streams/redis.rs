//! A stream and a group on some Redis, and the cases that every broker has to pass.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gristmill_core::model::Timestamp;
use gristmill_core::ports::{Demand, Record, Sink, Source, Start};
use gristmill_redis::{Consumer, RedisSink, RedisSource, Settings, SourceSettings};
use gristmill_test_servers::Redis;
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, Value};
use tokio::runtime::Builder;

use crate::harness::{Harness, PATIENCE, Settles};

/// Above the largest record that must pass, below the one that must not.
const LONGEST_FIELD: &str = "2097152";

/// A fresh stream and a fresh group.
pub(crate) struct Streams {
    pub(crate) url: String,
    pub(crate) name: String,
    pub(crate) settings: Settings,
}

/// The server of all tests that need none of their own.
pub(crate) async fn shared() -> &'static str {
    static SHARED: OnceLock<Redis> = OnceLock::new();
    // On a thread that may wait: whoever comes first starts it for all.
    let started = tokio::task::spawn_blocking(|| {
        let start = || Builder::new_current_thread().enable_all().build().unwrap().block_on(start());
        SHARED.get_or_init(start).url()
    });
    started.await.unwrap()
}

async fn start() -> Redis {
    let server = Redis::start().await;
    let mut set = ::redis::cmd("CONFIG");
    set.arg("SET").arg("proto-max-bulk-len").arg(LONGEST_FIELD);
    set.exec_async(&mut connection(server.url()).await).await.unwrap();
    server
}

/// A connection of the test itself.
pub(crate) async fn connection(url: &str) -> MultiplexedConnection {
    let config = ::redis::AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
    ::redis::Client::open(url).unwrap().get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

impl Streams {
    /// On the shared server.
    pub(crate) async fn new() -> Self {
        Self::on(shared().await)
    }

    /// On this server. Hosts are heard often and soon taken for dead.
    pub(crate) fn on(url: &str) -> Self {
        let mut settings = Settings::new(url.parse().unwrap());
        settings.claim_after = Duration::from_secs(6);
        Self { url: url.to_owned(), name: format!("test-{:016x}", fastrand::u64(..)), settings }
    }

    /// Under this name, and no other.
    pub(crate) fn called(&self, consumer: &str) -> RedisSource {
        let settings = Settings { consumer: Consumer::Exactly(consumer.to_owned()), ..self.settings.clone() };
        self.with(&settings, Start::Earliest)
    }

    pub(crate) fn with(&self, settings: &Settings, start: Start) -> RedisSource {
        let (stream, group) = (self.name.as_str().into(), self.name.as_str().into());
        RedisSource::open(settings, SourceSettings { stream, group, start }).unwrap()
    }

    /// Runs a command, written with spaces; `S` is the stream and `G` the group.
    pub(crate) async fn run<T: FromRedisValue>(&self, command: &str) -> T {
        let mut words = command.split(' ');
        let mut sent = ::redis::cmd(words.next().unwrap());
        for word in words {
            sent.arg(if word == "S" || word == "G" { &self.name } else { word });
        }
        let answer = sent.query_async(&mut connection(&self.url).await).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// The ids that are pending, each with its consumer and how often it was delivered.
    pub(crate) async fn pending(&self) -> Vec<(String, String, u64)> {
        let rows: Vec<(String, String, u64, u64)> = self.run("XPENDING S G - + 10000").await;
        rows.into_iter().map(|(id, consumer, _, deliveries)| (id, consumer, deliveries)).collect()
    }

    /// Waits until nothing is pending.
    pub(crate) async fn until_nothing_is_pending(&self) {
        until(async || self.pending().await.is_empty(), "entries are still pending").await;
    }

    pub(crate) async fn consumers(&self) -> Vec<String> {
        let consumers: Vec<BTreeMap<String, Value>> = self.run("XINFO CONSUMERS S G").await;
        let name = |consumer: BTreeMap<String, Value>| ::redis::from_redis_value(consumer["name"].clone()).unwrap();
        consumers.into_iter().map(name).collect()
    }
}

/// Waits for a condition.
pub(crate) async fn until(mut holds: impl AsyncFnMut() -> bool, otherwise: &str) {
    let waited = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("{otherwise}"));
}

/// Why a source ends.
pub(crate) async fn end(source: &mut dyn Source) -> String {
    let ended = async {
        loop {
            if let Err(error) = source.recv(Demand::ControlOnly).await {
                return format!("{:#}", anyhow::Error::from(error));
            }
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("the source did not end")
}

/// A record without a key.
pub(crate) fn record(topic: &str, payload: &str) -> Record {
    Record {
        topic: topic.into(),
        partition: None,
        key: None,
        payload: Some(Bytes::copy_from_slice(payload.as_bytes())),
        headers: Vec::new(),
        timestamp: Timestamp(1_700_000_000_000),
    }
}

#[async_trait]
impl Harness for Streams {
    const SETTLES: Settles = Settles::Each;

    async fn fresh(_: u16) -> Self {
        Self::new().await
    }

    fn source(&self) -> Box<dyn Source> {
        Box::new(self.with(&self.settings, Start::Earliest))
    }

    fn sink(&self) -> Box<dyn Sink> {
        Box::new(RedisSink::open(&self.settings).unwrap())
    }

    fn topic(&self) -> &str {
        &self.name
    }

    async fn committed(&self) -> BTreeMap<u32, u128> {
        let groups: Vec<BTreeMap<String, Value>> = self.run("XINFO GROUPS S").await;
        let number = |value: &Value| ::redis::from_redis_value::<Option<u128>>(value.clone()).unwrap().unwrap_or(0);
        let settled = groups.first().map_or(0, |group| number(&group["entries-read"]) - number(&group["pending"]));
        if settled == 0 { BTreeMap::new() } else { BTreeMap::from([(0, settled)]) }
    }
}

gristmill_conformance::conformance! {
    Streams:
    every_event_arrives,
    unsettled_events_are_redelivered_after_a_close,
    settled_events_are_not_redelivered,
    settlements_are_committed_without_a_close,
    a_hole_is_never_committed,
    a_record_arrives_with_everything_it_has,
    the_order_of_each_key_is_kept,
    a_record_over_the_brokers_limit_is_rejected_alone,
}
