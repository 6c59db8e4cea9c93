//! What a pipeline counts as it works, and what is known of it now. Called for everything that happens in the flow, from
//! many threads: each series is looked up once, and then only its number changes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use gristmill_core::flow::Status;
use gristmill_core::model::{ChatFailure, Spent, Usage};
use gristmill_core::ports::{
    CommitOutcome, End, Fate, FlowEvent, ModelOperation, Notice, Observer, PauseReason, Revocation, SavedBy,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use tokio::time::Instant;

use super::custom::Custom;
use super::families::{Families, Sum};
use super::labels::{
    Asked, AskedWith, ByReason, Ended, OfPipeline, Paused, Saved, Tokens, WithFate, WithKind, WithReason, WithResult,
};
use super::moment::{Lately, Moment, OfModel, Totals};
use super::seen::{News, State};
use super::stages::Stages;
use super::store::Store;
use super::window::{self, Window};

/// The reasons of a pipeline's dead letters, with their counters.
pub(super) type Reasons = ByReason<Counter>;

/// What a run of a pipeline shares with the runs before it.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) reasons: Arc<Reasons>,
    pub(super) custom: Arc<Custom>,
}

/// One run of a pipeline. Its counters go on from those of earlier runs in this process.
#[derive(Debug)]
pub struct PipelineMetrics {
    pub(super) name: Arc<str>,
    pub(super) families: Arc<Families>,
    jobs: Jobs,
    stages: Stages,
    counted: Counted,
    /// A lock, because models are asked side by side. Written only when one is asked for the first time.
    models: RwLock<Vec<Arc<Asking>>>,
    store: Store,
    /// Locked for what is rare: rebalances, pauses, reports of lag.
    state: Mutex<State>,
    /// Locked at the end of each job, for an addition.
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Jobs {
    events: Counter,
    emitted: Counter,
    deleted: Counter,
    dropped: Counter,
    dead_lettered: Counter,
    stale: Counter,
    records: Counter,
    seconds: Histogram,
}

/// One of the numbers of tokens that an answer says.
type TokensOf = fn(&Usage) -> Option<u64>;

/// A model that the pipeline asks by an alias.
#[derive(Debug)]
struct Asking {
    labels: Asked,
    seconds: Histogram,
    tokens: [(Counter, TokensOf); 5],
    cost: Sum,
    unpriced: Counter,
    answered: AtomicU64,
    failed: AtomicU64,
}

impl PipelineMetrics {
    pub(super) fn new(name: Arc<str>, families: Arc<Families>, counted: Counted) -> Self {
        let of_pipeline = OfPipeline { pipeline: Arc::clone(&name) };
        let ended = |end| families.jobs.get_or_create_owned(&Ended { pipeline: Arc::clone(&name), end });
        let jobs = Jobs {
            events: families.events.get_or_create_owned(&of_pipeline),
            emitted: ended("emitted"),
            deleted: ended("deleted"),
            dropped: ended("dropped"),
            dead_lettered: ended("dead_lettered"),
            stale: ended("stale"),
            records: families.records.get_or_create_owned(&of_pipeline),
            seconds: families.job_seconds.get_or_create_owned(&of_pipeline),
        };
        // From 0 on, so that the first that is lost shows as a rise.
        for fate in [Fate::Trimmed, Fate::Taken, Fate::Restored, Fate::Claimed] {
            let labels = WithFate { pipeline: Arc::clone(&name), fate: fate_label(fate) };
            drop(families.stream_entries.get_or_create(&labels));
        }
        Self {
            jobs,
            stages: Stages::new(Arc::clone(&name), Arc::clone(&families)),
            counted,
            models: RwLock::default(),
            store: Store::new(&name, &families),
            state: Mutex::default(),
            window: Mutex::new(Window::new(Instant::now())),
            name,
            families,
        }
    }

    /// What is known of the pipeline now; `status` is what its main loop says, if it answers.
    #[must_use]
    pub fn moment(&self, status: Option<&Status>) -> Moment {
        let now = Instant::now();
        let jobs = &self.jobs;
        let totals = Totals {
            events: jobs.events.get(),
            emitted: jobs.emitted.get(),
            records: jobs.records.get(),
            deleted: jobs.deleted.get(),
            dropped: jobs.dropped.get(),
            dead_lettered: jobs.dead_lettered.get(),
            stale: jobs.stale.get(),
        };
        let (ends, over) = self.window().sum(now);
        let state = self.state();
        Moment {
            name: Arc::clone(&self.name),
            all: state.all(),
            behind: state.behind(),
            pauses: status.map(|status| state.pauses(status, now)).unwrap_or_default(),
            lost: state.lost(now),
            silent: state.silent(now),
            ahead: state.ahead(),
            store_failing: state.failing(now),
            totals,
            lately: Lately { over, ends },
            reasons: self.counted.reasons.all().into_iter().map(|(reason, count)| (reason, count.get())).collect(),
            stages: self.stages.all(),
            models: self.models().iter().map(|asking| asking.totals()).collect(),
        }
    }

    /// How long ago its source said that it turns. `None` if it never has in this run.
    #[must_use]
    pub fn silent(&self) -> Option<Duration> {
        self.state().silent(Instant::now())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics midway through a change, so a poisoned state is still consistent; so below.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn models(&self) -> Vec<Arc<Asking>> {
        self.models.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn ended(&self, end: End<'_>, elapsed: Duration) {
        let jobs = &self.jobs;
        jobs.seconds.observe(elapsed.as_secs_f64());
        match end {
            End::Emitted(records) => {
                jobs.emitted.inc();
                jobs.records.inc_by(records as u64);
                self.window().note(window::Ended::Emitted, Instant::now());
            }
            End::Deleted(tombstones) => {
                jobs.deleted.inc();
                jobs.records.inc_by(tombstones as u64);
            }
            End::Dropped(_) => {
                jobs.dropped.inc();
            }
            End::DeadLettered(failed) => {
                jobs.dead_lettered.inc();
                let count = |reason: &Arc<str>| {
                    let (pipeline, reason) = (Arc::clone(&self.name), Arc::clone(reason));
                    self.families.dead_letters.get_or_create_owned(&WithReason { pipeline, reason })
                };
                self.counted.reasons.of(&failed.failure.code, count).inc();
                self.window().note(window::Ended::DeadLettered, Instant::now());
            }
        }
    }

    fn paused(&self, why: &PauseReason) {
        if self.state().paused(why, Instant::now()) == News::New {
            let labels = Paused { pipeline: Arc::clone(&self.name), reason: kind(why) };
            self.families.pauses.get_or_create(&labels).inc();
        }
    }

    fn rebalanced(&self, kind: &'static str) {
        self.families.rebalances.get_or_create(&WithKind { pipeline: Arc::clone(&self.name), kind }).inc();
    }

    fn noticed(&self, notice: &Notice) {
        let pipeline = Arc::clone(&self.name);
        match notice {
            Notice::Commit(outcome) => {
                let result = match outcome {
                    CommitOutcome::Done => "done",
                    CommitOutcome::Failed => "failed",
                    CommitOutcome::Aborted => "aborted",
                };
                self.families.commits.get_or_create(&WithResult { pipeline, result }).inc();
            }
            Notice::Irregular { fate, records } => {
                let labels = WithFate { pipeline, fate: fate_label(*fate) };
                self.families.stream_entries.get_or_create(&labels).inc_by(*records);
            }
            Notice::Broker(_) | Notice::Backlog { .. } | Notice::Turn | Notice::ReadAhead { .. } => {}
        }
        self.state().notice(notice, Instant::now());
    }

    /// The series of a model, made when it is asked for the first time.
    fn asking(&self, alias: &str, target: &str) -> Arc<Asking> {
        let is_it = |asking: &&Arc<Asking>| *asking.labels.alias == *alias && *asking.labels.target == *target;
        if let Some(known) = self.models.read().unwrap_or_else(PoisonError::into_inner).iter().find(is_it) {
            return Arc::clone(known);
        }
        let mut models = self.models.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = models.iter().find(is_it) {
            return Arc::clone(known);
        }
        let labels = Asked { pipeline: Arc::clone(&self.name), alias: alias.into(), target: target.into() };
        let new = Arc::new(Asking::new(labels, &self.families));
        models.push(Arc::clone(&new));
        new
    }
}

impl Observer for PipelineMetrics {
    fn observe(&self, event: &FlowEvent<'_>) {
        match event {
            FlowEvent::JobStarted { .. } => {
                self.jobs.events.inc();
            }
            FlowEvent::Attempt { stage, elapsed, result, .. } => self.stages.attempted(stage, *elapsed, result),
            FlowEvent::Restored { stage, .. } => self.stages.restored(stage),
            FlowEvent::Stale { .. } => {
                self.jobs.stale.inc();
            }
            FlowEvent::JobEnded { elapsed, end, .. } => self.ended(*end, *elapsed),
            FlowEvent::Paused { why, .. } => self.paused(why),
            FlowEvent::Resumed { why } => self.state().resumed(why),
            FlowEvent::Lag { partition, records } => self.state().lag(partition, *records),
            FlowEvent::Assigned { all, .. } => {
                self.rebalanced("assigned");
                self.state().assigned(*all);
            }
            FlowEvent::Revoked { partitions, how } => {
                self.rebalanced(match how {
                    Revocation::Asked => "revoked",
                    Revocation::Lost => "lost",
                });
                self.state().revoked(partitions);
            }
            FlowEvent::Notice(notice) => self.noticed(notice),
            FlowEvent::ModelCall { alias, target, exchange, elapsed, result, .. } => {
                let asking = self.asking(alias, target);
                asking.called(*elapsed, result);
                let Asked { pipeline, alias, target } = asking.labels.clone();
                let operation = match exchange.operation() {
                    ModelOperation::Chat => "chat",
                    ModelOperation::Embed => "embed",
                };
                let result = result.as_ref().map_or_else(|failure| failure.kind(), |_| "answered");
                let labels = AskedWith { pipeline, alias, target, operation, result };
                self.families.model_calls.get_or_create(&labels).inc();
            }
            FlowEvent::ModelCallSaved { alias, by, .. } => {
                let by = match by {
                    SavedBy::Journal => "journal",
                    SavedBy::Cache => "cache",
                    SavedBy::Merge => "merge",
                };
                let labels = Saved { pipeline: Arc::clone(&self.name), alias: (*alias).into(), by };
                self.families.model_calls_saved.get_or_create(&labels).inc();
            }
            FlowEvent::Measured { stage, measure } => {
                self.counted.custom.measured(&self.families, &self.name, stage, measure);
            }
            FlowEvent::StoreCall { operation, elapsed, outcome } => {
                self.store.of(*operation, *outcome).observe(elapsed.as_secs_f64());
                // A store that answers has nothing to tell, unless it did not before.
                self.state().store(*outcome, Instant::now());
            }
            // What is in flight, the main loop is asked for.
            _ => {}
        }
    }
}

impl Asking {
    fn new(labels: Asked, families: &Families) -> Self {
        let counter = |kind, of: fn(&Usage) -> Option<u64>| {
            let Asked { pipeline, alias, target } = labels.clone();
            (families.model_tokens.get_or_create_owned(&Tokens { pipeline, alias, target, kind }), of)
        };
        Self {
            seconds: families.model_seconds.get_or_create_owned(&labels),
            tokens: [
                counter("input", |usage| usage.input_tokens),
                counter("cache_read", |usage| usage.cache_read_input_tokens),
                counter("cache_write", |usage| usage.cache_write_input_tokens),
                counter("output", |usage| usage.output_tokens),
                counter("reasoning", |usage| usage.reasoning_tokens),
            ],
            cost: families.model_cost.get_or_create_owned(&labels),
            unpriced: families.model_unpriced.get_or_create_owned(&labels),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            labels,
        }
    }

    fn called(&self, elapsed: Duration, result: &Result<Usage, &ChatFailure>) {
        self.seconds.observe(elapsed.as_secs_f64());
        let Ok(usage) = result else {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.answered.fetch_add(1, Ordering::Relaxed);
        for (counter, of) in &self.tokens {
            counter.inc_by(of(usage).unwrap_or(0));
        }
        let spent = Spent::of(usage);
        self.cost.inc_by(spent.cost.get() as f64 / 1e9);
        self.unpriced.inc_by(spent.unpriced);
    }

    fn totals(&self) -> OfModel {
        let [input, _, _, output, _] = &self.tokens;
        OfModel {
            alias: Arc::clone(&self.labels.alias),
            target: Arc::clone(&self.labels.target),
            answered: self.answered.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            input_tokens: input.0.get(),
            output_tokens: output.0.get(),
            cost_usd: self.cost.get(),
        }
    }
}

fn fate_label(fate: Fate) -> &'static str {
    match fate {
        Fate::Trimmed => "trimmed",
        Fate::Taken => "taken",
        Fate::Restored => "restored",
        Fate::Claimed => "claimed",
    }
}

/// A kind of reason as a label.
pub(super) fn kind(why: &PauseReason) -> &'static str {
    match why {
        PauseReason::Operator => "operator",
        PauseReason::Dependency { .. } => "dependency",
        PauseReason::Store(_) => "store",
        PauseReason::DeadLetters(_) => "dead_letters",
        PauseReason::Objects(_) => "objects",
    }
}
