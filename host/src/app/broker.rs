//! Which broker, and how it is reached: from the pipeline file, the command line and the environment. The only place that
//! knows which brokers there are.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use gristmill_config::Fault;
use gristmill_core::flow::settings::DeliveryMode;
use gristmill_core::ports::Broker;
use gristmill_kafka::{self as kafka, EmbeddedBroker, KafkaBroker, Settings};

use super::failure::Failure;
use crate::settings::Pipeline;

/// Partitions of each topic of the embedded broker, where the file says nothing.
const EMBEDDED_PARTITIONS: u16 = 1;
/// The variable that replaces the brokers of every pipeline file.
const BROKERS: &str = "GRISTMILL_BROKERS";

/// Takes the brokers from the environment, if it names any.
///
/// # Errors
/// When the variable holds something else than brokers.
pub fn override_brokers(pipeline: &mut Pipeline) -> Result<(), Failure> {
    if let Some(brokers) = std::env::var(BROKERS).ok().filter(|brokers| !brokers.is_empty()) {
        pipeline.kafka.brokers =
            brokers.parse().with_context(|| format!("the variable {BROKERS} is set")).map_err(Failure::Setup)?;
    }
    if is_embedded(pipeline) && pipeline.delivery != DeliveryMode::AtLeastOnce {
        let place = pipeline.place("/delivery");
        let fault = Fault::at(place, "the embedded broker cannot deliver exactly once, and the variable names it");
        return Err(Failure::Config(fault.label(format!("name other brokers by {BROKERS}, or none")).into()));
    }
    Ok(())
}

/// Whether the pipeline's broker is the embedded one, which ends with this process.
pub(super) fn is_embedded(pipeline: &Pipeline) -> bool {
    pipeline.kafka.brokers == kafka::Brokers::Embedded
}

/// Lets the pipeline use the embedded broker, whatever its file names.
pub fn embed(pipeline: &mut Pipeline) {
    pipeline.kafka.brokers = kafka::Brokers::Embedded;
}

/// The brokers of this process's pipelines.
#[derive(Default)]
pub(super) struct Brokers {
    /// Started when the first pipeline wants it: one for all, so that one's results can be another's events. A lock,
    /// because pipelines are started side by side.
    embedded: Mutex<Option<Arc<EmbeddedBroker>>>,
}

impl Brokers {
    /// The broker that a pipeline names.
    ///
    /// # Errors
    /// A secret that cannot be read, a property that cannot be set, an embedded broker that cannot be started.
    pub(super) fn of(&self, pipeline: &Pipeline) -> Result<Arc<dyn Broker>, Failure> {
        let (settings, creation) = (settings(pipeline)?, pipeline.kafka.create_topics);
        if !is_embedded(pipeline) {
            return Ok(Arc::new(KafkaBroker::new(settings, creation)));
        }
        let mut embedded = self.embedded.lock().unwrap_or_else(PoisonError::into_inner);
        let broker = match embedded.take() {
            Some(broker) => broker,
            None => Arc::new(EmbeddedBroker::start().context("the embedded broker cannot start")?),
        };
        *embedded = Some(Arc::clone(&broker));
        let partitions = creation.map_or(EMBEDDED_PARTITIONS, |creation| creation.partitions);
        Ok(Arc::new(KafkaBroker::embedded(broker, settings, partitions)))
    }

    /// Where the embedded broker listens, if there is one.
    pub(super) fn embedded_address(&self) -> Option<String> {
        let embedded = self.embedded.lock().unwrap_or_else(PoisonError::into_inner);
        embedded.as_ref().map(|broker| broker.address().to_owned())
    }
}

/// The broker of a command that runs no pipeline: the given one, else that of the pipeline file.
///
/// # Errors
/// When neither says where it is, or a property cannot be used.
pub fn reach(brokers: Option<&str>, pipeline: Option<&Pipeline>) -> Result<Arc<dyn Broker>, Failure> {
    let mut settings = match pipeline {
        Some(pipeline) => settings(pipeline)?,
        None => Settings::new(""),
    };
    let given = brokers.map(str::parse).transpose().context("--brokers").map_err(Failure::Setup)?;
    let chosen = given.or_else(|| pipeline.map(|pipeline| pipeline.kafka.brokers.clone()));
    match chosen {
        Some(kafka::Brokers::Addresses(addresses)) => settings.brokers = addresses,
        Some(kafka::Brokers::Embedded) | None => {
            return Err(Failure::Setup(anyhow::anyhow!(
                "the embedded broker exists only in the process that runs the pipeline; pass the address it printed, as \
                 --brokers 127.0.0.1:PORT"
            )));
        }
    }
    Ok(Arc::new(KafkaBroker::new(settings, None)))
}

/// Checks what a pipeline says of its brokers, without asking them.
///
/// # Errors
/// A secret that cannot be read or a property that cannot be set, at its place in the file.
pub fn check(pipeline: &Pipeline) -> Result<(), Failure> {
    settings(pipeline).map(drop)
}

/// The settings of the pipeline's cluster, secrets read. The brokers are empty for the embedded one.
///
/// # Errors
/// A secret that cannot be read or a property that cannot be set, at its place in the file.
fn settings(pipeline: &Pipeline) -> Result<Settings, Failure> {
    let settings = pipeline.kafka.settings().map_err(|error| {
        let place = pipeline.place(&format!("/kafka/properties/{}", error.property));
        Failure::Config(Fault::at(place, error.to_string()).label(error.source.to_string()).into())
    })?;
    settings.check().map_err(|error| {
        let place = pipeline.place("/kafka/properties");
        Failure::Config(Fault::at(place, "these Kafka settings cannot be used").label(error.to_string()).into())
    })?;
    Ok(settings)
}
