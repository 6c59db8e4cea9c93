//! A pipeline, connected and running.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::{Failure, Loaded, cluster};
use crate::config::{Brokers, Pipeline, Start};
use crate::flow::{self, Delivery, Letters, Limits};
use crate::kafka::{EmbeddedBroker, KafkaSink, KafkaSource, Settings, SourceSettings, Topic, check_topics};
use crate::model::Timestamp;
use crate::ports::Observer;

/// Partitions of each topic of the embedded broker, where the file says nothing.
const EMBEDDED_PARTITIONS: u16 = 1;

/// A pipeline that is connected and has joined its group, but takes no event yet.
pub struct Running {
    source: KafkaSource,
    pipeline: Arc<flow::Pipeline>,
    shutdown: CancellationToken,
    /// How its brokers are reached.
    pub settings: Settings,
    /// The broker of this process, alive as long as it is held.
    _embedded: Option<EmbeddedBroker>,
}

impl Running {
    /// Connects a loaded pipeline: starts the embedded broker if it wants that, checks topics, joins the group.
    ///
    /// # Errors
    /// One clear reason: brokers, credentials, topics.
    pub async fn connect(
        config: &Pipeline,
        loaded: Loaded,
        observer: Arc<dyn Observer>,
        shutdown: CancellationToken,
    ) -> Result<Self, Failure> {
        let mut settings = cluster::settings(config)?;
        let topics = [
            Topic::source(&config.source.topic),
            Topic::sink(&config.sink.topic),
            Topic::dead_letters(&config.dead_letter.topic),
        ];
        let creation = cluster::creation(config);
        let mut embedded = None;
        match config.kafka.brokers {
            Brokers::Embedded => {
                let broker = EmbeddedBroker::start().context("the embedded broker cannot start")?;
                for topic in topics.map(|topic| topic.name) {
                    let partitions = creation.map_or(EMBEDDED_PARTITIONS, |creation| creation.partitions);
                    broker.create_topic(topic, partitions).with_context(|| format!("the topic {topic}"))?;
                }
                let own = broker.settings();
                settings.brokers = own.brokers;
                for (name, value) in own.properties {
                    settings.properties.entry(name).or_insert(value);
                }
                embedded = Some(broker);
            }
            Brokers::Addresses(_) => {
                let checked = check_topics(&settings, &topics, creation).await.map_err(anyhow::Error::new)?;
                for topic in checked.created {
                    tracing::info!(topic, "created");
                }
                for tight in checked.tight {
                    tracing::warn!("{tight}");
                }
            }
        }
        let sink = KafkaSink::open(&settings).map_err(anyhow::Error::new)?;
        let source = KafkaSource::open(&settings, source_settings(config)).map_err(anyhow::Error::new)?;
        let pipeline = flow::Pipeline {
            name: Arc::clone(&config.name),
            steps: loaded.steps,
            plan: Arc::clone(&config.plan),
            content_type: config.source.content_type.clone(),
            delivery: Delivery::AtLeastOnce(Arc::new(sink)),
            output_topic: Arc::clone(&config.sink.topic),
            letters: Letters {
                topic: Arc::clone(&config.dead_letter.topic),
                bounds: config.dead_letter.bounds,
                connect_headers: config.dead_letter.connect_headers,
            },
            order: flow::Order::None,
            store: None,
            clock: now,
            model: loaded.model,
            observer,
            limits: limits(config),
        };
        Ok(Self { source, pipeline: Arc::new(pipeline), shutdown, settings, _embedded: embedded })
    }

    /// Runs until the shutdown token is cancelled or the pipeline stops by itself.
    ///
    /// # Errors
    /// Why it stopped by itself.
    pub async fn run(mut self) -> Result<(), Failure> {
        let name = Arc::clone(&self.pipeline.name);
        let ended = flow::run(&mut self.source, Arc::clone(&self.pipeline), self.shutdown.clone()).await;
        ended.with_context(|| format!("the pipeline {name} stopped")).map_err(Failure::Running)
    }
}

fn source_settings(config: &Pipeline) -> SourceSettings {
    SourceSettings {
        start: match config.source.start {
            Start::Earliest => crate::kafka::Start::Earliest,
            Start::Latest => crate::kafka::Start::Latest,
        },
        // The flow gives up its jobs at its own time-out; the source waits a little longer to hear of it.
        drain_timeout: config.limits.drain_timeout + std::time::Duration::from_secs(2),
        ..SourceSettings::new(&config.source.group, &[&config.source.topic])
    }
}

fn limits(config: &Pipeline) -> Limits {
    let number = |number| NonZeroUsize::try_from(number).unwrap_or(NonZeroUsize::MIN);
    Limits {
        jobs: number(config.limits.max_in_flight),
        bytes: NonZeroUsize::new(config.limits.max_in_flight_bytes.as_usize()).unwrap_or(NonZeroUsize::MIN),
        items_per_job: number(config.limits.items_in_flight),
        job_bytes: NonZeroUsize::new(config.limits.max_job_bytes.as_usize()).unwrap_or(NonZeroUsize::MIN),
        drain_timeout: config.limits.drain_timeout,
    }
}

/// The time of the day.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
