//! Outputs and dead letters as entries of streams.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_core::ports::{Record, Sink, SinkError};
use tokio::sync::OnceCell;

use super::append::{Limits, Manner, append};
use super::client::{Client, Link};
use super::settings::{Settings, SettingsError};

/// A [`Sink`] on streams: one connection, shared by everyone who holds it.
///
/// A record counts as written when Redis has answered for it, whose own settings decide what that means after a crash. While
/// Redis is away or has no room, it is tried again for 120 s, then it fails with [`SinkError::Unavailable`].
pub struct RedisSink {
    link: Link,
    manner: Manner,
    longest: Duration,
    limits: OnceCell<Limits>,
}

impl RedisSink {
    /// Does not wait for a connection. Must be called in a runtime.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn open(settings: &Settings) -> Result<Self, SettingsError> {
        Self::of(&Client::of(settings)?, settings)
    }

    pub(super) fn of(client: &Client, settings: &Settings) -> Result<Self, SettingsError> {
        let link = client.connect(Duration::ZERO).map_err(|error| SettingsError::Client(error.to_string()))?;
        let manner = Manner { max_len: settings.max_len, creation: settings.creation };
        Ok(Self { link, manner, longest: settings.delivery_timeout, limits: OnceCell::new() })
    }
}

#[async_trait]
impl Sink for RedisSink {
    async fn deliver(&self, records: Vec<Record>) -> Result<(), SinkError> {
        let mut link = self.link.clone();
        let mut asking = self.link.clone();
        let asked = self.limits.get_or_try_init(|| async move { Limits::of(&mut asking).await }).await;
        let limits = asked.copied().unwrap_or_default();
        let mut streams: Vec<(Arc<str>, Vec<Record>)> = Vec::new();
        let mut refused = None;
        for record in records {
            let topic = Arc::clone(&record.topic);
            if let Some(reason) = limits.refusal(&record) {
                refused.get_or_insert(SinkError::Refused { topic, reason });
                continue;
            }
            match streams.iter_mut().find(|(stream, _)| *stream == topic) {
                Some((_, records)) => records.push(record),
                None => streams.push((topic, vec![record])),
            }
        }
        for (topic, records) in streams {
            let appended = append(&mut link, self.manner, &records, self.longest).await;
            appended.map_err(|source| SinkError::Unavailable { topic, source })?;
        }
        refused.map_or(Ok(()), Err)
    }
}
