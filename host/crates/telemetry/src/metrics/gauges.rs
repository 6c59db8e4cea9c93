//! What is looked at when somebody asks: the gauges there are.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::{Build, Instances, OfLimit, OfPartition, OfPipeline, OfTarget, Paused};

/// A number that goes up and down, with a fraction.
pub(super) type Fraction = Gauge<f64, AtomicU64>;

/// What is looked at when somebody asks.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    pub(super) ready: Gauge,
    pub(super) running: Family<OfPipeline, Gauge>,
    pub(super) deployment: Family<OfPipeline, Gauge>,
    pub(super) live: Family<OfPipeline, Gauge>,
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
        registry.register(
            "deployments_live",
            "Deployments in memory: those that new jobs run, and those that jobs in flight began with",
            gauges.live.clone(),
        );
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
        self.live.clear();
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
