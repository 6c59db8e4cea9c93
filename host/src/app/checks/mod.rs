//! The pipeline as a whole, once it is known what each stage says of itself: whether the models exist that stages name, whether
//! what one emits is what the next one takes, where items get lost, and how often a model is asked at worst.
//!
//! An error is what cannot work, whatever comes. Everything else is a warning, and what a stage does not declare is no fault.

mod aliases;
mod attempts;
mod media;
mod payloads;
mod routes;
mod said;
mod shape;
mod stages;
#[cfg(test)]
mod tests;

use gristmill_config::{ConfigError, Fault};
use gristmill_wasm::Described;

use crate::settings::Pipeline;
use said::Said;
use stages::{Findings, Stages};

/// Refuses what cannot work; `described` as in [`check`].
///
/// # Errors
/// All of it, each at its place.
pub(super) fn faultless(pipeline: &Pipeline, described: &[Described]) -> Result<(), ConfigError> {
    ConfigError::check(check(pipeline, described).faults)
}

/// Looks at a pipeline and at what is known of each of its stages, in their order.
pub(super) fn check(pipeline: &Pipeline, described: &[Described]) -> Findings {
    let known = pipeline.stages.iter().zip(described);
    let said: Vec<Said> = known.map(|(stage, described)| Said::of(described, &stage.config)).collect();
    let mut findings = Findings::default();
    for (index, said) in said.iter().enumerate() {
        for word in &said.unknown {
            let place = pipeline.place(&format!("/stage/{index}/module"));
            let name = &*pipeline.stages[index].name;
            let message = format!("stage {name:?}: its schema has an \"x-gristmill\" that nobody knows: {word}");
            findings.warnings.push(
                Fault::warning(place, message).label(
                    "known are: model-alias, output-schema, and a table at the root with emits, input and output",
                ),
            );
        }
    }
    let stages = Stages { pipeline, described, said: &said };
    aliases::check(&stages, &mut findings);
    media::check(&stages, &mut findings);
    payloads::check(&stages, &mut findings);
    routes::check(&stages, &mut findings);
    attempts::check(&stages, &mut findings);
    findings
}
