//! Which Kafka, and how it is reached: from the pipeline file, the command line and the environment.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;

use anyhow::Context;

use super::Failure;
use gristmill_config::{Brokers, Delivery, Fault, Pipeline, Property, SecretRef};
use gristmill_kafka::{Creation, Settings};

/// The variable that replaces the brokers of every pipeline file.
const BROKERS: &str = "GRISTMILL_BROKERS";

/// How to reach a cluster from a command that runs no pipeline.
pub struct Cluster {
    /// The brokers and properties.
    pub settings: Settings,
    /// The consumer group of the pipeline, if one was named.
    pub group: Option<String>,
}

/// Takes the brokers from the environment, if it names any.
///
/// # Errors
/// When the variable holds something else than brokers.
pub fn override_brokers(pipeline: &mut Pipeline) -> Result<(), Failure> {
    if let Some(brokers) = std::env::var(BROKERS).ok().filter(|brokers| !brokers.is_empty()) {
        pipeline.kafka.brokers =
            brokers.parse().with_context(|| format!("the variable {BROKERS} is set")).map_err(Failure::Setup)?;
    }
    if pipeline.kafka.brokers == Brokers::Embedded && pipeline.delivery != Delivery::AtLeastOnce {
        let place = pipeline.place("/delivery");
        let fault = Fault::at(place, "the embedded broker cannot deliver exactly once, and the variable names it");
        return Err(Failure::Config(fault.label(format!("name other brokers by {BROKERS}, or none")).into()));
    }
    Ok(())
}

/// The cluster of a command: the given brokers, else those of the pipeline file.
///
/// # Errors
/// When the file is wrong, or names the embedded broker without saying where it listens.
pub fn cluster(brokers: Option<&str>, pipeline: Option<&Path>) -> Result<Cluster, Failure> {
    let pipeline = pipeline.map(Pipeline::load).transpose()?;
    let settings = reach(brokers, pipeline.as_ref())?;
    Ok(Cluster { settings, group: pipeline.map(|pipeline| pipeline.source.group) })
}

/// How to reach the given brokers, else those of the pipeline, with its properties.
///
/// # Errors
/// When neither says where the brokers are, or a property cannot be used.
pub fn reach(brokers: Option<&str>, pipeline: Option<&Pipeline>) -> Result<Settings, Failure> {
    let mut settings = match pipeline {
        Some(pipeline) => settings(pipeline)?,
        None => Settings::new(""),
    };
    let given = brokers.map(str::parse).transpose().context("--brokers").map_err(Failure::Setup)?;
    let chosen = given.or_else(|| pipeline.map(|pipeline| pipeline.kafka.brokers.clone()));
    match chosen {
        Some(Brokers::Addresses(addresses)) => settings.brokers = addresses,
        Some(Brokers::Embedded) | None => {
            return Err(Failure::Setup(anyhow::anyhow!(
                "the embedded broker lives in the process that runs the pipeline; give the address which that printed, \
                 as --brokers 127.0.0.1:PORT"
            )));
        }
    }
    Ok(settings)
}

/// The settings of the pipeline's cluster, secrets read. The brokers are empty for the embedded one.
///
/// # Errors
/// A secret that cannot be read or a property that cannot be set, at its place in the file.
pub fn settings(pipeline: &Pipeline) -> Result<Settings, Failure> {
    let mut properties = BTreeMap::new();
    for (name, property) in &pipeline.kafka.properties {
        let value = match property {
            Property::Plain(value) => value.clone(),
            Property::Secret(secret) => read_secret(secret)
                .map_err(|error| {
                    Fault::at(pipeline.place("/kafka/properties"), format!("the Kafka property {name} has no value"))
                        .label(format!("{error:#}"))
                })
                .map_err(|fault| Failure::Config(fault.into()))?,
        };
        properties.insert(name.clone(), value);
    }
    let brokers = match &pipeline.kafka.brokers {
        Brokers::Addresses(addresses) => addresses.clone(),
        Brokers::Embedded => String::new(),
    };
    let settings = Settings { brokers, properties };
    settings.check().map_err(|error| {
        let place = pipeline.place("/kafka/properties");
        Failure::Config(Fault::at(place, "these Kafka settings cannot be used").label(error.to_string()).into())
    })?;
    Ok(settings)
}

/// How missing topics are created.
pub(super) fn creation(pipeline: &Pipeline) -> Option<Creation> {
    let bounded = |number: NonZeroU32| u16::try_from(number.get()).unwrap_or(u16::MAX);
    pipeline
        .kafka
        .create_topics
        .map(|create| Creation { partitions: bounded(create.partitions), replication: bounded(create.replication) })
}

fn read_secret(secret: &SecretRef) -> anyhow::Result<String> {
    match secret {
        SecretRef::Env(name) => {
            std::env::var(name).with_context(|| format!("the environment variable {name} cannot be read; set it"))
        }
        SecretRef::File(path) => {
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("the file {} cannot be read", path.display()))?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
    }
}
