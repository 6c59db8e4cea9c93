//! The metrics there are: their names, what they mean, and their labels. docs/metrics.md is made of them.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::custom::Labels;
use super::labels::{
    Asked, AskedWith, Attempted, Ended, OfPipeline, OfStage, Paused, Saved, Stored, Tokens, Trapped, WithFate,
    WithKind, WithReason, WithResult,
};
use super::versions::Versions;

/// A sum that only grows, with a fraction.
pub(super) type Sum = Counter<f64, AtomicU64>;

/// Durations by what is measured, in seconds: where one bucket ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buckets(&'static [f64]);

/// A call of a stage: from what takes no time to what waits for a model.
const STAGE: Buckets = Buckets(&[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    120.0,
]);
/// A job: its stages, its waits and its acknowledgement.
const JOB: Buckets = Buckets(&[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0,
]);
/// A call of a model.
const MODEL: Buckets = Buckets(&[0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0]);
/// A call of the state store.
const STORE: Buckets =
    Buckets(&[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0]);

/// Whatever a stage measures: it may be seconds, bytes, or a share of one.
const CUSTOM: Buckets = Buckets(&[
    0.001,
    0.01,
    0.1,
    0.25,
    0.5,
    0.75,
    0.9,
    1.0,
    2.5,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    1_000.0,
    10_000.0,
    100_000.0,
    1_000_000.0,
]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// Durations with a label set.
pub(super) type Durations<S> = Family<S, Histogram, Buckets>;

/// What pipelines count as they work.
#[derive(Debug)]
pub(super) struct Families {
    pub(super) events: Family<OfPipeline, Counter>,
    pub(super) jobs: Family<Ended, Counter>,
    pub(super) job_seconds: Durations<OfPipeline>,
    pub(super) records: Family<OfPipeline, Counter>,
    pub(super) dead_letters: Family<WithReason, Counter>,
    pub(super) attempts: Family<Attempted, Counter>,
    pub(super) stage_seconds: Durations<OfStage>,
    pub(super) restored: Family<OfStage, Counter>,
    pub(super) traps: Family<Trapped, Counter>,
    pub(super) pauses: Family<Paused, Counter>,
    pub(super) rebalances: Family<WithKind, Counter>,
    pub(super) commits: Family<WithResult, Counter>,
    pub(super) stream_entries: Family<WithFate, Counter>,
    pub(super) model_calls: Family<AskedWith, Counter>,
    pub(super) model_calls_saved: Family<Saved, Counter>,
    pub(super) model_seconds: Durations<Asked>,
    pub(super) model_tokens: Family<Tokens, Counter>,
    pub(super) model_cost: Family<Asked, Sum>,
    pub(super) model_unpriced: Family<Asked, Counter>,
    pub(super) store_seconds: Durations<Stored>,
    pub(super) custom: Family<Labels, Counter>,
    pub(super) custom_values: Durations<Labels>,
    pub(super) custom_dropped: Family<OfStage, Counter>,
    pub(super) versions: Versions,
}

fn durations<S: EncodeLabelSet + Clone + std::hash::Hash + Eq>(buckets: Buckets) -> Durations<S> {
    Family::new_with_constructor(buckets)
}

impl Families {
    /// All of them, registered. The registry adds the prefix, and `_total` to counters.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let families = Self {
            events: Family::default(),
            jobs: Family::default(),
            job_seconds: durations(JOB),
            records: Family::default(),
            dead_letters: Family::default(),
            attempts: Family::default(),
            stage_seconds: durations(STAGE),
            restored: Family::default(),
            traps: Family::default(),
            pauses: Family::default(),
            rebalances: Family::default(),
            commits: Family::default(),
            stream_entries: Family::default(),
            model_calls: Family::default(),
            model_calls_saved: Family::default(),
            model_seconds: durations(MODEL),
            model_tokens: Family::default(),
            model_cost: Family::default(),
            model_unpriced: Family::default(),
            store_seconds: durations(STORE),
            custom: Family::default(),
            custom_values: durations(CUSTOM),
            custom_dropped: Family::default(),
            versions: Versions::register(registry),
        };
        let Self {
            events,
            jobs,
            job_seconds,
            records,
            dead_letters,
            attempts,
            stage_seconds,
            restored,
            traps,
            pauses,
            rebalances,
            commits,
            stream_entries,
            model_calls,
            model_calls_saved,
            model_seconds,
            model_tokens,
            model_cost,
            model_unpriced,
            store_seconds,
            custom,
            custom_values,
            custom_dropped,
            versions: _,
        } = &families;
        registry.register("events", "Events that were taken", events.clone());
        registry.register(
            "jobs",
            "Jobs by how they ended: emitted, deleted, dropped, dead_lettered, or stale, which is their partition was given \
             away before they were settled",
            jobs.clone(),
        );
        registry.register(
            "job_seconds",
            "From the moment on at which an event was taken until all that came of it is acknowledged",
            job_seconds.clone(),
        );
        registry.register(
            "records",
            "Records that are acknowledged in the sink, tombstones among them",
            records.clone(),
        );
        registry.register(
            "dead_letters",
            "Dead letters by reason. Of what stages make up, the first 50 reasons of a pipeline are told, and all others as \
             other",
            dead_letters.clone(),
        );
        registry.register(
            "stage_attempts",
            "Calls of a stage by what came of them: emitted, dropped, rejected, retryable, permanent, trapped, held by a \
             dependency, or ended because of the store or the host",
            attempts.clone(),
        );
        registry.register("stage_seconds", "How long calls of a stage took, waiting included", stage_seconds.clone());
        registry.register(
            "stage_restored",
            "Calls of a stage that were spared because their outcome was kept",
            restored.clone(),
        );
        registry.register(
            "stage_traps",
            "Calls of a stage that the sandbox ended: trap, memory-limit, cpu-limit or bad-call",
            traps.clone(),
        );
        registry.register(
            "pauses",
            "Times at which a pipeline began to take no events, by what it waits for: operator, dependency, store, \
             dead_letters or objects",
            pauses.clone(),
        );
        registry.register(
            "rebalances",
            "Times at which partitions came or went: assigned, revoked, or lost without a word of the group",
            rebalances.clone(),
        );
        registry.register(
            "commits",
            "Reports to the broker of what is settled: done, failed, which is repeated, or aborted, which is a transaction \
             that is tried again",
            commits.clone(),
        );
        registry.register(
            "stream_entries",
            "Entries of a Redis stream that went another way than from one delivery to one acknowledgement: trimmed before they \
             were settled, which are lost, taken by another host while they were in work, restored after their consumer or group \
             was deleted, or claimed from a host that had fallen silent",
            stream_entries.clone(),
        );
        registry.register("model_calls", "Calls of models: answered, or the kind of failure", model_calls.clone());
        registry.register(
            "model_calls_saved",
            "Requests of models that were answered without a call of their own: by the journal of the job, the cache of \
             answers, or a call that several shared",
            model_calls_saved.clone(),
        );
        registry.register("model_seconds", "How long calls of models took", model_seconds.clone());
        registry.register(
            "model_tokens",
            "Tokens that models counted: input, output, and of these cache_read, cache_write and reasoning",
            model_tokens.clone(),
        );
        registry.register(
            "model_cost_usd",
            "What answers of models cost in US dollars, as far as prices are known",
            model_cost.clone(),
        );
        registry.register("model_unpriced", "Answers of models whose price is not known", model_unpriced.clone());
        registry.register("store_seconds", "How long calls of the state store took", store_seconds.clone());
        registry.register(
            "stage_custom",
            "What stages with the grant metrics count of their own, under a name and labels that they choose",
            custom.clone(),
        );
        registry.register("stage_custom_values", "What they measure of their own, likewise", custom_values.clone());
        registry.register(
            "stage_custom_dropped",
            "What they counted or measured beyond 200 different labels of a stage, and which is in none of these",
            custom_dropped.clone(),
        );
        families
    }
}
