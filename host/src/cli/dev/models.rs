//! Which models answer while a pipeline is developed: nothing is paid for unless that is asked for.

use std::fs;
use std::net::IpAddr;

use anyhow::Context;
use gristmill_llm::settings::{AliasSettings, ScriptedSettings, TargetSettings};
use tempfile::TempDir;

use super::args::Models;
use crate::settings::Pipeline;

/// Answers made of the item's own words, in the form that was asked for.
const ANSWERS: &str = "name = \"dev\"\n[default]\nanswer_from = \"document\"\n";

/// Answers in place of models that are not on this machine.
pub(super) struct StandIn {
    choice: Models,
    target: TargetSettings,
    /// Holds the script of the target.
    _folder: TempDir,
}

impl StandIn {
    pub(super) fn new(choice: Models) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder for prepared answers")?;
        let script = folder.path().join("answers.toml");
        fs::write(&script, ANSWERS).with_context(|| format!("cannot write {}", script.display()))?;
        let target = TargetSettings::Scripted(ScriptedSettings { script, price: None });
        Ok(Self { choice, target, _folder: folder })
    }

    /// Replaces the models that the choice leaves out. Returns their names.
    pub(super) fn replace(&self, pipeline: &mut Pipeline) -> Vec<String> {
        let mut replaced = Vec::new();
        if self.choice == Models::File {
            return replaced;
        }
        for (name, alias) in &mut pipeline.models {
            if !alias.all_targets().all(|(_, target)| is_local(target)) {
                *alias = AliasSettings { cache: None, ..AliasSettings::new(vec![self.target.clone()]) };
                replaced.push(name.to_string());
            }
        }
        replaced
    }
}

/// Whether a target costs nothing and leaves nothing of the data elsewhere.
fn is_local(target: &TargetSettings) -> bool {
    let address = match target {
        TargetSettings::Scripted(_) => return true,
        TargetSettings::OpenAi(target) => &target.base_url,
        TargetSettings::Anthropic(target) => &target.base_url,
        TargetSettings::Gemini(target) => &target.base_url,
        TargetSettings::Ollama(target) => &target.base_url,
    };
    let Ok(address) = reqwest::Url::parse(address) else { return false };
    let host = address.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn models_elsewhere_are_replaced_unless_they_are_asked_for() {
        let text = r#"name = "p"
kafka = { brokers = "embedded" }
source = { topic = "in" }
sink = { topic = "out" }
dead_letter = { topic = "dead" }
stage = [{ name = "a", module = "builtin:enrich", grants = ["llm"], config = { tasks = ["summary"] } }]
[models.paid]
targets = [{ provider = "openai", model = "x", key = { env = "KEY" } }]
[models.mixed]
targets = [{ provider = "ollama", model = "x" }, { provider = "gemini", model = "y" }]
[models.here]
targets = [{ provider = "openai", model = "x", base_url = "http://[::1]:8080/v1" }, { provider = "ollama", model = "x" }]
"#;
        let pipeline = Pipeline::parse(text, Path::new("p.toml")).unwrap();
        let mut developed = pipeline.clone();
        assert_eq!(StandIn::new(Models::Local).unwrap().replace(&mut developed), ["mixed", "paid"]);
        for (name, alias) in &developed.models {
            assert!(alias.all_targets().all(|(_, target)| is_local(target)), "{name}");
            assert_eq!(pipeline.models[name] == *alias, **name == *"here", "{name}");
        }
        assert!(StandIn::new(Models::File).unwrap().replace(&mut pipeline.clone()).is_empty());
    }
}
