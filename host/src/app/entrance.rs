//! Where jobs of a pipeline come in.

use std::sync::Arc;

use gristmill_api::{Pipeline, StageLabel};
use gristmill_core::ports::Inlet;
use gristmill_core::settings::ByteSize;

use super::following::Following;
use super::store::Stores;
use crate::settings;

/// Where jobs of a pipeline come in. `None` if it has no records of jobs.
pub(super) fn entrance(
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
pub(super) fn relabelled(entrance: &Pipeline, file: &settings::Pipeline) -> Arc<Pipeline> {
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
}
