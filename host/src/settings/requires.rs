//! What items must have passed before a stage with a grant may see them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use gristmill_config::{Draft, nearest};
use gristmill_core::model::{OnFailure, Plan, Target};
use gristmill_core::settings::Name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stage::StageSettings;

/// Stages that every item has passed before it enters one with a grant: `requires = { llm = ["sanitize"] }`. A file in which
/// an item can come another way is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Requires {
    /// Before stages with the grant `llm`.
    pub llm: Vec<Name>,
    /// Before stages with the grant `embeddings`.
    pub embeddings: Vec<Name>,
    /// Before stages with the grant `http`.
    pub http: Vec<Name>,
}

impl Requires {
    /// The stages wanted before a grant, each grant with its key and with what such a stage may do.
    fn rules(&self) -> [Rule<'_>; 3] {
        [
            Rule { key: "llm", may: "ask models", before: &self.llm, applies: |stage| stage.grants.llm },
            Rule {
                key: "embeddings",
                may: "ask for vectors",
                before: &self.embeddings,
                applies: |stage| stage.grants.embeddings,
            },
            Rule {
                key: "http",
                may: "tell other services",
                before: &self.http,
                applies: |stage| stage.grants.imports().http,
            },
        ]
    }
}

/// One grant, and what comes before it.
struct Rule<'r> {
    key: &'static str,
    may: &'static str,
    before: &'r [Name],
    applies: fn(&StageSettings) -> bool,
}

/// Reports stages that items can enter without having passed what is required, and names that are no stage.
pub(super) fn check<F>(file: &mut Draft<F>, plan: &Plan, stages: &[StageSettings]) {
    let Some(requires) = file.part::<Requires>("/requires") else { return };
    for rule in requires.rules() {
        for (number, name) in rule.before.iter().enumerate() {
            let pointer = format!("/requires/{}/{number}", rule.key);
            let Some(wanted) = stages.iter().position(|stage| stage.name == *name) else {
                no_stage(file, &pointer, name, stages);
                continue;
            };
            for (index, stage) in stages.iter().enumerate().filter(|(_, stage)| (rule.applies)(stage)) {
                let Some(way) = way_around(plan, wanted, index) else { continue };
                let names: Vec<&str> = way.iter().map(|stage| &*stages[*stage].name).collect();
                let message =
                    format!("stage \"{}\" may {} about items that have not passed \"{name}\"", stage.name, rule.may);
                let label = format!(
                    "they come by {}: put \"{name}\" before it there, or take it out of [requires]",
                    names.join(" → ")
                );
                file.report(&format!("/stage/{index}/grants"), message, label);
            }
        }
    }
}

fn no_stage<F>(file: &mut Draft<F>, pointer: &str, name: &str, stages: &[StageSettings]) {
    let names: Vec<&str> = stages.iter().map(|stage| &*stage.name).collect();
    let list = format!("stages are: {}", names.join(", "));
    let label = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"? {list}"),
        None => list,
    };
    file.report(pointer, format!("[requires] names no stage: \"{name}\""), label);
}

/// A way from the first stage to one that does not lead through another, both ends included. An item that failed in that
/// other stage has not passed it when a rescuer gets it.
fn way_around(plan: &Plan, around: usize, to: usize) -> Option<Vec<usize>> {
    // Where each stage was come from.
    let mut from: BTreeMap<usize, Option<usize>> = BTreeMap::from([(plan.first, None)]);
    let mut next = vec![plan.first];
    while let Some(stage) = next.pop() {
        if stage == to && stage != around {
            let mut way = vec![stage];
            while let Some(Some(before)) = way.last().and_then(|last| from.get(last)) {
                way.push(*before);
            }
            way.reverse();
            return Some(way);
        }
        let node = plan.node(stage);
        let routes = node.branches.values().chain([&node.next]).filter_map(|target| match target {
            Target::Stage(stage) => Some(*stage),
            Target::Sink | Target::Topic(_) | Target::Drop => None,
        });
        let rescuer = match node.on_failure {
            OnFailure::Rescue(rescuer) => Some(rescuer),
            OnFailure::DeadLetter | OnFailure::Skip => None,
        };
        for reached in routes.filter(|_| stage != around).chain(rescuer) {
            if let Entry::Vacant(entry) = from.entry(reached) {
                entry.insert(Some(stage));
                next.push(reached);
            }
        }
    }
    None
}
