//! One pipeline: its topics, and how it is wired to its broker.

use std::num::NonZeroUsize;
use std::sync::Arc;

use gristmill_config::{self as config, Pipeline};
use gristmill_core::flow::{self, DeadLetters, Delivery, Limits};
use gristmill_core::model::Target;
use gristmill_core::ports::{
    Broker, Connection, Guarantee, Observer, Outlet, Role, Source, Start, Store, Subscription, Topic,
};

use super::clock;
use super::failure::Failure;

/// A pipeline that is connected and has joined its group, but takes no event yet.
pub(super) struct Wired {
    pub(super) source: Box<dyn Source>,
    pub(super) pipeline: Arc<flow::Pipeline>,
}

/// What a pipeline is wired with.
pub(super) struct Wiring<'a> {
    pub(super) broker: &'a dyn Broker,
    pub(super) store: Option<Arc<dyn Store>>,
    pub(super) observer: Arc<dyn Observer>,
}

impl Wiring<'_> {
    /// Joins the group of a pipeline whose topics were checked.
    ///
    /// # Errors
    /// One clear reason: brokers, credentials, topics.
    pub(super) async fn connect(self, config: &Pipeline) -> Result<Wired, Failure> {
        let guarantee = guarantee(config);
        let Connection { source, outlet } = self.broker.connect(subscription(config, guarantee)).await?;
        let delivery = match (outlet, guarantee) {
            (Outlet::Transactor(transactor), Guarantee::ExactlyOnce { most, every }) => {
                Delivery::ExactlyOnce { transactor, most, every }
            }
            (Outlet::Sink(sink), Guarantee::AtLeastOnce) => Delivery::AtLeastOnce(sink),
            _ => return Err(Failure::Running(anyhow::anyhow!("the broker does not deliver as it was asked to"))),
        };
        let pipeline = flow::Pipeline {
            name: Arc::clone(&config.name),
            content_type: config.source.content_type.clone(),
            delivery,
            output_topic: Arc::clone(&config.sink.topic),
            dead_letters: DeadLetters {
                topic: Arc::clone(&config.dead_letter.topic),
                bounds: config.dead_letter.bounds,
                connect_headers: config.dead_letter.connect_headers,
            },
            order: match config.order {
                config::Order::None => flow::Order::None,
                config::Order::Key => flow::Order::Key,
                config::Order::Partition => flow::Order::Partition,
            },
            store: self.store,
            observer: self.observer,
            limits: limits(config),
            clock: clock::now,
        };
        Ok(Wired { source, pipeline: Arc::new(pipeline) })
    }
}

/// Checks that the broker answers and that all topics of the pipeline can be used; logs what it created and what the
/// operator should know. Returns where the broker is.
pub(super) async fn check(broker: &dyn Broker, config: &Pipeline) -> Result<String, Failure> {
    let checked = broker.check(&topics(config)).await?;
    for topic in checked.created {
        tracing::info!(pipeline = %config.name, topic, "created");
    }
    for warning in checked.warnings {
        tracing::warn!(pipeline = %config.name, "{warning}");
    }
    Ok(checked.address)
}

/// All topics that the pipeline reads or writes, each once.
fn topics(config: &Pipeline) -> Vec<Topic> {
    let topic = |name: &Arc<str>, role| Topic { name: Arc::clone(name), role };
    let mut topics = vec![
        topic(&config.source.topic, Role::Source),
        topic(&config.sink.topic, Role::Sink),
        topic(&config.dead_letter.topic, Role::DeadLetters),
    ];
    let targets = config.plan.nodes.iter().flat_map(|node| node.branches.values().chain([&node.next]));
    for target in targets {
        if let Target::Topic(name) = target
            && !topics.iter().any(|known| known.name == *name)
        {
            topics.push(topic(name, Role::Sink));
        }
    }
    topics
}

fn guarantee(config: &Pipeline) -> Guarantee {
    match config.delivery {
        config::Delivery::AtLeastOnce => Guarantee::AtLeastOnce,
        config::Delivery::ExactlyOnce { most, every } => Guarantee::ExactlyOnce { most: number(most), every },
    }
}

fn subscription(config: &Pipeline, guarantee: Guarantee) -> Subscription {
    Subscription {
        topic: Arc::clone(&config.source.topic),
        group: config.source.group.as_str().into(),
        start: match config.source.start {
            config::Start::Earliest => Start::Earliest,
            config::Start::Latest => Start::Latest,
        },
        drain_timeout: config.limits.drain_timeout,
        guarantee,
    }
}

fn limits(config: &Pipeline) -> Limits {
    let bytes = |size: config::ByteSize| NonZeroUsize::new(size.as_usize()).unwrap_or(NonZeroUsize::MIN);
    Limits {
        jobs: number(config.limits.max_in_flight),
        bytes: bytes(config.limits.max_in_flight_bytes),
        items_per_job: number(config.limits.items_in_flight),
        job_bytes: bytes(config.limits.max_job_bytes),
        drain_timeout: config.limits.drain_timeout,
    }
}

fn number(number: std::num::NonZeroU32) -> NonZeroUsize {
    NonZeroUsize::try_from(number).unwrap_or(NonZeroUsize::MIN)
}

/// Whether a running pipeline can take on this file by a swap of its deployment: everything else in it is as it was.
pub(super) fn is_same_wiring(old: &Pipeline, new: &Pipeline) -> bool {
    old.name == new.name
        && old.kafka == new.kafka
        && old.source == new.source
        && old.sink == new.sink
        && old.dead_letter == new.dead_letter
        && old.limits == new.limits
        && old.delivery == new.delivery
        && old.order == new.order
        && old.store == new.store
}
