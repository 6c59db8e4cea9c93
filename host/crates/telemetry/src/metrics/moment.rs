//! A pipeline at one moment, as its observer knows it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gristmill_core::model::Partition;

use super::seen::{Ahead, Behind, Pause};
use super::window::Ends;

/// A pipeline at one moment. What counts, counts since the process started, over all runs of the pipeline, unless it says
/// otherwise.
#[derive(Debug, Clone)]
pub struct Moment {
    /// Its name.
    pub name: Arc<str>,
    /// How many partitions its source has in all. `None` before the first assignment of this run.
    pub all: Option<usize>,
    /// How far behind it is in partitions that it has or had in this run.
    pub behind: BTreeMap<Partition, Behind>,
    /// Why no events are taken; empty if they are, or if its main loop does not answer.
    pub pauses: Vec<Pause>,
    /// For how long its broker has been lost, and why.
    pub lost: Option<(Duration, String)>,
    /// How long ago its source said that it turns. `None` if it never has.
    pub silent: Option<Duration>,
    /// What its source has read ahead. `None` until it says so.
    pub ahead: Option<Ahead>,
    /// For how long its state store has not answered.
    pub store_failing: Option<Duration>,
    /// What it has done.
    pub totals: Totals,
    /// What it has done lately, in this run.
    pub lately: Lately,
    /// Its dead letters by reason, in no order.
    pub reasons: Vec<(Arc<str>, u64)>,
    /// Its stages that were called in this run, in no order.
    pub stages: Vec<OfStage>,
    /// The models that it asked in this run, in the order in which it first did.
    pub models: Vec<OfModel>,
}

/// What a pipeline has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Events that were taken.
    pub events: u64,
    /// Jobs that ended with records in the sink; so below.
    pub emitted: u64,
    /// These records, and tombstones.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lately {
    /// Over how long.
    pub over: Duration,
    /// How its jobs ended.
    pub ends: Ends,
}

/// Calls of a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct OfStage {
    /// The stage.
    pub name: Arc<str>,
    /// How many there were.
    pub attempts: u64,
    /// How many of them failed, without rejections and those that waited for a dependency.
    pub failed: u64,
    /// How long they took together, in this run.
    pub took: Duration,
}

/// Calls of a model by an alias.
#[derive(Debug, Clone, PartialEq)]
pub struct OfModel {
    /// The alias.
    pub alias: Arc<str>,
    /// The target, as "provider/model".
    pub target: Arc<str>,
    /// How many were answered, in this run.
    pub answered: u64,
    /// How many were not, in this run.
    pub failed: u64,
    /// Tokens of the requests.
    pub input_tokens: u64,
    /// Tokens of the answers.
    pub output_tokens: u64,
    /// What the answers cost, as far as that is known.
    pub cost_usd: f64,
}
