//! What may change while a pipeline runs: its plan and its stages.

use std::fmt;
use std::sync::Arc;

use super::settings::RetryPolicy;
use crate::model::Plan;
use crate::ports::{Model, Stage};

/// One version of a pipeline's plan and stages. Each job keeps the one that it began with.
pub struct Deployment {
    /// Counts up with each swap; 1 for the first.
    pub version: u64,
    /// The routes between the stages.
    pub plan: Arc<Plan>,
    /// The stages, in the order of the plan's nodes.
    pub steps: Vec<Step>,
    /// The models, told when a job is over; `None` when no stage may ask one.
    pub model: Option<Arc<dyn Model>>,
}

/// What runs at one node of the plan.
#[derive(Clone)]
pub struct Step {
    /// Its name in the pipeline file.
    pub name: Arc<str>,
    /// What runs.
    pub stage: Arc<dyn Stage>,
    /// SHA-256 of its module in hexadecimal, for the dead letters.
    pub digest: Arc<str>,
    /// How often an item is tried.
    pub retry: RetryPolicy,
    /// Under which fingerprint its outcomes are kept in the store; `None` keeps none.
    pub checkpoint: Option<Fingerprint>,
}

/// A digest of the code and the configuration of a stage: outcomes of one version are never taken for another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Debug for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deployment").field("version", &self.version).finish_non_exhaustive()
    }
}
