//! What a pipeline file may say but hardly means.

use gristmill_config::Fault;
use gristmill_core::model::{OnFailure, Plan, Target};

use super::Pipeline;
use super::stage::{Module, StageSettings};

impl Pipeline {
    /// What the file may say but hardly means, each at its place.
    #[must_use]
    pub fn warnings(&self) -> Vec<Fault> {
        let names = |index: usize| &*self.stages[index].name;
        let late = late_sanitizers(&self.plan, &self.stages).into_iter();
        let warning = |(sanitizer, chunker): (usize, usize)| {
            let message = format!("stage {:?} sanitizes what stage {:?} has cut", names(sanitizer), names(chunker));
            let label =
                format!("of a number that a cut goes through, the rest stays: put it before {:?}", names(chunker));
            Fault::warning(self.place(&format!("/stage/{sanitizer}/module")), message).label(label)
        };
        late.map(warning).collect()
    }
}

/// What can enter a stage.
#[derive(Debug, Clone, Copy, Default)]
struct Intake {
    /// Whether an item that no `sanitize` has seen can be in it.
    raw: bool,
    /// The last `chunk` that such an item went through.
    cut: Option<usize>,
}

/// Stages that sanitize what was cut before anything had sanitized it, each with the stage that cut it.
fn late_sanitizers(plan: &Plan, stages: &[StageSettings]) -> Vec<(usize, usize)> {
    let is = |index: usize, builtin: &str| matches!(&stages[index].module, Module::Builtin(name) if name == builtin);
    let mut intakes = vec![Intake::default(); plan.nodes.len()];
    intakes[plan.first].raw = true;
    let pass = |intakes: &mut Vec<Intake>, to: usize, item: Intake| {
        intakes[to].raw |= item.raw;
        intakes[to].cut = intakes[to].cut.or(item.cut);
    };
    // Every route leads to a higher index, so one pass sees them all.
    for (index, node) in plan.nodes.iter().enumerate() {
        let entered = intakes[index];
        if let OnFailure::Rescue(rescuer) = node.on_failure {
            pass(&mut intakes, rescuer, entered);
        }
        let left = match entered {
            Intake { raw: true, .. } if is(index, "chunk") => Intake { raw: true, cut: Some(index) },
            _ if is(index, "sanitize") => Intake::default(),
            entered => entered,
        };
        for target in node.branches.values().chain([&node.next]) {
            if let Target::Stage(next) = target {
                pass(&mut intakes, *next, left);
            }
        }
    }
    let late = (0..stages.len()).filter(|index| is(*index, "sanitize"));
    late.filter_map(|index| Some((index, intakes[index].cut?))).collect()
}
