//! What the models of a pipeline cannot be held to: keywords of a stage's schema that a target has no field for.

use gristmill_config::Fault;
use gristmill_llm::settings::{AliasSettings, TargetSettings};
use gristmill_llm::{Unheld, unheld};
use serde_json::Value;

use crate::settings::{Module, Pipeline, StageSettings};

/// A warning for each schema in the configuration of an `enrich` and each target that has no field for all of it. Other
/// stages make their schemas when they run.
pub(super) fn warnings(pipeline: &Pipeline) -> Vec<Fault> {
    let mut warnings = Vec::new();
    for (index, stage) in pipeline.stages.iter().enumerate() {
        let Some((name, alias)) = alias_of(pipeline, stage) else { continue };
        for (number, task) in stage.config["custom"].as_array().into_iter().flatten().enumerate() {
            for (place, target) in alias.targets.iter().enumerate() {
                if let Some(what) = what(target, &task["schema"]) {
                    let pointer = format!("/custom/{number}/schema");
                    let at = pipeline.place_of(index, &pointer).unwrap_or_else(|| pipeline.place("/stage"));
                    let message = format!("target {} of [models.{name}] has no field for {what}", place + 1);
                    let label = "the model is told in words, and the answer is checked against all of it";
                    warnings.push(Fault::warning(at, message).label(label));
                }
            }
        }
    }
    warnings
}

/// What of a schema the target has no field for.
fn what(target: &TargetSettings, schema: &Value) -> Option<String> {
    match unheld(target, schema) {
        Unheld::Nothing => None,
        Unheld::Keywords(keywords) => {
            let keywords: Vec<String> = keywords.iter().map(|keyword| format!("{keyword:?}")).collect();
            Some(format!("{} of this schema", keywords.join(", ")))
        }
        Unheld::Whole => Some("this schema".to_owned()),
    }
}

/// The alias that an `enrich` asks: the one it names, else the only one, else the one called `default`.
fn alias_of<'p>(pipeline: &'p Pipeline, stage: &StageSettings) -> Option<(&'p str, &'p AliasSettings)> {
    if !matches!(&stage.module, Module::Builtin(name) if name == "enrich") {
        return None;
    }
    let mut models = pipeline.models.iter().map(|(name, alias)| (&**name, alias));
    match stage.config["model"].as_str() {
        Some(asked) => models.find(|(name, _)| *name == asked),
        None if models.len() == 1 => models.next(),
        None => models.find(|(name, _)| *name == "default"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_a_target_has_no_field_for_is_warned_of_at_the_schema() {
        let text = r#"name = "p"
kafka = { brokers = "h:1" }
source = { topic = "in" }
sink = { topic = "out" }
dead_letter = { topic = "dead" }
[[stage]]
name = "a"
module = "builtin:enrich"
grants = ["llm"]
[[stage.config.custom]]
name = "total"
prompt = "{{text}}"
schema = { type = "string", maxLength = 3 }
[[stage.config.custom]]
name = "open"
prompt = "{{text}}"
schema = { type = "object", additionalProperties = { type = "integer" } }
[models.m]
targets = [
  { provider = "openai", model = "x" },
  { provider = "anthropic", model = "y" },
]
"#;
        let pipeline = Pipeline::parse(text, Path::new("p.toml")).unwrap();
        let told: Vec<String> = warnings(&pipeline).iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2, "{told:#?}");
        assert!(
            told[0].contains("p.toml:13:") && told[0].contains("target 2 of [models.m] has no field for \"maxLength\"")
        );
        assert!(told[1].contains("p.toml:17:") && told[1].contains("has no field for this schema"), "{told:#?}");
    }
}
