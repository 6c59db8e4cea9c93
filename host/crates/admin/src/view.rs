//! What the server tells about a host: the bodies of `/healthz` and `/v1/pipelines`, which programs may rely on. A later
//! version may add members; those that are here keep their names and meanings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::reason::Reason;

/// A host at one moment: the body of `/healthz`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HostView {
    /// The version of the binary.
    pub version: String,
    /// How long the process has been running.
    pub uptime_seconds: f64,
    /// What the process as a whole does.
    pub phase: Phase,
    /// Why it is not ready; empty if it is. What [`readiness`](super::readiness) says of the rest.
    pub reasons: Vec<Reason>,
    /// What is on disk and does not run, and why; what ran before goes on. Empty if there is nothing of that kind. No reason
    /// not to be ready.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// Its pipelines by name, those that have stopped by themselves among them.
    pub pipelines: Vec<PipelineView>,
    /// The models that its pipelines ask, by address and name.
    pub targets: Vec<TargetView>,
    /// The instances of stages.
    pub sandbox: SandboxView,
}

/// Something on disk that was not taken on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// The pipeline. Absent if files cannot be read, so that nobody knows whose they are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pipeline: Option<String>,
    /// The stage whose module it is. Absent if it is the pipeline's file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stage: Option<String>,
    /// Why.
    pub message: String,
}

/// The body of `GET /v1/pipelines`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PipelineList {
    /// By name.
    pub pipelines: Vec<PipelineView>,
}

/// What a process does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Stages are loaded, brokers are reached. No pipeline runs yet.
    #[default]
    Starting,
    /// Pipelines run.
    Running,
    /// It was asked to stop: jobs in flight may end.
    Stopping,
}

/// A pipeline at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PipelineView {
    /// Its name.
    pub name: String,
    /// Whether it runs.
    pub state: PipelineState,
    /// Why it stopped by itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stopped: Option<String>,
    /// The version of the deployment that new jobs run: 1 at the start, one more with each swap.
    pub deployment: u64,
    /// The deployments that new jobs run or that jobs in flight still run, by version.
    #[serde(default)]
    pub live: Vec<LiveView>,
    /// The deployment that a share of the new jobs runs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub canary: Option<CanaryView>,
    /// The topic of its events.
    pub source: String,
    /// The consumer group.
    pub group: String,
    /// The topic of its results.
    pub sink: String,
    /// The topic of its dead letters.
    pub dead_letters: String,
    /// Its stages, in the order of its file.
    pub stages: Vec<StageView>,
    /// Whether an assignment has arrived since it started, be it of no partition.
    pub assigned: bool,
    /// The partitions of this host, in order.
    pub partitions: Vec<PartitionView>,
    /// How many partitions the source has in all, those of other hosts among them.
    pub partitions_in_all: u64,
    /// What is in flight.
    pub in_flight: InFlight,
    /// Why no events are taken for now; empty if they are.
    pub pauses: Vec<PauseView>,
    /// What it has done since the process started.
    pub totals: Totals,
    /// What it has done lately.
    pub recent: Recent,
    /// Its dead letters since the process started, by reason. Of many reasons some are counted as "other".
    pub dead_letters_by_reason: BTreeMap<String, u64>,
    /// The models that it has asked since the process started.
    pub models: Vec<ModelView>,
    /// Whether its broker can be reached.
    pub broker: BrokerView,
    /// Whether its state store answers.
    pub store: StoreView,
}

/// Whether a pipeline runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PipelineState {
    /// Its main loop does not answer.
    #[default]
    Stuck,
    /// It takes events, as far as there is room and no dependency holds it up.
    Running,
    /// An operator has paused it.
    Paused,
    /// It takes no new events, and ends when its jobs have.
    Draining,
    /// It has ended, to be started again with another file.
    Restarting,
    /// It has stopped by itself.
    Stopped,
}

/// A deployment that is in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveView {
    /// Its version.
    pub deployment: u64,
    /// How many of its jobs are in flight.
    pub jobs: u64,
}

/// A deployment that a share of the new jobs runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CanaryView {
    /// Its version.
    pub deployment: u64,
    /// The share, as "5%".
    pub share: String,
    /// What is known of its jobs.
    pub canary: TallyView,
    /// What is known of those of the deployment that serves, in the same time.
    pub serving: TallyView,
}

/// Jobs of a deployment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TallyView {
    /// How many ended.
    pub jobs: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How long 95% of them took at most. Absent while there are too few.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p95_seconds: Option<f64>,
}

/// A stage of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StageView {
    /// Its name.
    pub name: String,
    /// SHA-256 of its module, in hexadecimal.
    pub digest: String,
    /// How often it was called since the process started.
    pub attempts: u64,
    /// How many of these calls failed, rejections and pauses left out.
    pub failed: u64,
    /// How long these calls took together, waiting included.
    pub seconds: f64,
}

/// A partition that this host has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PartitionView {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub partition: u32,
    /// The generation of its assignment.
    pub generation: u64,
    /// Everything below this position is settled. Absent until something is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub settled: Option<String>,
    /// How many positions are not settled, as the broker counts. Absent until that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lag: Option<u64>,
    /// How many records wait to be settled, without what no consumer is given, such as the markers of transactions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub backlog: Option<u64>,
}

/// What is in flight in a pipeline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// Jobs whose event was taken and is not settled yet.
    pub jobs: u64,
    /// Bytes of their events.
    pub bytes: u64,
    /// How many of them wait for another one with their key or partition.
    pub waiting_for_order: u64,
    /// How many wait for a transaction.
    pub waiting_for_transaction: u64,
    /// How many an outage holds.
    pub held: u64,
}

/// Why no events are taken for a while.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PauseView {
    /// What kind of reason.
    pub reason: PauseKind,
    /// The stage whose dependency is waited for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stage: Option<String>,
    /// The reason, for people.
    pub message: String,
    /// How long this has been so.
    pub since_seconds: f64,
    /// How much longer no events are taken. Absent if that is until an operator resumes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub left_seconds: Option<f64>,
}

/// A kind of reason to take no events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseKind {
    /// An operator said so.
    #[default]
    Operator,
    /// A dependency of a stage is limited or away.
    Dependency,
    /// The state store does not answer.
    Store,
    /// The dead letters cannot be read.
    DeadLetters,
    /// The object store does not answer.
    Objects,
}

/// What a pipeline has done since the process started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Events that were taken.
    pub events: u64,
    /// Jobs that ended with records in the sink; so below.
    pub emitted: u64,
    /// These records.
    pub records: u64,
    /// Jobs that deleted their document.
    pub deleted: u64,
    /// Jobs that were filtered out.
    pub dropped: u64,
    /// Jobs that ended in the dead letters.
    pub dead_lettered: u64,
    /// Jobs whose partition was given away before they were settled.
    pub stale: u64,
}

/// What a pipeline has done lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Recent {
    /// Over how long.
    pub seconds: f64,
    /// Jobs that ended with records in the sink.
    pub emitted: u64,
    /// Jobs that ended in the dead letters.
    pub dead_lettered: u64,
    /// The first of both. Absent if no job ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub success_rate: Option<f64>,
}

/// A model that a pipeline has asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelView {
    /// By which alias.
    pub alias: String,
    /// The target, as "provider/model".
    pub target: String,
    /// Calls that were answered.
    pub answered: u64,
    /// Calls that were not.
    pub failed: u64,
    /// Tokens of the requests.
    pub input_tokens: u64,
    /// Tokens of the answers.
    pub output_tokens: u64,
    /// What the answers cost, as far as that is known.
    pub cost_usd: f64,
}

/// Whether a broker can be reached, and whether the source that reads from it turns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BrokerView {
    /// For how long it has not been. Absent if it can be.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lost_seconds: Option<f64>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
    /// How long ago the source said that it turns, which it does every few seconds. Absent before it has.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub silent_seconds: Option<f64>,
}

/// Whether a state store answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct StoreView {
    /// For how long it has not answered. Absent if it does, or if the pipeline has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failing_seconds: Option<f64>,
}

/// A model at an address, which all pipelines of the host share.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetView {
    /// The address.
    pub address: String,
    /// The model.
    pub model: String,
    /// Whether it is asked.
    pub state: TargetState,
    /// How much longer it is left alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub left_seconds: Option<f64>,
    /// Its limits, as far as they are declared.
    pub limits: Vec<LimitView>,
}

/// Whether a model is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// Yes.
    #[default]
    Open,
    /// Not before the time that it asked for.
    Limited,
    /// It answers nobody, and is only probed.
    Away,
}

/// A declared limit of a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitView {
    /// The key that sets it, such as "requests_per_minute".
    pub name: String,
    /// This host's part of it.
    pub limit: f64,
    /// What may be used of that at once. Of a limit for each minute that is little: it is used evenly.
    pub left: f64,
}

/// The instances of stages in a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxView {
    /// Instances that run.
    pub running: u64,
    /// Instances that are kept for their next call.
    pub idle: u64,
    /// How many there may be.
    pub most: u64,
}
