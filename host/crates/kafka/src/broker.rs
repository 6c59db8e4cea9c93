//! Kafka as a [`Broker`]: what a pipeline or a command does with it before and beside the flow of events.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;

use super::admin::{Creation, check_topics};
use super::embedded::EmbeddedBroker;
use super::groups;
use super::guarded_sink::GuardedSink;
use super::late_sink::LateSink;
use super::letters::KafkaLetters;
use super::properties::SECURITY;
use super::readers;
use super::settings::{Settings, SourceSettings};
use super::sink::KafkaSink;
use super::source::KafkaSource;
use super::tail::Tail;
use super::transactor::{KafkaTransactor, TransactionSettings};
use gristmill_core::ports::{
    Broker, Browse, Checked, Connection, Group, Guarantee, Inlet, Outlet, Records, Source as _, Subscription, Topic,
    WriteError,
};

/// How much longer than the flow a source waits at a revocation, so that it hears from a flow that drains in time.
const DRAIN_GRACE: Duration = Duration::from_secs(2);

/// A [`Broker`] on a Kafka cluster, or on the embedded broker of this process.
///
/// Each connection has a consumer and a producer of its own.
pub struct KafkaBroker {
    settings: Settings,
    creation: Option<Creation>,
    embedded: Option<Embedded>,
}

/// The broker of this process, kept running by this.
struct Embedded {
    broker: Arc<EmbeddedBroker>,
    partitions: u16,
}

impl KafkaBroker {
    /// The cluster of these settings. Missing topics are created if `creation` says how. Contacts no broker yet.
    #[must_use]
    pub fn new(settings: Settings, creation: Option<Creation>) -> Self {
        Self { settings, creation, embedded: None }
    }

    /// The embedded broker, which is kept running. Its address replaces that of the settings; their properties win over
    /// its own. Missing topics are created with this many partitions.
    #[must_use]
    pub fn embedded(broker: Arc<EmbeddedBroker>, mut settings: Settings, partitions: u16) -> Self {
        let own = broker.settings();
        settings.brokers = own.brokers;
        // It has neither TLS nor users, whatever the file of another broker says.
        settings.properties.retain(|name, _| !SECURITY.iter().any(|prefix| name.starts_with(prefix)));
        for (property, value) in own.properties {
            settings.properties.entry(property).or_insert(value);
        }
        Self { settings, creation: None, embedded: Some(Embedded { broker, partitions }) }
    }
}

#[async_trait]
impl Broker for KafkaBroker {
    async fn check(&self, topics: &[Topic]) -> anyhow::Result<Checked> {
        let Some(Embedded { broker, partitions }) = &self.embedded else {
            return Ok(check_topics(&self.settings, topics, self.creation).await?);
        };
        self.settings.check()?;
        let mut checked = Checked { address: self.settings.brokers.clone(), ..Checked::default() };
        for Topic { name, .. } in topics {
            if broker.ensure_topic(name, *partitions)? {
                checked.created.push(name.to_string());
            }
        }
        Ok(checked)
    }

    async fn connect(&self, subscription: Subscription) -> anyhow::Result<Connection> {
        let Subscription { topic, dead_letters, group, start, drain_timeout, guarantee } = subscription;
        let source = SourceSettings {
            start,
            drain_timeout: drain_timeout + DRAIN_GRACE,
            ..SourceSettings::new(&group, &[&topic])
        };
        if self.embedded.is_some() {
            readers::register(&self.settings, &topic, &group).await?;
        }
        let mut source = KafkaSource::open(&self.settings, source)?;
        let outlet = match outlet(&self.settings, &source, guarantee).await {
            Ok(outlet) => outlet,
            Err(error) => {
                // It leaves the group, which would otherwise wait for it. That it could not is the lesser error.
                let _ = source.close().await;
                return Err(error);
            }
        };
        let letters = Arc::new(KafkaLetters::new(self.settings.clone(), dead_letters));
        let mut inlet = inlet(&self.settings, topic, &outlet);
        if self.embedded.is_some() {
            inlet.sink = Arc::new(GuardedSink::new(self.settings.clone(), inlet.sink));
        }
        Ok(Connection { source: Box::new(source), outlet, letters, inlet })
    }

    async fn browse(&self, what: Browse) -> anyhow::Result<Box<dyn Records>> {
        let Browse { topic, from, until } = what;
        let tail = Tail::open(&self.settings, &topic, from, until).await;
        Ok(Box::new(tail.with_context(|| format!("cannot read topic {topic}"))?))
    }

    async fn write(
        &self,
        groups: Vec<Group>,
        reader: Option<&str>,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, WriteError> {
        groups::write(&self.settings, reader, groups, progress).await
    }
}

/// Events are written by the producer of the outputs, unless that writes in transactions only.
fn inlet(settings: &Settings, topic: Arc<str>, outlet: &Outlet) -> Inlet {
    let sink = match outlet {
        Outlet::Sink(sink) => Arc::clone(sink),
        Outlet::Transactor(_) => Arc::new(LateSink::new(settings.clone())),
    };
    Inlet { sink, events: Arc::new(KafkaLetters::new(settings.clone(), topic)) }
}

async fn outlet(settings: &Settings, source: &KafkaSource, guarantee: Guarantee) -> anyhow::Result<Outlet> {
    Ok(match guarantee {
        Guarantee::AtLeastOnce => Outlet::Sink(Arc::new(KafkaSink::open(settings)?)),
        Guarantee::ExactlyOnce { most: _, every } => {
            let transactions = TransactionSettings::new(every);
            Outlet::Transactor(Arc::new(KafkaTransactor::open(settings, source, transactions).await?))
        }
    })
}
