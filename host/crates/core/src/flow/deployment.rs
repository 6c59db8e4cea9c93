//! The parts of a pipeline that can change while it runs: its plan and its stages.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::settings::RetryPolicy;
use crate::model::{CanaryTerms, Intake, Plan, Portion, Share};
use crate::ports::{Models, Stage};

/// Short enough to hold nobody up and to keep all cores busy, long against what a task costs.
const SPAN: Duration = Duration::from_millis(2);
/// The same where outcomes are kept: the jobs of a task share their writes, each of which takes about a millisecond and a sync
/// of the disk.
const SPAN_WITH_WRITES: Duration = Duration::from_millis(8);

/// One version of a pipeline's plan and stages. Each job keeps the version it started with.
pub struct Deployment {
    /// 1 for the first; each swap increments it.
    pub version: u64,
    /// The routes between the stages.
    pub plan: Arc<Plan>,
    /// The stages, in the order of the plan's nodes.
    pub steps: Vec<Step>,
    /// The models, which are told when a job ends. `None` if no stage may ask one.
    pub models: Option<Arc<dyn Models>>,
    /// The value of the header that names the modules of the stages.
    pub(super) modules: Bytes,
}

/// How many digits of a module's digest an output carries: enough to tell versions apart, few enough for every record.
const DIGITS: usize = 16;

impl Deployment {
    /// A deployment of these steps, one for each node of the plan.
    #[must_use]
    pub fn new(version: u64, plan: Arc<Plan>, steps: Vec<Step>, models: Option<Arc<dyn Models>>) -> Self {
        let mut modules = String::new();
        for step in &steps {
            let separator = if modules.is_empty() { "" } else { "," };
            let digits = &step.digest[..step.digest.floor_char_boundary(DIGITS)];
            // Writing to a string cannot fail.
            let _ = write!(modules, "{separator}{}={digits}", step.name);
        }
        Self { version, plan, steps, models, modules: modules.into() }
    }

    /// How long the jobs of one task should compute, altogether. `None` where a stage may wait: then each event has a task of
    /// its own, because one that waits must not hold what others need.
    pub(super) fn span(&self) -> Option<Duration> {
        let gathers = self.plan.nodes.iter().any(|node| node.intake == Intake::Gathered);
        match gathers || self.steps.iter().any(|step| step.waits == Waits::Maybe) {
            true => None,
            false if self.keeps_outcomes() => Some(SPAN_WITH_WRITES),
            false => Some(SPAN),
        }
    }

    /// Whether outcomes of a stage are kept, if there is a store.
    pub(super) fn keeps_outcomes(&self) -> bool {
        self.steps.iter().any(|step| step.checkpoint.is_some())
    }

    /// Tells the models how much of the group's work is done here.
    pub(super) fn share(&self, portion: Portion) {
        if let Some(models) = &self.models {
            models.share(portion);
        }
    }
}

/// A deployment on trial beside the one that serves.
#[derive(Debug, Clone)]
pub struct Canary {
    /// Its version must be another than that of any deployment whose jobs have not ended.
    pub deployment: Arc<Deployment>,
    /// Which part of the jobs it gets.
    pub share: Share,
    /// By what it is judged.
    pub terms: CanaryTerms,
}

/// Whether a stage waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// No: it only computes.
    Never,
    /// For something outside, such as a model.
    Maybe,
}

/// What runs at one node of the plan.
#[derive(Clone)]
pub struct Step {
    /// The stage's name in the pipeline file.
    pub name: Arc<str>,
    /// The stage itself.
    pub stage: Arc<dyn Stage>,
    /// SHA-256 of its module in hexadecimal, for dead letters.
    pub digest: Arc<str>,
    /// How often an item is tried, and how long to wait in between.
    pub retry: RetryPolicy,
    /// Whether it may wait.
    pub waits: Waits,
    /// The fingerprint under which its outcomes are kept in the store. `None` if they are not kept.
    pub checkpoint: Option<Fingerprint>,
}

/// A digest of a stage's code and configuration, so that outcomes of one version are never used for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Debug for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deployment").field("version", &self.version).finish_non_exhaustive()
    }
}
