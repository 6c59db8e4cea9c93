//! What the checks look at, and what they find.

use gristmill_config::Fault;
use gristmill_wasm::Described;

use super::said::Said;
use crate::settings::{OnFailure, Pipeline};

/// What was found, each at its place.
#[derive(Debug, Default)]
pub(in crate::app) struct Findings {
    /// What cannot work.
    pub(in crate::app) faults: Vec<Fault>,
    /// What is hardly meant.
    pub(in crate::app) warnings: Vec<Fault>,
}

/// The stages of a pipeline, and what they say.
pub(super) struct Stages<'p> {
    pub(super) pipeline: &'p Pipeline,
    pub(super) described: &'p [Described],
    pub(super) said: &'p [Said],
}

impl Stages<'_> {
    pub(super) fn name(&self, index: usize) -> &str {
        &self.pipeline.stages[index].name
    }

    /// Whether a failure of an item in this stage is what somebody wants to hear of.
    pub(super) fn fails_loudly(&self, index: usize) -> bool {
        matches!(self.pipeline.stages[index].on_failure, OnFailure::DeadLetter)
    }
}
