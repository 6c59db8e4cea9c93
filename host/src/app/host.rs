//! What the pipelines of one process share, and what they must not.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::{Failure, cluster, run};
use gristmill_config::{Brokers, ConfigError, Fault, Pipeline};
use gristmill_kafka::EmbeddedBroker;

/// Partitions of each topic of the embedded broker, where the file says nothing.
const EMBEDDED_PARTITIONS: u16 = 1;

/// The process that pipelines run in: its broker, if one of them wants the embedded one, and the operator's wish to
/// stop. The broker lives as long as this or a pipeline that was connected to it.
pub struct Host {
    embedded: Option<Arc<EmbeddedBroker>>,
    shutdown: CancellationToken,
}

impl Host {
    /// Starts the embedded broker with all topics of the pipelines that want it: one for all, so that one's results can
    /// be another's events. A topic that two of them name has the partitions that the first says.
    ///
    /// # Errors
    /// When the broker cannot be started.
    pub fn start(pipelines: &[Pipeline], shutdown: CancellationToken) -> Result<Self, Failure> {
        let mut embedded = None;
        for pipeline in pipelines.iter().filter(|pipeline| pipeline.kafka.brokers == Brokers::Embedded) {
            let broker = match embedded.take() {
                Some(broker) => broker,
                None => EmbeddedBroker::start().context("the embedded broker cannot start")?,
            };
            let partitions = cluster::creation(pipeline).map_or(EMBEDDED_PARTITIONS, |creation| creation.partitions);
            for topic in run::topics(pipeline) {
                let topic = topic.name;
                broker.create_topic(topic, partitions).with_context(|| format!("the topic {topic}"))?;
            }
            embedded = Some(broker);
        }
        Ok(Self { embedded: embedded.map(Arc::new), shutdown })
    }

    /// Where the embedded broker listens, if there is one.
    #[must_use]
    pub fn embedded_address(&self) -> Option<&str> {
        self.embedded.as_ref().map(|broker| broker.address())
    }

    pub(super) fn embedded(&self) -> Option<&Arc<EmbeddedBroker>> {
        self.embedded.as_ref()
    }

    pub(super) fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }
}

/// Checks that pipelines can run in one process.
///
/// # Errors
/// What they would take from each other, at its places.
pub fn check_together(pipelines: &[Pipeline]) -> Result<(), Failure> {
    Ok(ConfigError::check(conflicts(pipelines))?)
}

/// Names tell job ids and logs apart, so each is there once; and members of one group share the events of a topic, so
/// two pipelines would each see a part.
fn conflicts(pipelines: &[Pipeline]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let (mut names, mut readers) = (BTreeMap::new(), BTreeMap::new());
    for pipeline in pipelines {
        let place = pipeline.place("/name");
        if let Some(other) = names.insert(&*pipeline.name, place.clone()) {
            let message = format!("two pipelines are named {:?}", &*pipeline.name);
            faults.push(Fault::at(place, message).label(format!("the other is at {other}; rename one")));
            continue;
        }
        let source = &pipeline.source;
        let place = pipeline.place("/source/topic");
        if let Some(other) = readers.insert((&*source.topic, source.group.as_str()), place.clone()) {
            let message =
                format!("two pipelines read the topic {:?} with the group {:?}", &*source.topic, source.group);
            let label = format!("each would get a part of the events: give this one or {other} another group");
            faults.push(Fault::at(place, message).label(label));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn pipeline(file: &str, name: &str, source: &str) -> Pipeline {
        let text = format!(
            "name = {name:?}\nkafka = {{ brokers = \"embedded\" }}\nsource = {{ {source} }}\n\
             sink = {{ topic = \"out\" }}\ndead_letter = {{ topic = \"dead\" }}\nstage = [{{ name = \"a\", module = \"builtin:extract\" }}]\n"
        );
        Pipeline::parse(&text, Path::new(file)).unwrap()
    }

    fn shown(pipelines: &[Pipeline]) -> Vec<String> {
        conflicts(pipelines).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn two_pipelines_of_one_name_are_refused_by_both_places() {
        let faults = shown(&[pipeline("a.toml", "x", "topic = \"i\""), pipeline("b.toml", "x", "topic = \"j\"")]);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].contains("two pipelines are named \"x\"") && faults[0].contains("b.toml:1:8"), "{faults:?}");
        assert!(faults[0].contains("the other is at a.toml:1:8"), "{faults:?}");
    }

    #[test]
    fn one_topic_is_read_by_several_groups_but_not_twice_by_one() {
        let (one, two) = (pipeline("a.toml", "a", "topic = \"i\""), pipeline("b.toml", "b", "topic = \"i\""));
        assert!(shown(&[one.clone(), two]).is_empty());
        let faults = shown(&[one, pipeline("b.toml", "b", "topic = \"i\", group = \"a\"")]);
        assert!(faults[0].contains("with the group \"a\"") && faults[0].contains("another group"), "{faults:?}");
        let other = [
            pipeline("a.toml", "a", "topic = \"i\", group = \"g\""),
            pipeline("b.toml", "b", "topic = \"j\", group = \"g\""),
        ];
        assert!(shown(&other).is_empty(), "one group may read two topics");
    }
}
