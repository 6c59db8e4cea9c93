//! JSON payloads: what a stage declares to emit, and what the next one declares to take.

use gristmill_config::Fault;
use gristmill_core::model::{Intake, Target};

use super::shape::{Fit, fit};
use super::stages::{Findings, Stages};

/// Reports neighbours whose schemas contradict each other, and warns where the one does not promise what the other wants.
pub(super) fn check(stages: &Stages<'_>, findings: &mut Findings) {
    for (from, node) in stages.pipeline.plan.nodes.iter().enumerate() {
        let Target::Stage(to) = node.next else { continue };
        if stages.pipeline.plan.node(to).intake == Intake::Gathered {
            continue;
        }
        let (Some(output), Some(input)) = (&stages.said[from].output, &stages.said[to].input) else { continue };
        let place = stages.pipeline.place(&format!("/stage/{to}/module"));
        let (sender, name) = (stages.name(from), stages.name(to));
        match fit(output, input) {
            Fit::Unknown => {}
            Fit::Never(why) => {
                let message = format!("stage {name:?} can take nothing of what stage {sender:?} emits");
                findings.faults.push(Fault::at(place, message).label(why));
            }
            Fit::Sometimes(why) if stages.fails_loudly(to) => {
                let message = format!("stage {name:?} does not take all of what stage {sender:?} may emit");
                findings.warnings.push(Fault::warning(place, message).label(why));
            }
            Fit::Sometimes(_) => {}
        }
    }
}
