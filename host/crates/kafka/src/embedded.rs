//! Kafka without an installation: librdkafka's mock cluster as a broker in this process, in memory, for a
//! first look and for development. It keeps 5 MiB per partition, or one larger record, and silently drops the oldest
//! records beyond that; nothing may be promised on it, see [`unread`](super::unread).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rdkafka::ClientConfig;
use rdkafka::bindings::{rd_kafka_handle_mock_cluster, rd_kafka_mock_group_initial_rebalance_delay_ms};
use rdkafka::client::Client;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaType;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::log::LogOnly;
use super::readers::READERS;
use super::settings::{Settings, check_topic_name, client_error};

/// The prefix of such a cluster's id.
const CLUSTER_ID: &str = "mockCluster";
/// How long to wait after a connection that could not be accepted.
const REST: Duration = Duration::from_millis(50);
/// How long a broker may take to return its cluster's id.
const LOOKUP: Duration = Duration::from_secs(10);

/// What lets a record of 64 MiB pass, and as a dead letter too: the defaults are made for clusters, whose brokers reject
/// such records anyway.
const LARGE_RECORDS: &[(&str, &str)] = &[("message.max.bytes", "70254592"), ("queue.buffering.max.kbytes", "131072")];

/// The broker that is written to.
const LEADER: i32 = 1;
/// The broker that is read from. When a record is so large that everything before it has to go, the mock's leader takes the
/// record itself for gone, and refuses to hand it out; a follower with a low watermark of its own does not.
const FOLLOWER: i32 = 2;

/// A broker that lives as long as this value, on a free port of this machine.
pub struct EmbeddedBroker {
    client: Client<LogOnly>,
    address: String,
    /// The other ports that lead to it. A lock, because pipelines are started side by side.
    ports: Mutex<BTreeMap<NonZeroU16, AbortHandle>>,
}

impl EmbeddedBroker {
    /// Starts it.
    pub fn start() -> anyhow::Result<Self> {
        let mut config = ClientConfig::new();
        config.set("test.mock.num.brokers", "2").set_log_level(RDKafkaLogLevel::Critical);
        let native = config.create_native_config()?;
        let client = Client::new(&config, native, RDKafkaType::RD_KAFKA_PRODUCER, LogOnly)?;
        // SAFETY: the client is alive, and with it the cluster that it owns.
        #[allow(unsafe_code)]
        unsafe {
            let cluster = rd_kafka_handle_mock_cluster(client.native_ptr());
            ensure!(!cluster.is_null(), "librdkafka did not start the embedded broker");
            // By default the first member of a classic group waits 3 s for others.
            rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
        }
        let cluster = client.mock_cluster().context("librdkafka did not start the embedded broker")?;
        let brokers = cluster.bootstrap_servers();
        // Either leads to both.
        let address = brokers.split(',').next().unwrap_or_default().to_owned();
        drop(cluster);
        let broker = Self { client, address, ports: Mutex::default() };
        broker.create_topic(READERS, 1)?;
        Ok(broker)
    }

    /// Host and port, for other processes too: with the lowest port that was asked for, if one was.
    #[must_use]
    pub fn address(&self) -> String {
        match self.ports().keys().next() {
            Some(port) => format!("{}:{port}", Ipv4Addr::LOCALHOST),
            None => self.address.clone(),
        }
    }

    /// Listens on this port of the machine too, as long as the broker lives. librdkafka chooses the broker's own port, so
    /// what arrives here is passed on; clients ask here once, and hear of the other port. Must be called in a runtime.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn listen(&self, port: NonZeroU16) -> std::io::Result<()> {
        if self.ports().contains_key(&port) {
            return Ok(());
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.get())).await?;
        let task = tokio::spawn(pass_on(listener, self.address.clone()));
        self.ports().insert(port, task.abort_handle());
        Ok(())
    }

    fn ports(&self) -> MutexGuard<'_, BTreeMap<NonZeroU16, AbortHandle>> {
        // Nothing panics in the few lines under the lock.
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How to connect to it: members join without delay by the broker-side group protocol.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let properties = BTreeMap::from([("group.protocol".into(), "consumer".into())]);
        for_embedded(&Settings { brokers: self.address.clone(), properties })
    }

    /// Creates a topic with this many partitions. An existing one is left as it is.
    pub fn create_topic(&self, topic: &str, partitions: u16) -> anyhow::Result<()> {
        self.ensure_topic(topic, partitions).map(|_| ())
    }

    /// The same, and returns whether the topic was created.
    pub(super) fn ensure_topic(&self, topic: &str, partitions: u16) -> anyhow::Result<bool> {
        use rdkafka::error::{KafkaError, RDKafkaErrorCode};
        check_topic_name(topic)?;
        let cluster = self.client.mock_cluster().context("the embedded broker has stopped")?;
        let failed = || format!("cannot create topic {topic} on the embedded broker");
        match cluster.create_topic(topic, partitions.into(), 1) {
            Ok(()) => {}
            Err(KafkaError::MockCluster(RDKafkaErrorCode::TopicAlreadyExists)) => return Ok(false),
            Err(error) => return Err(error).with_context(failed),
        }
        for partition in 0..i32::from(partitions) {
            cluster.partition_leader(topic, partition, Some(LEADER)).with_context(failed)?;
            cluster.partition_follower(topic, partition, FOLLOWER).with_context(failed)?;
            cluster.follower_watermarks(topic, partition, Some(0), None).with_context(failed)?;
        }
        Ok(true)
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        for task in self.ports().values() {
            task.abort();
        }
    }
}

/// Passes connections on until it is aborted.
async fn pass_on(listener: TcpListener, address: String) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((mut client, _)) = accepted else {
                    // The client is gone already, or this process may open no more files for now.
                    tokio::time::sleep(REST).await;
                    continue;
                };
                let address = address.clone();
                open.spawn(async move {
                    let mut broker = TcpStream::connect(address).await?;
                    copy_bidirectional(&mut client, &mut broker).await
                });
            }
            Some(_) = open.join_next() => {}
        }
    }
}

/// The settings for an embedded broker; what they set already stays.
pub(super) fn for_embedded(settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    for (property, value) in LARGE_RECORDS {
        settings.properties.entry((*property).to_owned()).or_insert_with(|| (*value).to_owned());
    }
    settings
}

/// Whether these brokers are an embedded broker, of this process or another. Asks them; takes at most 10 s.
pub(super) fn is_embedded(settings: &Settings) -> anyhow::Result<bool> {
    let consumer: BaseConsumer<LogOnly> = settings.reader()?.create_with_context(LogOnly).map_err(client_error)?;
    let cluster = consumer.client().fetch_cluster_id(LOOKUP).context("no Kafka broker answers")?;
    Ok(cluster.starts_with(CLUSTER_ID))
}
