//! Dead ends: branches that fail because nothing is behind them, and pipelines that nothing leaves.

use gristmill_config::Fault;
use gristmill_core::model::Target;
use gristmill_wasm::Unrouted;

use super::stages::{Findings, Stages};

/// How many branches a message names.
const NAMED: usize = 5;

/// Warns of dead ends.
pub(super) fn check(stages: &Stages<'_>, findings: &mut Findings) {
    let plan = &stages.pipeline.plan;
    for (index, node) in plan.nodes.iter().enumerate() {
        let described = &stages.described[index];
        let declared = described.description.branches.iter();
        let lost: Vec<&str> =
            declared.filter(|label| !node.branches.contains_key(*label)).map(String::as_str).collect();
        // One that can ask for its routes does not take the others.
        if lost.is_empty() || described.unrouted == Unrouted::Asked {
            continue;
        }
        let names = match lost.len() {
            1..=NAMED => lost.join(", "),
            more => format!("{} and {} more", lost[..NAMED].join(", "), more - NAMED),
        };
        let place = stages.pipeline.place(&format!("/stage/{index}/name"));
        let message = format!("what stage {:?} emits on these branches has no route: {names}", stages.name(index));
        let label = "its event becomes a dead letter, unmapped-branch: add branches = { LABEL = \"sink\" }, a stage, or \"drop\"";
        findings.warnings.push(Fault::warning(place, message).label(label));
    }
    let leaves = |target: &Target| matches!(target, Target::Sink | Target::Topic(_));
    let all = plan.nodes.iter().enumerate();
    let routed = all.filter(|(index, _)| !is_rescuer(stages, *index));
    if !routed.clone().any(|(_, node)| node.branches.values().chain([&node.next]).any(leaves)) {
        let place = stages.pipeline.place("/sink/topic");
        let message = format!("no route leads to the sink {:?}, or to another topic", &*stages.pipeline.sink.topic);
        findings.warnings.push(
            Fault::warning(place, message)
                .label("all that the stages emit is dropped: give one of them next = \"sink\""),
        );
    }
}

/// A stage that rescues has no routes of its own.
fn is_rescuer(stages: &Stages<'_>, index: usize) -> bool {
    let rescued = |policy| policy == gristmill_core::model::OnFailure::Rescue(index);
    stages.pipeline.plan.nodes.iter().any(|node| rescued(node.on_failure))
}
