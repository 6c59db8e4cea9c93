//! A producer that is opened when somebody first writes: few need it, and it costs a thread and connections.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::settings::Settings;
use super::sink::KafkaSink;
use gristmill_core::ports::{Record, Sink, SinkError};

/// A [`KafkaSink`] that is opened late.
pub(super) struct LateSink {
    settings: Settings,
    sink: OnceCell<KafkaSink>,
}

impl LateSink {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, sink: OnceCell::new() }
    }
}

#[async_trait]
impl Sink for LateSink {
    async fn deliver(&self, records: Vec<Record>) -> Result<(), SinkError> {
        let Some(first) = records.first() else { return Ok(()) };
        let unavailable =
            |error| SinkError::Unavailable { topic: Arc::clone(&first.topic), source: anyhow::Error::new(error) };
        let sink = self.sink.get_or_try_init(async || KafkaSink::open(&self.settings)).await.map_err(unavailable)?;
        sink.deliver(records).await
    }
}
