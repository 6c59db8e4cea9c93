//! Media types: what a stage emits, and what the next one accepts.

use std::collections::BTreeSet;

use gristmill_config::Fault;
use gristmill_core::model::{Intake, Target};

use super::said::UNCHANGED;
use super::stages::{Findings, Stages};

/// What a gathering stage gets.
const GATHERED: &str = "application/json";

/// Types of items; `None` if they can be of any.
type Types = Option<BTreeSet<String>>;

/// Reports stages that accept nothing of what an earlier one sends them, and warns of those that reject a part.
pub(super) fn check(stages: &Stages<'_>, findings: &mut Findings) {
    let plan = &stages.pipeline.plan;
    // What enters each stage; nothing yet.
    let mut entering: Vec<Types> = vec![Some(BTreeSet::new()); plan.nodes.len()];
    entering[plan.first] = None;
    // Every route leads to a higher index, so one pass sees them all.
    for (from, node) in plan.nodes.iter().enumerate() {
        let emitted = emitted(stages, from, &entering[from]);
        if let Target::Stage(to) = node.next {
            let arriving = match plan.node(to).intake {
                Intake::Each => emitted,
                Intake::Gathered => Some(BTreeSet::from([GATHERED.to_owned()])),
            };
            compare(stages, from, to, &arriving, findings);
            join(&mut entering[to], arriving);
        }
        // What takes a branch is not declared.
        for target in node.branches.values() {
            if let Target::Stage(to) = target {
                entering[*to] = None;
            }
        }
    }
}

/// What a stage emits without naming a branch, of what enters it.
fn emitted(stages: &Stages<'_>, index: usize, entering: &Types) -> Types {
    let said = stages.said[index].emits.as_ref()?;
    let mut types: BTreeSet<String> = said.iter().filter(|known| *known != UNCHANGED).cloned().collect();
    if said.iter().any(|known| known == UNCHANGED) {
        let accepts = &stages.described[index].description.accepts;
        let entering = entering.as_ref()?.iter();
        types
            .extend(entering.filter(|entering| accepts.is_empty() || takes(accepts, entering) != Taken::None).cloned());
    }
    Some(types)
}

fn join(entering: &mut Types, arriving: Types) {
    match (entering.as_mut(), arriving) {
        (Some(known), Some(arriving)) => known.extend(arriving),
        _ => *entering = None,
    }
}

fn compare(stages: &Stages<'_>, from: usize, to: usize, arriving: &Types, findings: &mut Findings) {
    let accepts = &stages.described[to].description.accepts;
    let Some(arriving) = arriving.as_ref().filter(|arriving| !arriving.is_empty() && !accepts.is_empty()) else {
        return;
    };
    let refused: Vec<&str> =
        arriving.iter().filter(|kind| takes(accepts, kind) == Taken::None).map(String::as_str).collect();
    if refused.is_empty() {
        return;
    }
    let place = stages.pipeline.place(&format!("/stage/{to}/module"));
    let (sender, name) = (stages.name(from), stages.name(to));
    let (sent, taken) = (refused.join(", "), shortened(accepts));
    if refused.len() == arriving.len() {
        let message = format!("stage {name:?} accepts nothing of what stage {sender:?} emits");
        let label =
            format!("it accepts {taken}, and gets {sent}: put another stage between them, or choose another route");
        let all = if stages.fails_loudly(to) { &mut findings.faults } else { &mut findings.warnings };
        let fault = if stages.fails_loudly(to) { Fault::at(place, message) } else { Fault::warning(place, message) };
        all.push(fault.label(label));
    } else if stages.fails_loudly(to) {
        let message = format!("stage {name:?} rejects a part of what stage {sender:?} emits: {sent}");
        let label = format!("it accepts {taken}; say what becomes of the rest by on_failure, or choose another route");
        findings.warnings.push(Fault::warning(place, message).label(label));
    }
}

/// How much of a type a stage takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    All,
    Some,
    None,
}

/// As the sandbox matches them. `kind` may end in `*`, too.
fn takes(accepts: &[String], kind: &str) -> Taken {
    let mut taken = Taken::None;
    for accepted in accepts {
        let (all, some) = match (accepted.strip_suffix('*'), kind.strip_suffix('*')) {
            (Some(accepted), Some(kind)) => (kind.starts_with(accepted), accepted.starts_with(kind)),
            (Some(accepted), None) => (kind.starts_with(accepted), false),
            (None, Some(kind)) => (false, accepted.starts_with(kind)),
            (None, None) => (accepted == kind, false),
        };
        if all {
            return Taken::All;
        }
        if some {
            taken = Taken::Some;
        }
    }
    taken
}

/// The first of many.
fn shortened(types: &[String]) -> String {
    const SHOWN: usize = 5;
    match types.len() {
        0..=SHOWN => types.join(", "),
        more => format!("{} and {} more", types[..SHOWN].join(", "), more - SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_match_as_in_the_sandbox() {
        let accepts = ["text/*".to_owned(), "application/json".to_owned()];
        for (kind, expected) in [
            ("text/plain", Taken::All),
            ("text/*", Taken::All),
            ("application/json", Taken::All),
            ("application/*", Taken::Some),
            ("*", Taken::Some),
            ("application/json-seq", Taken::None),
            ("image/png", Taken::None),
        ] {
            assert_eq!(takes(&accepts, kind), expected, "{kind}");
        }
    }
}
