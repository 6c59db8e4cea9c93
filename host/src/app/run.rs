//! A pipeline, connected and running.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

use super::{Failure, Host, Loaded, cluster};
use gristmill_config::{self as config, Brokers, Pipeline, Start};
use gristmill_core::flow::{self, Delivery, FlowError, Letters, Limits};
use gristmill_core::model::{Target, Timestamp};
use gristmill_core::ports::Observer;
use gristmill_kafka::{
    EmbeddedBroker, KafkaSink, KafkaSource, KafkaTransactor, Settings, SourceSettings, Topic, TransactionSettings,
    check_topics,
};

/// A pipeline that is connected and has joined its group, but takes no event yet.
pub struct Running {
    source: KafkaSource,
    pipeline: Arc<flow::Pipeline>,
    shutdown: CancellationToken,
    /// How its brokers are reached.
    pub settings: Settings,
    /// The broker of this process, alive as long as it is held.
    _embedded: Option<Arc<EmbeddedBroker>>,
}

impl Running {
    /// Connects a loaded pipeline: checks its topics, joins the group. One that wants the embedded broker gets the
    /// host's.
    ///
    /// # Errors
    /// One clear reason: brokers, credentials, topics.
    pub async fn connect(
        host: &Host,
        config: &Pipeline,
        loaded: Loaded,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, Failure> {
        let mut settings = cluster::settings(config)?;
        match (&config.kafka.brokers, host.embedded()) {
            (Brokers::Embedded, Some(broker)) => {
                let own = broker.settings();
                settings.brokers = own.brokers;
                for (name, value) in own.properties {
                    settings.properties.entry(name).or_insert(value);
                }
            }
            (Brokers::Embedded, None) => {
                return Err(Failure::Running(anyhow::anyhow!("the embedded broker was not started")));
            }
            (Brokers::Addresses(_), _) => {
                let creation = cluster::creation(config);
                let topics = topics(config);
                let checked = check_topics(&settings, &topics, creation).await.map_err(anyhow::Error::new)?;
                for topic in checked.created {
                    tracing::info!(topic, "created");
                }
                for tight in checked.tight {
                    tracing::warn!("{tight}");
                }
            }
        }
        let source = KafkaSource::open(&settings, source_settings(config)).map_err(anyhow::Error::new)?;
        let delivery = delivery(config, &settings, &source).await?;
        let pipeline = flow::Pipeline {
            name: Arc::clone(&config.name),
            steps: loaded.steps,
            plan: Arc::clone(&config.plan),
            content_type: config.source.content_type.clone(),
            delivery,
            output_topic: Arc::clone(&config.sink.topic),
            letters: Letters {
                topic: Arc::clone(&config.dead_letter.topic),
                bounds: config.dead_letter.bounds,
                connect_headers: config.dead_letter.connect_headers,
            },
            order: match config.order {
                config::Order::None => flow::Order::None,
                config::Order::Key => flow::Order::Key,
                config::Order::Partition => flow::Order::Partition,
            },
            store: loaded.store,
            clock: now,
            model: loaded.model,
            observer,
            limits: limits(config),
        };
        let embedded = host.embedded().cloned();
        Ok(Self { source, pipeline: Arc::new(pipeline), shutdown: host.shutdown(), settings, _embedded: embedded })
    }

    /// The pipeline's name.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        Arc::clone(&self.pipeline.name)
    }

    /// Runs until the shutdown token is cancelled or the pipeline stops by itself.
    ///
    /// # Errors
    /// Why it stopped by itself.
    pub async fn run(mut self) -> Result<(), Failure> {
        let name = Arc::clone(&self.pipeline.name);
        let ended = flow::run(&mut self.source, Arc::clone(&self.pipeline), self.shutdown.clone()).await;
        ended.map_err(|error| {
            let policy = matches!(error, FlowError::TooManyDeadLetters { .. });
            let error = anyhow::Error::new(error).context(format!("the pipeline {name} stopped"));
            if policy { Failure::Policy(error) } else { Failure::Running(error) }
        })
    }
}

/// How outputs are written: by a sink or a transactor of the pipeline's own, whatever others this process runs.
async fn delivery(config: &Pipeline, settings: &Settings, source: &KafkaSource) -> Result<Delivery, Failure> {
    match config.delivery {
        config::Delivery::AtLeastOnce => {
            let sink = KafkaSink::open(settings).map_err(anyhow::Error::new)?;
            Ok(Delivery::AtLeastOnce(Arc::new(sink)))
        }
        config::Delivery::ExactlyOnce { most, every } => {
            let transactions = TransactionSettings::new(every);
            let transactor = KafkaTransactor::open(settings, source, transactions).await.map_err(anyhow::Error::new)?;
            let most = NonZeroUsize::try_from(most).unwrap_or(NonZeroUsize::MIN);
            Ok(Delivery::ExactlyOnce { transactor: Arc::new(transactor), most, every })
        }
    }
}

/// All topics that the pipeline reads or writes, each once.
pub(super) fn topics(config: &Pipeline) -> Vec<Topic<'_>> {
    let mut topics = vec![
        Topic::source(&config.source.topic),
        Topic::sink(&config.sink.topic),
        Topic::dead_letters(&config.dead_letter.topic),
    ];
    let targets = config.plan.nodes.iter().flat_map(|node| node.branches.values().chain([&node.next]));
    for target in targets {
        if let Target::Topic(topic) = target
            && !topics.iter().any(|known| *known.name == **topic)
        {
            topics.push(Topic::sink(topic));
        }
    }
    topics
}

fn source_settings(config: &Pipeline) -> SourceSettings {
    SourceSettings {
        start: match config.source.start {
            Start::Earliest => gristmill_kafka::Start::Earliest,
            Start::Latest => gristmill_kafka::Start::Latest,
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
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
