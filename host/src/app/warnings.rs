//! What an operator should know of a pipeline file although it can be used.

use gristmill_config::Fault;

use crate::settings::Pipeline;

/// What is probably not meant, each at its place.
#[must_use]
pub fn warnings(pipeline: &Pipeline) -> Vec<Fault> {
    pipeline.warnings()
}

/// Logs the warnings of a pipeline that is about to run.
pub(super) fn log(pipeline: &Pipeline) {
    for warning in warnings(pipeline) {
        tracing::warn!(pipeline = %pipeline.name, place = %warning.place(), "{}", warning.line());
    }
}
