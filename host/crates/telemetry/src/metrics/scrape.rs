//! What is looked at when somebody asks, as metrics.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gristmill_core::flow::Status;
use gristmill_core::model::Timestamp;

use super::gauges::Gauges;
use super::labels::{Build, Instances, OfLimit, OfPartition, OfPipeline, OfTarget, Paused};
use super::moment::Moment;
use super::pipeline::kind;
use super::seen::Pause;

/// A host at the moment at which somebody asks.
#[derive(Debug, Clone)]
pub struct Scrape<'a> {
    /// The time.
    pub now: Timestamp,
    /// Whether it is ready.
    pub readiness: Readiness,
    /// The version of the binary.
    pub version: &'static str,
    /// The pipelines that run.
    pub pipelines: Vec<(&'a Moment, Option<&'a Status>)>,
    /// The pipelines that have stopped by themselves.
    pub stopped: Vec<Arc<str>>,
    /// The models that they ask.
    pub targets: Vec<TargetNow>,
    /// The instances of stages.
    pub sandbox: SandboxNow,
    /// The spans of traces.
    pub spans: SpansNow,
}

/// What became of the spans of traces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpansNow {
    /// How many the collector has taken.
    pub sent: u64,
    /// How many are lost.
    pub lost: u64,
}

/// Whether a host is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It is.
    Ready,
    /// It is not.
    NotReady,
}

/// A model at an address.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetNow {
    /// The address.
    pub address: String,
    /// The model.
    pub model: String,
    /// Whether it is asked: "open", "limited" or "away".
    pub state: &'static str,
    /// The limits that are declared: the key, this host's part, and what is left of it.
    pub limits: Vec<(&'static str, f64, f64)>,
}

/// The instances of stages in the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SandboxNow {
    /// How many run.
    pub running: usize,
    /// How many are kept for their next call.
    pub idle: usize,
    /// How many there may be.
    pub most: usize,
    /// What they have together, in bytes.
    pub memory: usize,
}

/// The states that a model can be in.
const STATES: [&str; 3] = ["open", "limited", "away"];
/// What a pipeline may wait for.
const REASONS: [&str; 4] = ["operator", "dependency", "store", "dead_letters"];

impl Gauges {
    /// Sets all of them anew.
    pub(super) fn set(&self, scrape: &Scrape<'_>) {
        self.clear();
        self.ready.set(i64::from(scrape.readiness == Readiness::Ready));
        self.build.get_or_create(&Build { version: scrape.version }).set(1);
        for (moment, status) in &scrape.pipelines {
            self.running.get_or_create(&OfPipeline { pipeline: Arc::clone(&moment.name) }).set(1);
            self.moment(moment);
            if let Some(status) = status {
                self.status(&moment.name, status);
                self.pauses(moment, scrape.now);
            }
        }
        for name in &scrape.stopped {
            self.running.get_or_create(&OfPipeline { pipeline: Arc::clone(name) }).set(0);
        }
        for target in &scrape.targets {
            self.target(target);
        }
        let SandboxNow { running, idle, most, memory } = scrape.sandbox;
        for (state, count) in [("running", running), ("idle", idle)] {
            self.instances.get_or_create(&Instances { state }).set(number(count));
        }
        self.most_instances.set(number(most));
        self.sandbox_memory.set(number(memory));
        for (counter, spans) in [(&self.spans_sent, scrape.spans.sent), (&self.spans_lost, scrape.spans.lost)] {
            counter.inner().store(spans, Ordering::Relaxed);
        }
    }

    fn moment(&self, moment: &Moment) {
        let labels = OfPipeline { pipeline: Arc::clone(&moment.name) };
        if let Some(all) = moment.all {
            self.partitions.get_or_create(&labels).set(number(all));
        }
        for (partition, behind) in &moment.behind {
            let of_partition = OfPartition {
                pipeline: Arc::clone(&moment.name),
                topic: Arc::clone(&partition.topic),
                partition: partition.index,
            };
            let numbers = [(&self.lag, behind.lag), (&self.backlog, behind.backlog.or(behind.lag))];
            for (gauge, records) in numbers {
                if let Some(records) = records {
                    gauge.get_or_create(&of_partition).set(i64::try_from(records).unwrap_or(i64::MAX));
                }
            }
        }
        if let Some(ahead) = moment.ahead {
            for (gauge, count) in [(&self.read_ahead, ahead.records), (&self.read_ahead_bytes, ahead.bytes)] {
                gauge.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
        if let Some(silent) = moment.silent {
            self.source_silent.get_or_create(&labels).set(silent.as_secs_f64());
        }
        if let Some(rate) = moment.lately.ends.success_rate() {
            self.success.get_or_create(&labels).set(rate);
        }
        self.broker.get_or_create(&labels).set(i64::from(moment.lost.is_none()));
        self.store.get_or_create(&labels).set(i64::from(moment.store_failing.is_none()));
    }

    fn status(&self, name: &Arc<str>, status: &Status) {
        let labels = OfPipeline { pipeline: Arc::clone(name) };
        let numbers = [
            (&self.assigned, status.partitions.len()),
            (&self.in_flight, status.queues.jobs),
            (&self.in_flight_bytes, status.queues.bytes),
            (&self.held, status.held),
        ];
        for (gauge, count) in numbers {
            gauge.get_or_create(&labels).set(number(count));
        }
        self.live.get_or_create(&labels).set(number(status.live.len()));
        self.deployment.get_or_create(&labels).set(i64::try_from(status.deployment).unwrap_or(i64::MAX));
        let waiting =
            [("order", status.queues.waiting_for_order), ("transaction", status.queues.waiting_for_transaction)];
        for (reason, count) in waiting {
            self.waiting.get_or_create(&Paused { pipeline: Arc::clone(name), reason }).set(number(count));
        }
    }

    fn pauses(&self, moment: &Moment, now: Timestamp) {
        for reason in REASONS {
            let labels = Paused { pipeline: Arc::clone(&moment.name), reason };
            let pauses = || moment.pauses.iter().filter(|pause| kind(&pause.why) == reason);
            let until = pauses().filter_map(|pause| until(pause, now)).fold(0.0, f64::max);
            self.paused.get_or_create(&labels).set(i64::from(pauses().next().is_some()));
            self.paused_until.get_or_create(&labels).set(until);
        }
    }

    fn target(&self, target: &TargetNow) {
        let TargetNow { address, model, state, limits } = target;
        for known in STATES {
            let labels = OfTarget { address: address.clone(), model: model.clone(), state: known };
            self.target.get_or_create(&labels).set(i64::from(known == *state));
        }
        for (limit, part, left) in limits {
            let labels = OfLimit { address: address.clone(), model: model.clone(), limit };
            self.limit.get_or_create(&labels).set(*part);
            self.limit_left.get_or_create(&labels).set(*left);
        }
    }
}

/// When a pause is over, in seconds since 1970, if that is in the future.
fn until(pause: &Pause, now: Timestamp) -> Option<f64> {
    let left = pause.left.filter(|left| *left > Duration::ZERO)?;
    Some(now.0 as f64 / 1e3 + left.as_secs_f64())
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
