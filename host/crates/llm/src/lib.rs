//! Adapter: language models.
//!
//! A call passes through six layers: the form of the answer is checked, and the model asked again if it is wrong
//! (`checked`), [`Journaled`] remembers what an unfinished job has paid for, `cache` what other jobs have, several requests
//! share a call if their stage allows it (`merge`), an alias chooses the targets (`aliases`), and a target asks its provider (`openai`, `anthropic`, `gemini`, `ollama`) or a file of prepared answers (`scripted`). None of
//! them retries a call that failed: that is up to the flow.
//!
//! - [`settings`]: what the operator decides
//! - [`Limits`]: how many calls may run at once, and what they got, shared by the pipelines of a host
//! - `checked` over `forms`, `form` and the pure `answer`; `journal` over `memory`; `cache` over `answers`; `merge`;
//!   `aliases` over `failure`; `names`, `usage`
//! - `openai`, `anthropic`, `gemini` and `ollama` over their own pure `encode` and `decode`, and over what they have in
//!   common: `server` (HTTP) with `headers` and `quote`, `parameters` of requests, `status` and `retry_after` (over `delay`)
//!   of refusals, and `narrow`, which rewrites schemas
//! - [`scripted`] over `script`, its file format, and `made_up`

mod aliases;
mod answer;
mod answers;
mod anthropic;
mod cache;
mod checked;
mod delay;
mod failure;
#[cfg(test)]
mod fixtures;
mod form;
mod forms;
mod gemini;
mod headers;
mod journal;
mod keys;
mod limits;
mod memory;
mod merge;
mod names;
mod narrow;
mod ollama;
mod openai;
mod parameters;
mod provider;
mod quote;
mod retry_after;
pub mod scripted;
mod server;
pub mod settings;
mod status;
mod usage;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use gristmill_core::ports::{Answers, Model, Observer, Store};

use aliases::{Alias, Aliases, Target};
use answers::MemoryAnswers;
use anthropic::Anthropic;
use cache::{Cached, Reuse};
use checked::{Checked, Rule};
use forms::Forms;
use gemini::Gemini;
pub use journal::Journaled;
pub use limits::Limits;
use limits::{Endpoint, Share};
use merge::Merged;
use ollama::Ollama;
use openai::OpenAi;
use provider::{Api, Http};
use scripted::{Scripted, script};
use server::Reach;
use settings::{AliasSettings, Settings, TargetSettings};

/// What the models of a pipeline need from the host.
pub struct Surroundings {
    /// Keeps the paid answers; without it they are remembered as long as this process runs.
    pub store: Option<Arc<dyn Store>>,
    /// Keeps answers across jobs, for aliases that allow it; without it they are remembered as long as the models live.
    pub answers: Option<Arc<dyn Answers>>,
    /// The limits of the host.
    pub limits: Arc<Limits>,
    /// Observes the calls.
    pub observer: Arc<dyn Observer>,
}

/// Builds all models of a pipeline behind one port that remembers paid answers. Reads keys and scripts, but does not
/// connect yet.
///
/// # Errors
/// A setting is unusable: no targets, a wrong address, a missing key, a faulty script. The error names the alias and
/// target.
pub fn build(settings: Settings, surroundings: Surroundings) -> anyhow::Result<Arc<dyn Model>> {
    let (mut aliases, mut rules, mut reuse) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (name, alias) in settings.models {
        let reask = alias.reask;
        let targets = settings::identity(&alias.targets);
        reuse.insert(name.clone(), alias.cache.as_ref().map(|cache| Reuse { ttl: cache.ttl, targets }));
        let built = build_alias(alias, &surroundings.limits);
        let built = built.with_context(|| format!("the model {name:?} cannot be used"))?;
        rules.insert(name.clone(), Rule { reask, time: built.time(None) });
        aliases.insert(name, built);
    }
    let aliases = Aliases::new(aliases, surroundings.observer);
    let forms = Arc::new(Forms::default());
    let merged = Merged::new(aliases, Arc::clone(&forms));
    let answers = surroundings.answers.unwrap_or_else(|| Arc::new(MemoryAnswers::new(settings.cache_bytes)));
    let cached = Cached::new(merged, reuse, answers, Arc::clone(&forms));
    let journaled = Journaled::new(cached, settings.journal_bytes, surroundings.store);
    Ok(Arc::new(Checked::new(journaled, rules, forms)))
}

fn build_alias(settings: AliasSettings, limits: &Limits) -> anyhow::Result<Alias> {
    if settings.targets.is_empty() {
        bail!("it has no targets; add at least one to `targets`");
    }
    let mut targets = Vec::new();
    for (index, target) in settings.targets.into_iter().enumerate() {
        let built = build_target(target, settings.max_concurrent.get(), limits);
        targets.push(built.with_context(|| format!("its target {}", index + 1))?);
    }
    Ok(Alias::new(targets))
}

fn build_target(settings: TargetSettings, max_concurrent: usize, limits: &Limits) -> anyhow::Result<Target> {
    Ok(match settings {
        TargetSettings::OpenAi(settings) => over_http(OpenAi::target(settings)?, max_concurrent, limits),
        TargetSettings::Anthropic(settings) => over_http(Anthropic::target(settings)?, max_concurrent, limits),
        TargetSettings::Gemini(settings) => over_http(Gemini::target(settings)?, max_concurrent, limits),
        TargetSettings::Ollama(settings) => over_http(Ollama::target(settings)?, max_concurrent, limits),
        TargetSettings::Scripted(settings) => {
            let provider = Scripted::new(script::read(&settings.script)?);
            Target {
                name: provider.name().to_owned(),
                timeout: settings::DEFAULT_TIMEOUT,
                limit: Share::new(max_concurrent),
                results: Arc::default(),
                provider: Box::new(provider),
            }
        }
    })
}

fn over_http<A: Api + 'static>(target: Http<A>, max_concurrent: usize, limits: &Limits) -> Target {
    let Reach { name, account, model, timeout, sent, .. } = target.server.reach();
    let endpoint = Endpoint { base_url: account.base_url.clone(), model: model.clone(), key: sent.digest() };
    Target {
        name: name.clone(),
        timeout: *timeout,
        limit: limits.of(account.clone(), max_concurrent),
        results: limits.results(endpoint),
        provider: Box::new(target),
    }
}
#[cfg(test)]
mod tests {
    use gristmill_core::ports::Observers;

    use super::settings::OpenAiSettings;
    use super::*;

    fn fault(targets: Vec<TargetSettings>) -> String {
        let models = [("smart".to_owned(), AliasSettings::new(targets))].into();
        let surroundings = Surroundings {
            store: None,
            answers: None,
            limits: Arc::default(),
            observer: Arc::new(Observers::default()),
        };
        match build(Settings { models, ..Settings::default() }, surroundings) {
            Err(error) => format!("{error:#}"),
            Ok(_) => "built".into(),
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_by_alias_and_target() {
        assert!(fault(Vec::new()).contains("the model \"smart\" cannot be used: it has no targets"));
        let key = Some(settings::SecretRef::Env("GRISTMILL_NO_SUCH_KEY".into()));
        let good = OpenAiSettings::new("m");
        let keyless = OpenAiSettings { key, ..good.clone() };
        let targets = vec![TargetSettings::OpenAi(good), TargetSettings::OpenAi(keyless)];
        let fault = fault(targets);
        assert!(fault.contains("its target 2: the environment variable GRISTMILL_NO_SUCH_KEY is not set"), "{fault}");
    }
}
