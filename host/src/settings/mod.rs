//! The pipeline file as a whole: the only place that knows the settings of every crate.
//!
//! Each key is a field of the type that owns it, and nothing else: its type, bounds, default and documentation stand
//! there. Here the owners' types become one file ([`PipelineFile`]), and what no single key can be wrong about is
//! checked: topics that must differ, routes between stages, models for grants.

mod budget;
mod checks;
mod file;
mod grants;
mod host;
mod host_checks;
mod json_file;
mod plan;
mod properties;
mod redis;
mod reference;
mod requires;
mod stage;
mod store;
#[cfg(test)]
mod tests;
mod versions;
mod warnings;

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gristmill_config::{Checked, ConfigError, Draft, Fault, Place};
use gristmill_core::model::Plan;
use gristmill_llm::settings::{AliasSettings, TargetSettings};
use serde_json::Value;

pub use file::{Named, PipelineFile};
pub use grants::{Grants, StateQuota};
pub use host::{HostFile, HostLimits, host_schema};
pub use host_checks::is_open;
pub use redis::{Unfit, unfit};
pub use reference::fill;
pub use requires::Requires;
pub use stage::{Module, OnFailure, Route, StageSettings};
pub use versions::{VersionSettings, Watch};

/// A pipeline file that is good, and the plan that its stages make.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The routes between the stages.
    pub plan: Arc<Plan>,
    file: Checked<PipelineFile>,
    /// The JSON files that it names.
    json_files: Vec<PathBuf>,
}

impl Pipeline {
    /// Reads a pipeline file of at most 1 MiB. Relative paths in it start at its folder.
    ///
    /// # Errors
    /// Everything that is wrong with it, or why it cannot be read.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::load_in(path, &HostFile::default())
    }

    /// The same for a pipeline of a host, whose models and store it may use.
    ///
    /// # Errors
    /// Everything that is wrong with it, or why it cannot be read.
    pub fn load_in(path: &Path, host: &HostFile) -> Result<Self, ConfigError> {
        Self::of(gristmill_config::read(path)?, Some(host))
    }

    /// The same for a command that runs none of its stages: whether there are models for them does not matter then.
    ///
    /// # Errors
    /// Everything else that is wrong with it, or why it cannot be read.
    pub fn load_to_reach(path: &Path) -> Result<Self, ConfigError> {
        Self::of(gristmill_config::read(path)?, None)
    }

    /// The same for text; `path` is what messages call it and where relative paths start.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        Self::of(gristmill_config::parse(text, path)?, Some(&HostFile::default()))
    }

    fn of(mut draft: Draft<PipelineFile>, host: Option<&HostFile>) -> Result<Self, ConfigError> {
        let plan = checks::check(&mut draft, host);
        let has_store = draft.has("/store");
        let mut file = draft.finish()?;
        let mut json_files = Vec::new();
        if let Some(host) = host {
            json_files = json_file::fill_in(&mut file)?;
            for (name, alias) in &host.models {
                file.value.models.entry(name.clone()).or_insert_with(|| alias.clone());
            }
            if !has_store {
                file.value.store = host.store.clone();
            }
        }
        match plan {
            Some(plan) => {
                let pipeline = Self { plan: Arc::new(plan), file, json_files };
                if host.is_some() {
                    ConfigError::check(pipeline.budget_faults())?;
                }
                Ok(pipeline)
            }
            None => Err(Fault::at(file.place("/stage"), "the stages make no plan").into()),
        }
    }

    /// Where the value at a JSON Pointer into the file stands ("/stage/0/module", "/kafka/brokers"), or the nearest
    /// thing around it.
    #[must_use]
    pub fn place(&self, pointer: &str) -> Place {
        self.file.place(pointer)
    }

    /// The folder of the file, where relative paths in it start.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.file.folder()
    }

    /// The files that it names and that what it does depends on: modules, keys, JSON files of configurations, scripts of models.
    #[must_use]
    pub fn files(&self) -> BTreeSet<PathBuf> {
        let modules = self.stages.iter().filter_map(|stage| match &stage.module {
            Module::File(path) => Some(path.clone()),
            Module::Builtin(_) | Module::Registry(_) => None,
        });
        let keys = self.stages.iter().filter_map(|stage| stage.signed_by.clone());
        let targets = self.models.values().flat_map(AliasSettings::all_targets);
        let scripts = targets.filter_map(|(_, target)| match target {
            TargetSettings::Scripted(scripted) => Some(scripted.script.clone()),
            TargetSettings::OpenAi(_)
            | TargetSettings::Anthropic(_)
            | TargetSettings::Gemini(_)
            | TargetSettings::Ollama(_) => None,
        });
        self.json_files.iter().cloned().chain(modules).chain(keys).chain(scripts).collect()
    }

    /// Where the value at a JSON Pointer into a stage's `config` stands ("/tasks/1"), or the nearest thing around it;
    /// `None` if there is no such stage.
    #[must_use]
    pub fn place_of(&self, stage: usize, pointer: &str) -> Option<Place> {
        self.stages.get(stage)?;
        let inside = if pointer.starts_with('/') { pointer } else { "" };
        Some(self.place(&format!("/stage/{stage}/config{inside}")))
    }
}

impl Deref for Pipeline {
    type Target = PipelineFile;

    fn deref(&self) -> &PipelineFile {
        &self.file.value
    }
}

impl DerefMut for Pipeline {
    fn deref_mut(&mut self) -> &mut PipelineFile {
        &mut self.file.value
    }
}

/// The JSON Schema of a pipeline file, for editors.
#[must_use]
pub fn schema() -> Value {
    gristmill_config::schema::<PipelineFile>()
}
