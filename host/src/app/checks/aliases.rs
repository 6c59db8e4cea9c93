//! The models that stages name: they exist, and make vectors where vectors are asked for.

use gristmill_config::{Fault, nearest};
use gristmill_llm::settings::{AliasSettings, TargetSettings};

use super::said::Alias;
use super::stages::{Findings, Stages};

/// The alias of a request that names none, if there are several.
const DEFAULT: &str = "default";

/// Reports models that are not there.
pub(super) fn check(stages: &Stages<'_>, findings: &mut Findings) {
    for (index, stage) in stages.pipeline.stages.iter().enumerate() {
        if !stage.grants.asks_models() {
            continue;
        }
        let said = &stages.said[index].aliases;
        for alias in said {
            match &alias.name {
                Some(name) => named(stages, index, alias, name, findings),
                // A stage with several places may leave some of them out on purpose.
                None if said.len() == 1 => unnamed(stages, index, findings),
                None => {}
            }
        }
    }
}

fn named(stages: &Stages<'_>, index: usize, alias: &Alias, name: &str, findings: &mut Findings) {
    let (pipeline, stage) = (stages.pipeline, &stages.pipeline.stages[index]);
    let place = pipeline.place_of(index, &alias.pointer).unwrap_or_else(|| pipeline.place("/stage"));
    let Some((_, settings)) = pipeline.models.iter().find(|(known, _)| ***known == *name) else {
        let message = format!("stage {:?} asks the model {name:?}, which is not there", &*stage.name);
        let names: Vec<&str> = pipeline.models.keys().map(|known| &**known).collect();
        let list = format!("models are: {}", names.join(", "));
        let label = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean {near:?}? {list}"),
            None => format!("{list}; or add [models.{name}] with targets"),
        };
        findings.faults.push(Fault::at(place, message).label(label));
        return;
    };
    if !stage.grants.llm && !settings.targets.first().is_some_and(TargetSettings::embeds) {
        let message =
            format!("stage {:?} asks {name:?} for vectors, which its first target does not make", &*stage.name);
        let label = "name another model, or put a target of openai, gemini or ollama first";
        findings.faults.push(Fault::at(place, message).label(label));
    }
}

/// A request that names no model gets the only one, or the one called `default`.
fn unnamed(stages: &Stages<'_>, index: usize, findings: &mut Findings) {
    let models = &stages.pipeline.models;
    if models.len() < 2 || models.keys().any(|name| **name == *DEFAULT) {
        return;
    }
    let names: Vec<&str> = models.keys().map(|name| &**name).collect();
    let place = stages.pipeline.place(&format!("/stage/{index}"));
    let message = format!("stage {:?} names no model, and none of several is called \"{DEFAULT}\"", stages.name(index));
    let label = format!("every request would be refused: name one of {} in its config", names.join(", "));
    findings.faults.push(Fault::at(place, message).label(label));
}

/// The models that a stage may ask, as far as that is known: those that it names, or the one for those that name none.
pub(super) fn asked<'s>(stages: &Stages<'s>, index: usize) -> Vec<(&'s str, &'s AliasSettings)> {
    let mut models = stages.pipeline.models.iter().map(|(name, alias)| (&**name, alias));
    if !stages.pipeline.stages[index].grants.asks_models() {
        return Vec::new();
    }
    let named: Vec<&str> = stages.said[index].aliases.iter().filter_map(|alias| alias.name.as_deref()).collect();
    match named.as_slice() {
        [] if models.len() == 1 => models.collect(),
        [] => models.find(|(name, _)| *name == DEFAULT).into_iter().collect(),
        named => models.filter(|(name, _)| named.contains(name)).collect(),
    }
}
