//! Adapter: language models.
//!
//! A call passes through these layers: a request for vectors is cut into those that fit (`parts`), the form of an answer is
//! checked, and the model asked again if it is wrong (`checked`), [`Journaled`] remembers what an unfinished job has paid
//! for, `cache` what other jobs have, budgets refuse what would cost too much (`budget`), several requests share a call if
//! their stage allows it (`merge`), an alias chooses the targets (`aliases`), and a target asks its
//! provider (`openai`, `anthropic`, `gemini`, `ollama`) or a file of prepared answers (`scripted`). None of them retries a
//! call that failed: that is up to the flow.
//!
//! - [`settings`]: what the operator decides
//! - [`Limits`]: what the pipelines of a host share of a model server
//! - [`Purse`]: what a pipeline has spent and may still spend; [`Price`] and the table of [`prices`]; `estimate` of tokens
//! - `gate`, the way into a target: `permits` (concurrent calls), the pure `rates` over `bucket` and `load` (requests and
//!   tokens), the pure `leases` over `together` (the same counted with other hosts), the pure `standing` (pauses, probes);
//!   `room`, what a provider says is left; `route`, which target is next
//! - `parts` over the pure `parts::plan`; `checked` over `forms`, `form` and the pure `answer`; `journal` over `memory`;
//!   `cache` over `answers`; `merge`; `aliases` over `question` and `failure`; `names`, `usage`; `saved`, who is told of
//!   answers that need no call
//! - `openai`, `anthropic`, `gemini` and `ollama` over their own pure `encode` and `decode`, and over what they have in
//!   common: `server` (HTTP) with `pace`, `stream`, `secrets` (over `headers` and `keys`) and `quote`, `parameters` of
//!   requests, `status` and `retry_after` (over `delay`) of refusals, `narrow`, which rewrites schemas, and `embedding`,
//!   for vectors
//! - [`unheld`]: what of a schema a target has no field for
//! - [`scripted`] over `script`, its file format, and `made_up`

mod aliases;
mod answer;
mod answered;
mod answers;
mod anthropic;
mod bucket;
mod budget;
mod cache;
mod checked;
mod delay;
mod embedding;
mod estimate;
mod failure;
#[cfg(test)]
mod fixtures;
mod form;
mod forms;
mod gate;
mod gemini;
mod headers;
mod journal;
mod keys;
mod leases;
mod limits;
mod load;
mod memory;
mod merge;
mod names;
mod narrow;
mod ollama;
mod openai;
mod pace;
mod parameters;
mod parts;
mod permits;
mod price;
pub mod prices;
mod provider;
mod question;
mod quote;
mod rates;
mod retry_after;
mod room;
mod route;
mod saved;
pub mod scripted;
mod secrets;
mod server;
pub mod settings;
mod standing;
mod status;
mod stream;
mod together;
mod unheld;
mod usage;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use gristmill_core::model::{Day, JobId, Portion, Spent};
use gristmill_core::ports::{Answers, Counters, Model, Models, Observer, Store};

use aliases::{Alias, Aliases, Target};
use answers::MemoryAnswers;
use anthropic::Anthropic;
use budget::{Accounted, Budgeted, Tariffs};
pub use budget::{Clock, Purse};
use cache::{Cached, Reuse};
use checked::{Checked, Output, Rule};
use forms::Forms;
use gate::Entry;
use gemini::Gemini;
pub use journal::Journaled;
use limits::Endpoint;
pub use limits::{Limits, TargetNow};
use load::Load;
use merge::Merged;
use ollama::Ollama;
use openai::OpenAi;
use parts::Parted;
use permits::Share;
pub use price::{Price, Rates};
use provider::{Api, Http};
use saved::Saved;
use scripted::{Scripted, script};
use server::Reach;
use settings::{AliasSettings, LimitSettings, Settings, TargetSettings};
pub use standing::Asked;
use together::Together;
pub use unheld::{Unheld, unheld};

/// What the models of a pipeline need from the host.
pub struct Surroundings {
    /// Keeps the paid answers; without it they are remembered as long as this process runs.
    pub store: Option<Arc<dyn Store>>,
    /// Keeps answers across jobs, for aliases that allow it; without it they are remembered as long as the models live.
    pub answers: Option<Arc<dyn Answers>>,
    /// Counts limits together with all hosts that have it; without it each host takes its part of them.
    pub counters: Option<Arc<dyn Counters>>,
    /// The limits of the host.
    pub limits: Arc<Limits>,
    /// What the pipeline may spend.
    pub purse: Arc<Purse>,
    /// Observes the calls.
    pub observer: Arc<dyn Observer>,
}

/// The models of a pipeline: how stages see them, and how the flow does.
#[derive(Clone)]
pub struct Gateway {
    /// Who is asked. Remembers paid answers.
    pub model: Arc<dyn Model>,
    /// Who is told of jobs that end and of the group.
    pub models: Arc<dyn Models>,
}

/// What of a gateway remembers something between calls.
struct Keepers<M> {
    journal: Arc<Journaled<M>>,
    purse: Arc<Purse>,
    aliases: Arc<Aliases>,
}

impl<M: Model> Models for Keepers<M> {
    fn forget(&self, job: &JobId) {
        self.journal.forget(job);
        self.purse.forget(job);
        self.aliases.forget(job);
    }

    fn share(&self, portion: Portion) {
        self.aliases.share(portion);
    }
}

/// Builds all models of a pipeline. Reads keys and scripts, but does not connect yet.
///
/// # Errors
/// A setting is unusable: no targets, a wrong address, a missing key, a faulty script. The error names the alias and
/// target.
pub fn build(settings: Settings, surroundings: Surroundings) -> anyhow::Result<Gateway> {
    let (mut aliases, mut rules, mut bounds) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let (mut tariffs, mut reuse) = (BTreeMap::new(), BTreeMap::new());
    let Surroundings { limits, counters, purse, .. } = &surroundings;
    let earlier = purse.take_earlier();
    let shared = Shared { limits, counters: counters.as_ref(), clock: purse.clock(), earlier: &earlier };
    for (name, alias) in settings.models {
        let reask = alias.reask;
        tariffs.insert(name.clone(), Tariffs::of(&alias));
        let targets = settings::identity(alias.all_targets().map(|(_, target)| target));
        reuse.insert(name.clone(), alias.cache.as_ref().map(|cache| Reuse { ttl: cache.ttl, targets }));
        let output = match alias.all_targets().any(|(_, target)| target.limits_output()) {
            true => Output::Limited,
            false => Output::Unlimited,
        };
        let built = build_alias(alias, &shared);
        let built = built.with_context(|| format!("the model {name:?} cannot be used"))?;
        rules.insert(name.clone(), Rule { reask, output, time: built.time(None) });
        bounds.insert(name.clone(), built.embedding());
        aliases.insert(name, built);
    }
    let saved = Saved::new(Arc::clone(&surroundings.observer), aliases.keys());
    let aliases = Arc::new(Aliases::new(aliases, surroundings.observer));
    let forms = Arc::new(Forms::default());
    let merged = Merged::new(Arc::clone(&aliases), Arc::clone(&forms)).telling(saved.clone());
    let budgeted = Budgeted::new(merged, Arc::clone(&surroundings.purse), tariffs);
    let answers = surroundings.answers.unwrap_or_else(|| Arc::new(MemoryAnswers::new(settings.cache_bytes)));
    let cached = Cached::new(budgeted, reuse, answers, Arc::clone(&forms)).telling(saved.clone());
    let journal = Journaled::new(cached, settings.journal_bytes, surroundings.store).telling(saved);
    let journal = Arc::new(journal);
    let checked = Checked::new(Arc::clone(&journal), rules, forms);
    let accounted = Accounted::new(checked, Arc::clone(&surroundings.purse));
    let models = Keepers { journal, purse: surroundings.purse, aliases };
    Ok(Gateway { model: Arc::new(Parted::new(accounted, bounds)), models: Arc::new(models) })
}

/// What targets share with those of other pipelines and hosts.
struct Shared<'a> {
    limits: &'a Limits,
    counters: Option<&'a Arc<dyn Counters>>,
    clock: &'a Clock,
    /// What each target has answered today before this process.
    earlier: &'a BTreeMap<Arc<str>, Spent>,
}

fn build_alias(settings: AliasSettings, shared: &Shared<'_>) -> anyhow::Result<Alias> {
    if settings.targets.is_empty() {
        bail!("it has no targets; add at least one to `targets`");
    }
    let build = |list: Vec<TargetSettings>, kind: &str| -> anyhow::Result<Vec<Target>> {
        let mut targets = Vec::new();
        for (index, target) in list.into_iter().enumerate() {
            let built = build_target(target, settings.max_concurrent.get(), shared);
            targets.push(built.with_context(|| format!("its {kind} {}", index + 1))?);
        }
        Ok(targets)
    };
    let usual = build(settings.targets, "target")?;
    let too_long = build(settings.on_too_long, "target for long requests")?;
    let filtered = build(settings.on_filtered, "target for refused requests")?;
    Ok(Alias::new(usual).with(too_long, filtered))
}

fn build_target(settings: TargetSettings, max_concurrent: usize, shared: &Shared<'_>) -> anyhow::Result<Target> {
    let (price, rates) = (prices::of(&settings), settings.limits());
    let target = match settings {
        TargetSettings::OpenAi(settings) => over_http(OpenAi::target(settings)?, rates, max_concurrent, shared),
        TargetSettings::Anthropic(settings) => over_http(Anthropic::target(settings)?, rates, max_concurrent, shared),
        TargetSettings::Gemini(settings) => over_http(Gemini::target(settings)?, rates, max_concurrent, shared),
        TargetSettings::Ollama(settings) => over_http(Ollama::target(settings)?, rates, max_concurrent, shared),
        TargetSettings::Scripted(settings) => {
            let provider = Scripted::new(script::read(&settings.script)?);
            Target {
                name: provider.name().to_owned(),
                timeout: settings::DEFAULT_TIMEOUT,
                limit: Share::new(max_concurrent),
                entry: Entry::new(Arc::default(), LimitSettings::default(), None),
                results: Arc::default(),
                price: None,
                provider: Box::new(provider),
            }
        }
    };
    Ok(Target { price, ..target })
}

/// A target with what it declares of its provider's limits.
fn over_http<A: Api + 'static>(
    target: Http<A>,
    rates: LimitSettings,
    max_concurrent: usize,
    Shared { limits, counters, clock, earlier }: &Shared<'_>,
) -> Target {
    let Reach { name, account, model, timeout, sent, .. } = target.server.reach();
    let endpoint = Endpoint { base_url: account.base_url.clone(), model: model.clone(), key: sent.last().digest() };
    let together =
        counters.map(|counters| Together::new(Arc::clone(counters), Arc::clone(clock), endpoint.counted_as()));
    let entry = Entry::new(limits.gate(endpoint.clone()), rates, together);
    if let Some(spent) = earlier.get(name.as_str()) {
        entry.used_before(Load::of(*spent), Day::passed(clock()));
    }
    Target {
        name: name.clone(),
        timeout: *timeout,
        limit: limits.concurrent(account.clone(), max_concurrent),
        entry,
        results: limits.results(endpoint),
        price: None,
        provider: Box::new(target),
    }
}
#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use gristmill_core::model::{ChatFailure, Timestamp};
    use gristmill_core::ports::{ModelError, Observers};

    use super::settings::{Budgets, OpenAiSettings};
    use super::*;

    fn built(targets: Vec<TargetSettings>) -> anyhow::Result<Gateway> {
        let models = [("smart".to_owned(), AliasSettings::new(targets))].into();
        let surroundings = Surroundings {
            store: None,
            answers: None,
            counters: None,
            limits: Arc::default(),
            purse: Arc::new(Purse::new(Budgets::default(), Arc::new(|| Timestamp(0)))),
            observer: Arc::new(Observers::default()),
        };
        build(Settings { models, ..Settings::default() }, surroundings)
    }

    fn fault(targets: Vec<TargetSettings>) -> String {
        built(targets).err().map_or_else(|| "built".into(), |error| format!("{error:#}"))
    }

    #[tokio::test]
    async fn how_much_of_the_work_is_done_here_reaches_the_limits_of_every_target() {
        let limits = settings::LimitSettings { requests_per_minute: NonZeroU64::new(60), ..Default::default() };
        let target = || TargetSettings::OpenAi(OpenAiSettings { limits, ..OpenAiSettings::new("m") });
        let gateway = built(vec![target(), target()]).unwrap();
        gateway.models.share(Portion::NONE);
        let asked = fixtures::request("x");
        let refused = gateway.model.chat(&fixtures::caller(1, "s", "a", 0), &asked).await.unwrap_err();
        let ModelError::Chat { failure: ChatFailure::RateLimited { message, .. }, .. } = refused else {
            panic!("{refused:?}");
        };
        assert!(message.contains("this host has no part of `requests_per_minute`"), "{message}");
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
