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
#[cfg(test)]
mod tests;

use gristmill_config::{ConfigError, Fault};
use gristmill_wasm::Described;

use crate::settings::Pipeline;
use said::Said;

/// What was found, each at its place.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What cannot work.
    pub(super) faults: Vec<Fault>,
    /// What is hardly meant.
    pub(super) warnings: Vec<Fault>,
}

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

/// The stages of a pipeline, and what they say.
struct Stages<'p> {
    pipeline: &'p Pipeline,
    described: &'p [Described],
    said: &'p [Said],
}

impl Stages<'_> {
    fn name(&self, index: usize) -> &str {
        &self.pipeline.stages[index].name
    }

    /// Whether a failure of an item in this stage is what somebody wants to hear of.
    fn fails_loudly(&self, index: usize) -> bool {
        matches!(self.pipeline.stages[index].on_failure, crate::settings::OnFailure::DeadLetter)
    }
}
