//! Adapter: language models.
//!
//! A call passes three layers, each a [`Model`]: what an unfinished job has paid for is remembered
//! ([`Journaled`]), an alias chooses its targets and checks the answer's form (`models`), and a target asks its provider
//! (`openai`) or a file of prepared answers (`scripted`). None of them retries: that is the flow's.
//!
//! - [`settings`]: what the operator decides
//! - [`keys`]: keys, which are never shown
//! - `journal` over `memory` and `fingerprint`; `models` over `form` and `failure`
//! - `openai` over the pure `encode` (with `dialect`) and `decode` (with `retry_after` and `quote`)
//! - `scripted` over [`script`], the form of its file, and `made_up`

mod decode;
mod dialect;
mod encode;
mod failure;
mod fingerprint;
#[cfg(test)]
mod fixtures;
mod form;
mod journal;
pub mod keys;
mod made_up;
mod memory;
mod models;
mod openai;
mod provider;
mod quote;
mod retry_after;
pub mod script;
mod scripted;
pub mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};

use gristmill_core::ports::{Model, Observer, Store};

pub use journal::Journaled;
use models::{Alias, Models, Target};
use openai::OpenAi;
pub use provider::Provider;
use scripted::Scripted;
use settings::{AliasSettings, Settings, TargetSettings};

/// The limits of all models of a host.
#[derive(Debug, Default)]
pub struct Limits;

/// What models are built with.
pub struct Surroundings {
    /// Keeps what was paid.
    pub store: Option<Arc<dyn Store>>,
    /// Shared by all pipelines of a host.
    pub limits: Arc<Limits>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
}

/// All models behind one port, with the memory of what was paid: durable in the store, or without one as long as this
/// process. Reads keys and scripts; connects to nobody.
///
/// # Errors
/// A setting that cannot be used, by alias and target: no targets, a wrong address, a missing key, a faulty script.
pub fn build(settings: Settings, surroundings: Surroundings) -> anyhow::Result<Arc<dyn Model>> {
    let mut aliases = BTreeMap::new();
    for (name, alias) in settings.models {
        let built = build_alias(alias).with_context(|| format!("the model {name:?} cannot be used"))?;
        aliases.insert(name, built);
    }
    Ok(Arc::new(Journaled::new(Models::new(aliases), settings.journal_bytes, surroundings.store)))
}

fn build_alias(settings: AliasSettings) -> anyhow::Result<Alias> {
    if settings.targets.is_empty() {
        bail!("it has no targets; give at least one in `targets`");
    }
    let mut targets = Vec::new();
    for (index, target) in settings.targets.into_iter().enumerate() {
        targets.push(build_target(target).with_context(|| format!("its target {}", index + 1))?);
    }
    Ok(Alias::new(targets, settings.max_concurrent.get()))
}

fn build_target(settings: TargetSettings) -> anyhow::Result<Target> {
    Ok(match settings {
        TargetSettings::OpenAi(settings) => {
            let (name, timeout) = (format!("openai/{}", settings.model), settings.timeout);
            if timeout == Duration::ZERO {
                bail!("its `timeout` is zero, so no answer would ever be in time; 60s is usual");
            }
            Target { name, timeout, model: Box::new(OpenAi::new(settings)?) }
        }
        TargetSettings::Scripted(settings) => {
            let scripted = Scripted::new(script::read(&settings.script)?);
            Target { name: scripted.name().to_owned(), timeout: settings::DEFAULT_TIMEOUT, model: Box::new(scripted) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::settings::OpenAiSettings;
    use super::*;

    fn fault(targets: Vec<TargetSettings>) -> String {
        let models = [("smart".to_owned(), AliasSettings::new(targets))].into();
        match build(Settings { models, ..Settings::default() }, None) {
            Err(error) => format!("{error:#}"),
            Ok(_) => "built".into(),
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_by_alias_and_target() {
        assert!(fault(Vec::new()).contains("the model \"smart\" cannot be used: it has no targets"));
        let key = Some(settings::KeySource::Env("GRISTMILL_NO_SUCH_KEY".into()));
        let good = OpenAiSettings::new("m");
        let keyless = OpenAiSettings { key, ..good.clone() };
        let targets = vec![TargetSettings::OpenAi(good), TargetSettings::OpenAi(keyless)];
        let fault = fault(targets);
        assert!(fault.contains("its target 2: the environment variable GRISTMILL_NO_SUCH_KEY is not set"), "{fault}");
    }
}
