//! The metrics there are: their names, what they mean, and their labels. docs/metrics.md is made of them.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::labels::{
    Asked, AskedWith, Attempted, Build, Ended, Instances, OfLimit, OfPartition, OfPipeline, OfStage, OfTarget, Paused,
    Saved, Stored, Tokens, Trapped, WithFate, WithKind, WithReason, WithResult,
};

/// A number that goes up and down, with a fraction.
pub(super) type Fraction = Gauge<f64, AtomicU64>;
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
}

/// What is looked at when somebody asks.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    pub(super) ready: Gauge,
    pub(super) running: Family<OfPipeline, Gauge>,
    pub(super) deployment: Family<OfPipeline, Gauge>,
    pub(super) assigned: Family<OfPipeline, Gauge>,
    pub(super) partitions: Family<OfPipeline, Gauge>,
    pub(super) lag: Family<OfPartition, Gauge>,
    pub(super) backlog: Family<OfPartition, Gauge>,
    pub(super) read_ahead: Family<OfPipeline, Gauge>,
    pub(super) read_ahead_bytes: Family<OfPipeline, Gauge>,
    pub(super) source_silent: Family<OfPipeline, Fraction>,
    pub(super) in_flight: Family<OfPipeline, Gauge>,
    pub(super) in_flight_bytes: Family<OfPipeline, Gauge>,
    pub(super) waiting: Family<Paused, Gauge>,
    pub(super) held: Family<OfPipeline, Gauge>,
    pub(super) paused: Family<Paused, Gauge>,
    pub(super) paused_until: Family<Paused, Fraction>,
    pub(super) success: Family<OfPipeline, Fraction>,
    pub(super) broker: Family<OfPipeline, Gauge>,
    pub(super) store: Family<OfPipeline, Gauge>,
    pub(super) target: Family<OfTarget, Gauge>,
    pub(super) limit: Family<OfLimit, Fraction>,
    pub(super) limit_left: Family<OfLimit, Fraction>,
    pub(super) instances: Family<Instances, Gauge>,
    pub(super) most_instances: Gauge,
    pub(super) sandbox_memory: Gauge,
    pub(super) spans_sent: Counter,
    pub(super) spans_lost: Counter,
    pub(super) build: Family<Build, Gauge>,
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
        families
    }
}

impl Gauges {
    /// All of them, registered.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauges = Self::default();
        registry.register("ready", "1 if /readyz says so, else 0", gauges.ready.clone());
        registry.register(
            "pipeline_running",
            "1 while a pipeline runs, 0 after it stopped by itself",
            gauges.running.clone(),
        );
        registry.register("deployment_version", "The version that new jobs run", gauges.deployment.clone());
        registry.register("partitions_assigned", "Partitions that this host has", gauges.assigned.clone());
        registry.register(
            "partitions",
            "Partitions of the source in all, those of other hosts among them: more hosts than that have nothing to do",
            gauges.partitions.clone(),
        );
        registry.register(
            "consumer_lag",
            "Positions that are not settled, as the broker counts: it never comes to 0 behind transactions",
            gauges.lag.clone(),
        );
        registry.register(
            "backlog",
            "Records that wait to be settled, without what no consumer is given, such as the markers of transactions: 0 if \
             there is nothing to do. For scalers",
            gauges.backlog.clone(),
        );
        registry.register(
            "read_ahead_records",
            "Records that were read from the broker and wait for room in the pipeline, as of a few seconds ago",
            gauges.read_ahead.clone(),
        );
        registry.register("read_ahead_bytes", "Bytes of these records", gauges.read_ahead_bytes.clone());
        registry.register(
            "source_silent_seconds",
            "How long ago the source said that it turns, which it does every few seconds whether there is something to read or \
             not. From 300 on the watchdog is not fed any more",
            gauges.source_silent.clone(),
        );
        registry.register("jobs_in_flight", "Jobs whose event is taken and not settled", gauges.in_flight.clone());
        registry.register("in_flight_bytes", "Bytes of the events of jobs in flight", gauges.in_flight_bytes.clone());
        registry.register(
            "jobs_waiting",
            "Jobs in flight that wait for their turn by order, or for a transaction",
            gauges.waiting.clone(),
        );
        registry.register("jobs_held", "Jobs in flight that an outage holds", gauges.held.clone());
        registry.register(
            "paused",
            "1 while no events are taken, by what is waited for: operator, dependency, store, dead_letters or objects, \
             else 0. Scalers should not add hosts meanwhile",
            gauges.paused.clone(),
        );
        registry.register(
            "paused_until_seconds",
            "Until when no events are taken, by what is waited for, in seconds since 1970; 0 if they are, or nobody knows",
            gauges.paused_until.clone(),
        );
        registry.register(
            "success_ratio",
            "Of the jobs that ended with records or as dead letters in the last five minutes, the part with records",
            gauges.success.clone(),
        );
        registry.register("broker_reachable", "1 while a broker can be reached, else 0", gauges.broker.clone());
        registry.register(
            "store_answering",
            "1 while the state store answers or is not needed, else 0",
            gauges.store.clone(),
        );
        registry.register(
            "model_target",
            "1 for the state that a model at an address is in: open, limited, which is left alone for a time, or away, which \
             is only probed",
            gauges.target.clone(),
        );
        registry.register(
            "model_limit",
            "This host's part of a declared limit, by the key that sets it; those that hosts count together are left out",
            gauges.limit.clone(),
        );
        registry.register(
            "model_limit_left",
            "What may be used at once of this host's part of a declared limit. Of one for each minute that is little: it is used \
             evenly",
            gauges.limit_left.clone(),
        );
        registry.register(
            "sandbox_instances",
            "Instances of stages that run, or are idle until their next call",
            gauges.instances.clone(),
        );
        registry.register(
            "sandbox_instances_max",
            "Instances of stages that there may be",
            gauges.most_instances.clone(),
        );
        registry.register(
            "sandbox_memory_bytes",
            "Memory that instances of stages have, without what the host keeps for the next ones",
            gauges.sandbox_memory.clone(),
        );
        registry.register("spans_sent", "Spans of traces that the collector has taken", gauges.spans_sent.clone());
        registry.register(
            "spans_lost",
            "Spans of traces that did not fit into the queue, or that the collector did not take",
            gauges.spans_lost.clone(),
        );
        registry.register("build_info", "The version of the binary; always 1", gauges.build.clone());
        gauges
    }

    /// Forgets what belongs to pipelines, partitions and models that may be gone.
    pub(super) fn clear(&self) {
        self.running.clear();
        self.deployment.clear();
        self.assigned.clear();
        self.partitions.clear();
        self.lag.clear();
        self.backlog.clear();
        self.read_ahead.clear();
        self.read_ahead_bytes.clear();
        self.source_silent.clear();
        self.in_flight.clear();
        self.in_flight_bytes.clear();
        self.waiting.clear();
        self.held.clear();
        self.paused.clear();
        self.paused_until.clear();
        self.success.clear();
        self.broker.clear();
        self.store.clear();
        self.target.clear();
        self.limit.clear();
        self.limit_left.clear();
    }
}
