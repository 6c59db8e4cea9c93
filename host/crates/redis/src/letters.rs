//! Reads single dead letters back, which proves replays.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_core::model::{Event, EventId, Generation};
use gristmill_core::ports::{Letters, LettersError};
use redis::Value;

use super::client::{Client, Link};
use super::entry::{entries, id};
use super::fault::is_forbidden;
use super::fields::{Origin, event};
use super::settings::{Settings, SettingsError};

/// The dead letters in one stream.
pub struct RedisLetters {
    link: Link,
    stream: Arc<str>,
}

impl RedisLetters {
    /// Those in this stream. Does not wait for a connection. Must be called in a runtime.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn open(settings: &Settings, stream: Arc<str>) -> Result<Self, SettingsError> {
        Self::of(&Client::of(settings)?, stream)
    }

    pub(super) fn of(client: &Client, stream: Arc<str>) -> Result<Self, SettingsError> {
        let link = client.connect(Duration::ZERO).map_err(|error| SettingsError::Client(error.to_string()))?;
        Ok(Self { link, stream })
    }
}

#[async_trait]
impl Letters for RedisLetters {
    async fn find(&self, place: &EventId) -> Result<Option<Event>, LettersError> {
        if place.partition.topic != self.stream || place.partition.index != 0 {
            return Ok(None);
        }
        let id = id(place.position);
        let mut link = self.link.clone();
        let answer = redis::cmd("XRANGE").arg(&*self.stream).arg(&id).arg(&id).query_async::<Value>(&mut link).await;
        let failed = |reason: String| LettersError { reason };
        let found = match answer {
            Ok(found) => entries(found).map_err(|error| failed(error.to_string()))?,
            Err(error) if is_forbidden(&error) => {
                let stream = &*self.stream;
                tracing::warn!(
                    stream,
                    "without the right to read its dead letters no replay can be told from a forged one"
                );
                return Ok(None);
            }
            Err(error) => return Err(failed(error.to_string())),
        };
        let Some(entry) = found.into_iter().next() else { return Ok(None) };
        let origin = Origin {
            stream: Arc::clone(&self.stream),
            position: entry.position,
            generation: Generation::default(),
            deliveries: None,
        };
        Ok(entry.fields.map(|fields| event(fields, origin)))
    }
}
