//! The parts of a pipeline that can change while it runs: its plan and its stages.

use std::fmt;
use std::sync::Arc;

use super::settings::RetryPolicy;
use crate::model::{Intake, Plan, Portion};
use crate::ports::{Models, Stage};

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
}

impl Deployment {
    /// How many events may share a task, of at most so many. Where a stage may wait each has its own: an event that waits
    /// must not hold what others need.
    pub(super) fn group_size(&self, most: usize) -> usize {
        let gathers = self.plan.nodes.iter().any(|node| node.intake == Intake::Gathered);
        match gathers || self.steps.iter().any(|step| step.waits == Waits::Maybe) {
            true => 1,
            false => most,
        }
    }

    /// Tells the models how much of the group's work is done here.
    pub(super) fn share(&self, portion: Portion) {
        if let Some(models) = &self.models {
            models.share(portion);
        }
    }
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
