//! Redis as a [`Broker`]: what a pipeline or a command does with it before and beside the flow of events.

use std::sync::Arc;

use anyhow::bail;
use async_trait::async_trait;
use gristmill_core::ports::{
    Broker, Browse, Checked, Connection, Group, Guarantee, Inlet, Outlet, Records, Sink, Subscription, Topic,
    WriteError,
};

use super::browse::Browser;
use super::check::check;
use super::client::Client;
use super::letters::RedisLetters;
use super::settings::{Settings, SettingsError};
use super::sink::RedisSink;
use super::source::{RedisSource, SourceSettings};
use super::write::write;

/// A [`Broker`] on a Redis server or cluster, whose streams are the topics. Each connection of a pipeline has sockets of its
/// own.
pub struct RedisBroker {
    settings: Settings,
    client: Client,
}

impl RedisBroker {
    /// Contacts nothing yet.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let client = Client::of(&settings)?;
        Ok(Self { settings, client })
    }
}

#[async_trait]
impl Broker for RedisBroker {
    async fn check(&self, topics: &[Topic]) -> anyhow::Result<Checked> {
        Ok(check(&self.client, &self.settings, topics).await?)
    }

    async fn connect(&self, subscription: Subscription) -> anyhow::Result<Connection> {
        let Subscription { topic, dead_letters, group, start, drain_timeout: _, guarantee } = subscription;
        match guarantee {
            Guarantee::AtLeastOnce => {}
            Guarantee::ExactlyOnce { .. } => {
                bail!("Redis cannot deliver exactly once: use delivery = \"at-least-once\"")
            }
        }
        let sink = RedisSink::of(&self.client, &self.settings)?;
        let sink: Arc<dyn Sink> = Arc::new(sink);
        let letters = RedisLetters::of(&self.client, dead_letters)?;
        let events = RedisLetters::of(&self.client, Arc::clone(&topic))?;
        let inlet = Inlet { sink: Arc::clone(&sink), events: Arc::new(events) };
        let source = SourceSettings { stream: topic, group, start };
        let source = RedisSource::of(&self.client, &self.settings, source)?;
        Ok(Connection { source: Box::new(source), outlet: Outlet::Sink(sink), letters: Arc::new(letters), inlet })
    }

    async fn browse(&self, what: Browse) -> anyhow::Result<Box<dyn Records>> {
        Ok(Box::new(Browser::open(&self.client, &self.settings.addresses, what).await?))
    }

    async fn write(
        &self,
        groups: Vec<Group>,
        _: Option<&str>,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, WriteError> {
        write(&self.client, &self.settings, groups, progress).await
    }
}
