//! One pipeline: its topics, and how it is wired to its broker.

use std::num::NonZeroUsize;
use std::sync::Arc;

use gristmill_core::flow::settings::DeliveryMode;
use gristmill_core::flow::{self, Delivery};
use gristmill_core::model::{Sampling, Target};
use gristmill_core::ports::{
    Accounts, Broker, Connection, Guarantee, Inlet, Observer, Outlet, Role, Source, Subscription, Topic,
};

use super::broker;
use super::clock;
use super::failure::Failure;
use super::following::Following;
use super::store::{self, Stores};
use crate::settings::{Pipeline, PipelineFile};

/// A pipeline that is connected and has joined its group, but takes no event yet.
pub(super) struct Wired {
    pub(super) source: Box<dyn Source>,
    pub(super) pipeline: Arc<flow::Pipeline>,
    /// Where jobs come in from outside.
    pub(super) inlet: Inlet,
}

/// What a pipeline is wired with.
pub(super) struct Wiring<'a> {
    pub(super) broker: &'a dyn Broker,
    pub(super) stores: Stores,
    pub(super) accounts: Option<Arc<dyn Accounts>>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) sampling: Sampling,
    pub(super) following: &'a Following,
}

impl Wiring<'_> {
    /// Joins the group of a pipeline whose topics were checked.
    ///
    /// # Errors
    /// One clear reason: brokers, credentials, topics.
    pub(super) async fn connect(self, config: &Pipeline) -> Result<Wired, Failure> {
        let guarantee = guarantee(config);
        let connected = self.broker.connect(subscription(config, guarantee)).await;
        let connected = connected.map_err(|error| broker::failure(config, error))?;
        let Connection { source, outlet, letters, inlet } = connected;
        let delivery = match (outlet, guarantee) {
            (Outlet::Transactor(transactor), Guarantee::ExactlyOnce { .. }) => {
                Delivery::ExactlyOnce { transactor, bounds: config.transactions }
            }
            (Outlet::Sink(sink), Guarantee::AtLeastOnce) => Delivery::AtLeastOnce(sink),
            _ => return Err(Failure::Running(anyhow::anyhow!("the broker does not deliver as it was asked to"))),
        };
        let recording = self.following.recording(&self.stores);
        let pipeline = flow::Pipeline {
            name: config.name.shared(),
            content_type: config.source.content_type.clone(),
            document: config.source.document.clone(),
            tombstones: config.source.tombstones,
            documents: self.stores.documents,
            delivery,
            output_topic: config.sink.topic.shared(),
            dead_letter: config.dead_letter.clone(),
            letters,
            order: config.order,
            store: self.stores.jobs,
            recording,
            offload: self.following.offload.clone(),
            accounts: self.accounts,
            sampling: self.sampling,
            observer: self.observer,
            limits: config.limits,
            clock: clock::now,
        };
        Ok(Wired { source, pipeline: Arc::new(pipeline), inlet })
    }
}

/// Checks that the broker answers and that all topics of the pipeline can be used; logs what it created and what the
/// operator should know. Returns where the broker is.
pub(super) async fn check(broker: &dyn Broker, config: &Pipeline) -> Result<String, Failure> {
    let checked = broker.check(&topics(config)).await.map_err(|error| broker::failure(config, error))?;
    for topic in checked.created {
        tracing::info!(pipeline = %config.name, topic, "created");
    }
    for warning in checked.warnings {
        tracing::warn!(pipeline = %config.name, "{warning}");
    }
    Ok(checked.address)
}

/// All topics that the pipeline reads or writes, each once.
pub(super) fn topics(config: &Pipeline) -> Vec<Topic> {
    let topic = |name: Arc<str>, role| Topic { name, role };
    let mut topics = vec![
        topic(config.source.topic.shared(), Role::Source),
        topic(config.sink.topic.shared(), Role::Sink),
        topic(config.dead_letter.topic.shared(), Role::DeadLetters),
    ];
    let targets = config.plan.nodes.iter().flat_map(|node| node.branches.values().chain([&node.next]));
    for target in targets {
        if let Target::Topic(name) = target
            && !topics.iter().any(|known| known.name == *name)
        {
            topics.push(topic(Arc::clone(name), Role::Sink));
        }
    }
    topics
}

fn guarantee(config: &Pipeline) -> Guarantee {
    match config.delivery {
        DeliveryMode::AtLeastOnce => Guarantee::AtLeastOnce,
        DeliveryMode::ExactlyOnce => Guarantee::ExactlyOnce {
            most: config.transactions.max_jobs.try_into().unwrap_or(NonZeroUsize::MIN),
            every: config.transactions.max_wait,
        },
    }
}

fn subscription(config: &Pipeline, guarantee: Guarantee) -> Subscription {
    Subscription {
        topic: config.source.topic.shared(),
        dead_letters: config.dead_letter.topic.shared(),
        group: config.group().into(),
        start: config.source.start,
        drain_timeout: config.limits.drain_timeout,
        guarantee,
    }
}

/// Whether a running pipeline can take on this file by a swap of its deployment: everything else in it is as it was.
pub(super) fn is_same_wiring(old: &Pipeline, new: &Pipeline) -> bool {
    // In full, so that a new key does not compile before it is decided which of the two it is.
    let PipelineFile {
        name,
        kafka,
        redis,
        source,
        sink,
        dead_letter,
        order,
        delivery,
        transactions,
        limits,
        store,
        // The purse, which outlives deployments.
        budget: _,
        // Checked when the file is read.
        requires: _,
        // The deployment.
        retry: _,
        stages: _,
        models: _,
    } = &**new;
    old.name == *name
        && old.kafka == *kafka
        && old.redis == *redis
        && old.source == *source
        && old.sink == *sink
        && old.dead_letter == *dead_letter
        && old.order == *order
        && old.delivery == *delivery
        && old.transactions == *transactions
        && old.limits == *limits
        && old.store == *store
        // A store is opened only for a pipeline that keeps something.
        && store::keeps(old) == store::keeps(new)
        && store::keeps_state(old) == store::keeps_state(new)
        // And a purse for one that asks models.
        && old.asks_models() == new.asks_models()
}
