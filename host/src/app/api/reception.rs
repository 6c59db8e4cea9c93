//! The pipelines that take jobs, as the API sees them.

use std::sync::{Arc, OnceLock};

use gristmill_api::{Desk, JobView, Pipeline, StageLabel};
use gristmill_core::model::JobRecord;
use gristmill_core::ports::Inlet;
use gristmill_core::settings::ByteSize;
use gristmill_webhooks::{self as webhooks, Outgoing};
use serde_json::Value;

use super::super::following::Following;
use super::super::host::Host;
use super::super::store::Stores;
use crate::settings;

/// Knows which pipelines of a host run, from before it runs.
pub(super) struct Reception {
    /// Those that the host was started with.
    names: Vec<Arc<str>>,
    /// Set once all of them are connected.
    host: OnceLock<Arc<Host>>,
}

impl Reception {
    pub(super) fn of(names: Vec<Arc<str>>) -> Self {
        Self { names, host: OnceLock::new() }
    }

    pub(super) fn attend(&self, host: &Arc<Host>) {
        // Nothing else sets it.
        let _ = self.host.set(Arc::clone(host));
    }
}

impl Desk for Reception {
    fn pipelines(&self) -> Vec<Arc<Pipeline>> {
        let Some(host) = self.host.get() else { return Vec::new() };
        host.running().by_name.values().filter_map(|running| running.entrance.clone()).collect()
    }

    fn pipeline(&self, name: &str) -> Option<Arc<Pipeline>> {
        self.host.get()?.running().by_name.get(name)?.entrance.clone()
    }

    fn absent(&self) -> Vec<Arc<str>> {
        let Some(host) = self.host.get() else { return self.names.clone() };
        let running = host.running();
        let mut absent: Vec<_> =
            self.names.iter().chain(&running.restarting).chain(running.stopped.keys()).cloned().collect();
        absent.retain(|name| !running.by_name.contains_key(name));
        absent.sort();
        absent.dedup();
        absent
    }
}

impl webhooks::Desk for Reception {
    fn outgoing(&self) -> Vec<Outgoing> {
        let outgoing = |pipeline: &Arc<Pipeline>| Outgoing {
            pipeline: Arc::clone(&pipeline.name),
            deliveries: Arc::clone(&pipeline.deliveries),
        };
        self.pipelines().iter().map(outgoing).collect()
    }

    fn show(&self, pipeline: &str, record: &JobRecord) -> Value {
        let known = self.pipeline(pipeline);
        let stages = known.as_ref().map_or(&[][..], |known| &known.stages);
        // Text and numbers are always JSON.
        serde_json::to_value(JobView::of(pipeline, stages, record)).unwrap_or_default()
    }
}

/// Where jobs of a pipeline come in. `None` if it has no records of jobs.
pub(in super::super) fn entrance(
    file: &settings::Pipeline,
    stores: &Stores,
    following: &Following,
    inlet: &Inlet,
) -> Option<Arc<Pipeline>> {
    let records = stores.records.clone()?;
    let offload = following.offload.as_ref();
    Some(Arc::new(Pipeline {
        name: file.name.shared(),
        source: file.source.topic.shared(),
        stages: labels(file),
        inlet: Arc::clone(&inlet.sink),
        events: Arc::clone(&inlet.events),
        book: records.book,
        published: records.published,
        acts: records.acts,
        deliveries: records.deliveries,
        objects: offload.map(|offload| Arc::clone(&offload.objects)),
        inline_max: offload.map_or(ByteSize::bytes(0), |offload| ByteSize::bytes(offload.inline_max as u64)),
    }))
}

/// The same with the labels of a changed file.
pub(in super::super) fn relabelled(entrance: &Pipeline, file: &settings::Pipeline) -> Arc<Pipeline> {
    Arc::new(Pipeline { stages: labels(file), ..entrance.clone() })
}

/// The stages as people read them.
fn labels(file: &settings::Pipeline) -> Vec<StageLabel> {
    let label = |stage: &settings::StageSettings| {
        let name = stage.name.to_string();
        StageLabel { label: stage.label.clone().unwrap_or_else(|| name.clone()), name }
    };
    file.stages.iter().map(label).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_stage_without_a_label_is_called_by_its_name() {
        let text = "name = \"p\"\nkafka = { brokers = \"embedded\" }\nsource = { topic = \"in\" }\n\
                    sink = { topic = \"out\" }\ndead_letter = { topic = \"dead\" }\n\
                    [[stage]]\nname = \"extract\"\nmodule = \"builtin:extract\"\nlabel = \"Reading the document\"\n\
                    [[stage]]\nname = \"chunk\"\nmodule = \"builtin:chunk\"\n";
        let file = settings::Pipeline::parse(text, Path::new("p.toml")).unwrap();
        let labels: Vec<_> = labels(&file).into_iter().map(|stage| (stage.name, stage.label)).collect();
        let pair = |name: &str, label: &str| (name.to_owned(), label.to_owned());
        assert_eq!(labels, [pair("extract", "Reading the document"), pair("chunk", "chunk")]);
    }

    #[test]
    fn before_the_host_runs_its_pipelines_are_absent_and_not_unknown() {
        let reception = Reception::of(vec!["a".into(), "b".into()]);
        assert!(reception.pipelines().is_empty() && reception.pipeline("a").is_none());
        assert_eq!(reception.absent(), ["a".into(), "b".into()] as [Arc<str>; 2]);
    }
}
