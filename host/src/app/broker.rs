//! Which broker, and how it is reached: from the pipeline file, the command line and the environment. The only place that
//! knows which brokers there are.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use gristmill_config::{ConfigError, Fault, Place};
use gristmill_core::flow::settings::DeliveryMode;
use gristmill_core::ports::Broker;
use gristmill_kafka::{
    self as kafka, CheckError, EmbeddedBroker, KafkaBroker, Property, PropertyFault, Settings, SettingsError,
};
use gristmill_redis::{Addresses, Redis};

use super::failure::Failure;
use super::redis;
use crate::settings::{Named, Pipeline, Unfit, unfit};

/// Partitions of each topic of the embedded broker, where the file says nothing.
const EMBEDDED_PARTITIONS: u16 = 1;
/// The variable that replaces the brokers of every pipeline file.
const BROKERS: &str = "GRISTMILL_BROKERS";

/// Takes the brokers from the environment, if it names any.
///
/// # Errors
/// When the variable holds something else than brokers.
pub fn override_brokers(pipeline: &mut Pipeline) -> Result<(), Failure> {
    if let Some(brokers) = overridden() {
        choose(pipeline, &brokers).with_context(|| format!("the variable {BROKERS} is set")).map_err(Failure::Setup)?;
        if pipeline.redis.is_some()
            && let Some(Unfit { pointer, message, .. }) =
                unfit(pipeline.order, pipeline.delivery, pipeline.sink.key).into_iter().next()
        {
            let fault = Fault::at(pipeline.place(pointer), message);
            let label = format!("the variable {BROKERS} names Redis: name other brokers by it, or none");
            return Err(Failure::Config(fault.label(label).into()));
        }
    }
    if is_embedded(pipeline) && pipeline.delivery != DeliveryMode::AtLeastOnce {
        let place = pipeline.place("/delivery");
        let fault = Fault::at(place, "the embedded broker cannot deliver exactly once, and the variable names it");
        return Err(Failure::Config(fault.label(format!("name other brokers by {BROKERS}, or none")).into()));
    }
    Ok(())
}

/// Lets the pipeline use these brokers. What its file says about reaching brokers of the same kind stays.
fn choose(pipeline: &mut Pipeline, brokers: &str) -> anyhow::Result<()> {
    if Addresses::are_meant(brokers) {
        let url = brokers.parse()?;
        pipeline.kafka = None;
        match &mut pipeline.redis {
            Some(redis) => redis.url = url,
            None => pipeline.redis = Some(Redis::new(url)),
        }
        return Ok(());
    }
    name_kafka(pipeline, brokers.parse()?);
    Ok(())
}

fn name_kafka(pipeline: &mut Pipeline, brokers: kafka::Brokers) {
    pipeline.redis = None;
    match &mut pipeline.kafka {
        Some(kafka) => kafka.brokers = brokers,
        None => pipeline.kafka = Some(kafka::Cluster::new(brokers)),
    }
}

/// The brokers that the environment names, if it does.
fn overridden() -> Option<String> {
    std::env::var(BROKERS).ok().filter(|brokers| !brokers.is_empty())
}

/// Says with an error of the brokers that the environment has named them, if it has: nobody looks for that in the file.
/// `given` are the brokers of the command line, which the variable is the default of.
pub fn named_by_variable(given: Option<&str>, error: anyhow::Error) -> anyhow::Error {
    match overridden().filter(|named| given.is_none_or(|given| given == named)) {
        Some(brokers) => error.context(format!("the variable {BROKERS} names the brokers {brokers}")),
        None => error,
    }
}

/// Why a pipeline cannot use its brokers: its configuration, at its place, or anything else.
pub(super) fn failure(pipeline: &Pipeline, error: anyhow::Error) -> Failure {
    if let Some(faults) = redis::faults(pipeline, &error) {
        return Failure::Config(faults);
    }
    let of_check = error.downcast_ref::<CheckError>().and_then(|error| match error {
        CheckError::Settings(error) => Some(error),
        CheckError::Unreachable { .. } | CheckError::Credentials { .. } | CheckError::Topics(_) => None,
    });
    match of_check.or_else(|| error.downcast_ref::<SettingsError>()) {
        Some(error) => Failure::Config(faults(pipeline, error)),
        None => Failure::Running(named_by_variable(None, error)),
    }
}

/// Whether the pipeline's broker is the embedded one, which ends with this process.
pub(super) fn is_embedded(pipeline: &Pipeline) -> bool {
    matches!(pipeline.broker(), Some(Named::Kafka(kafka)) if matches!(kafka.brokers, kafka::Brokers::Embedded { .. }))
}

/// Lets the pipeline use the embedded broker, whatever its file names.
pub fn embed(pipeline: &mut Pipeline) {
    name_kafka(pipeline, kafka::Brokers::Embedded { port: None });
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
    /// A secret that cannot be read, a property that cannot be set, an embedded broker that cannot be started or cannot
    /// have its port.
    pub(super) async fn of(&self, pipeline: &Pipeline) -> Result<Arc<dyn Broker>, Failure> {
        let cluster = match pipeline.broker() {
            Some(Named::Kafka(cluster)) => cluster,
            Some(Named::Redis(named)) => return redis::broker(pipeline, named),
            None => return Err(no_broker()),
        };
        let (settings, creation) = (settings(pipeline, cluster)?, cluster.create_topics);
        let kafka::Brokers::Embedded { port } = cluster.brokers else {
            return Ok(Arc::new(KafkaBroker::new(settings, creation)));
        };
        let broker = self.embedded()?;
        if let Some(port) = port {
            broker.listen(port).await.map_err(|error| {
                let message = format!("the embedded broker cannot listen on port {port}");
                let label = format!("{error}: choose another, or stop the other host of this file");
                Failure::Config(Fault::at(pipeline.place("/kafka/brokers"), message).label(label).into())
            })?;
        }
        let partitions = creation.map_or(EMBEDDED_PARTITIONS, |creation| creation.partitions);
        Ok(Arc::new(KafkaBroker::embedded(broker, settings, partitions)))
    }

    /// The embedded broker, started if it does not run yet.
    fn embedded(&self) -> anyhow::Result<Arc<EmbeddedBroker>> {
        let mut embedded = self.embedded.lock().unwrap_or_else(PoisonError::into_inner);
        let broker = match embedded.take() {
            Some(broker) => broker,
            None => Arc::new(EmbeddedBroker::start().context("the embedded broker cannot start")?),
        };
        *embedded = Some(Arc::clone(&broker));
        Ok(broker)
    }

    /// Where the embedded broker listens, if there is one.
    pub(super) fn embedded_address(&self) -> Option<String> {
        let embedded = self.embedded.lock().unwrap_or_else(PoisonError::into_inner);
        embedded.as_ref().map(|broker| broker.address())
    }
}

/// The broker of a command that runs no pipeline: the given one, else that of the pipeline file.
///
/// # Errors
/// When neither says where it is, or a property cannot be used.
pub fn reach(brokers: Option<&str>, pipeline: Option<&Pipeline>) -> Result<Arc<dyn Broker>, Failure> {
    let named = pipeline.and_then(|pipeline| Some((pipeline, pipeline.broker()?)));
    if let Some(given) = brokers.filter(|given| Addresses::are_meant(given)) {
        let url = given.parse().context("--brokers").map_err(Failure::Setup)?;
        return redis::reach(url, named);
    }
    let given = brokers.map(str::parse).transpose().context("--brokers").map_err(Failure::Setup)?;
    let (mut settings, named) = match named {
        Some((pipeline, Named::Redis(named))) if given.is_none() => return redis::broker(pipeline, named),
        Some((pipeline, Named::Kafka(cluster))) => (settings(pipeline, cluster)?, Some(cluster.brokers.clone())),
        Some((_, Named::Redis(_))) | None => (Settings::new(""), None),
    };
    match given.or(named) {
        Some(kafka::Brokers::Addresses(addresses)) => settings.brokers = addresses,
        // Of the process that runs the pipeline, on this machine.
        Some(kafka::Brokers::Embedded { port: Some(port) }) => settings.brokers = format!("127.0.0.1:{port}"),
        Some(kafka::Brokers::Embedded { port: None }) | None => {
            return Err(Failure::Setup(anyhow::anyhow!(
                "the embedded broker exists only in the process that runs the pipeline; pass the address it printed, as \
                 --brokers 127.0.0.1:PORT, or give it a port in the pipeline file: brokers = \"embedded:19092\""
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
    match pipeline.broker() {
        Some(Named::Kafka(cluster)) => settings(pipeline, cluster).map(drop),
        Some(Named::Redis(named)) => redis::broker(pipeline, named).map(drop),
        None => Err(no_broker()),
    }
}

/// Not for a file that was checked.
fn no_broker() -> Failure {
    Failure::Setup(anyhow::anyhow!("the pipeline file names no broker"))
}

/// The settings of the pipeline's cluster, secrets read. The brokers are empty for the embedded one.
///
/// # Errors
/// A secret that cannot be read or a property that cannot be set, at its place in the file.
fn settings(pipeline: &Pipeline, cluster: &kafka::Cluster) -> Result<Settings, Failure> {
    let mut settings = cluster.settings().map_err(|error| {
        let place = place(pipeline, &error.property);
        Failure::Config(Fault::at(place, error.to_string()).label(error.source.to_string()).into())
    })?;
    settings.check().map_err(|error| Failure::Config(faults(pipeline, &error)))?;
    find_files(pipeline, &mut settings)?;
    Ok(settings)
}

/// Properties whose value is a path that OpenSSL opens.
const FILES: [&str; 5] =
    ["ssl.ca.location", "ssl.crl.location", "ssl.certificate.location", "ssl.key.location", "ssl.keystore.location"];
/// Certificates of authorities may also be in a folder, or wherever librdkafka looks for them if it is told to.
const AUTHORITIES: &str = "ssl.ca.location";
const LOOK_FOR_THEM: &str = "probe";

/// Lets the paths of the properties start at the file's folder, and refuses what is not there, or would be waited for: a
/// named pipe, a device.
fn find_files(pipeline: &Pipeline, settings: &mut Settings) -> Result<(), Failure> {
    let mut faults = Vec::new();
    for name in FILES {
        let Some(value) = settings.properties.get_mut(name) else { continue };
        if name == AUTHORITIES && value == LOOK_FOR_THEM {
            continue;
        }
        let path = pipeline.folder().join(&*value);
        let wrong = match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() || name == AUTHORITIES && metadata.is_dir() => None,
            Ok(_) => Some("it is not a regular file".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        match (wrong, path.to_str()) {
            (None, Some(path)) => path.clone_into(value),
            (wrong, _) => {
                let message = format!("the file of the Kafka property {name} cannot be used");
                let reason = wrong.unwrap_or_else(|| "its path is not UTF-8".to_owned());
                faults.push(Fault::at(place(pipeline, name), message).label(format!("{}: {reason}", path.display())));
            }
        }
    }
    ConfigError::check(faults).map_err(Failure::Config)
}

/// The faults of a cluster's settings, each at its place.
fn faults(pipeline: &Pipeline, error: &SettingsError) -> ConfigError {
    let at = |place, label: String| Fault::at(place, "these Kafka settings cannot be used").label(label);
    if let SettingsError::Properties(faults) = error {
        let properties = pipeline.kafka.as_ref().map(|kafka| &kafka.properties.0);
        let label = |fault: &PropertyFault| match properties.and_then(|named| named.get(&fault.property)) {
            Some(Property::Secret(_)) => format!("the Kafka property {} cannot be what its secret is", fault.property),
            Some(Property::Plain(_)) | None => fault.to_string(),
        };
        let faults = faults.iter().map(|fault| at(place(pipeline, &fault.property), label(fault))).collect();
        if let Err(faults) = ConfigError::check(faults) {
            return faults;
        }
    }
    at(pipeline.place("/kafka/properties"), error.to_string()).into()
}

/// Where a property stands, written in quotes or with dots.
fn place(pipeline: &Pipeline, property: &str) -> Place {
    let (quoted, table) =
        (pipeline.place(&format!("/kafka/properties/{property}")), pipeline.place("/kafka/properties"));
    match quoted.line_and_column() == table.line_and_column() {
        true => pipeline.place(&format!("/kafka/properties/{}", property.replace('.', "/"))),
        false => quoted,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn checked(folder: &Path, properties: &str) -> Result<Settings, String> {
        let text = format!(
            "name = \"p\"\n[kafka]\nbrokers = \"broker:9093\"\n[kafka.properties]\n{properties}\n[source]\ntopic = \"in\"\n\
             [sink]\ntopic = \"out\"\n[dead_letter]\ntopic = \"dead\"\n\
             [[stage]]\nname = \"extract\"\nmodule = \"builtin:extract\"\n"
        );
        let pipeline = Pipeline::parse(&text, &folder.join("pipeline.toml")).unwrap();
        settings(&pipeline, pipeline.kafka.as_ref().unwrap()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn files_of_properties_start_at_the_folder_and_must_be_files() {
        let folder = tempfile::tempdir().unwrap();
        let (ca, socket) = (folder.path().join("ca.pem"), folder.path().join("socket"));
        std::fs::write(&ca, "x").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let found = checked(folder.path(), "\"ssl.ca.location\" = \"ca.pem\"").unwrap();
        assert_eq!(found.properties["ssl.ca.location"], ca.display().to_string());
        for good in ["\"ssl.ca.location\" = \"probe\"", "\"ssl.ca.location\" = \".\""] {
            checked(folder.path(), good).unwrap();
        }
        for (bad, reason) in [
            ("\"ssl.key.location\" = \"socket\"", "not a regular file"),
            ("\"ssl.key.location\" = \".\"", "not a regular file"),
            ("\"ssl.crl.location\" = \"none\"", "No such file"),
        ] {
            let fault = checked(folder.path(), bad).unwrap_err();
            assert!(fault.contains(reason) && fault.contains("pipeline.toml:5"), "{fault}");
        }
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), "hunter2").unwrap();
        let fault = checked(folder.path(), "\"linger.ms\" = { file = \"password\" }").unwrap_err();
        assert!(fault.contains("linger.ms") && !fault.contains("hunter2"), "{fault}");
    }
}
