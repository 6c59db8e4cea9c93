//! The plan that the routes between the stages make.

use std::collections::{BTreeMap, BTreeSet};

use gristmill_config::{Draft, nearest};
use gristmill_core::model::{Intake, Node, OnFailure as Policy, Plan, Target};
use gristmill_core::settings::TopicName;

use super::file::PipelineFile;
use super::stage::{OnFailure, Route, StageSettings};

/// The plan of these stages; `None` when something about it was reported.
pub(super) fn plan(file: &mut Draft<PipelineFile>, stages: &[StageSettings]) -> Option<Plan> {
    let before = file.faults();
    let reserved = [("events", file.part("/source/topic")), ("dead letters", file.part("/dead_letter/topic"))];
    let mut drawing = Drawing { file, stages, reserved, rescuers: BTreeSet::new() };
    let policies: Vec<Option<Policy>> = (0..stages.len()).map(|index| drawing.policy(index)).collect();
    // Without all of these it is not known which stages are on a route.
    let policies: Vec<Policy> = policies.into_iter().collect::<Option<_>>()?;
    drawing.rescuers = policies.iter().filter_map(rescuer).collect();
    let nodes: Vec<Option<Node>> =
        policies.iter().enumerate().map(|(index, policy)| drawing.node(index, *policy)).collect();
    let nodes: Vec<Node> = nodes.into_iter().collect::<Option<_>>()?;
    // A stage that names a rescuer is none itself, so there is one.
    let first = (0..nodes.len()).find(|index| !drawing.rescuers.contains(index)).unwrap_or_default();
    let plan = Plan { nodes, first };
    drawing.all_reached(&plan);
    (file.faults() == before).then_some(plan)
}

fn rescuer(policy: &Policy) -> Option<usize> {
    match policy {
        Policy::Rescue(index) => Some(*index),
        Policy::DeadLetter | Policy::Skip => None,
    }
}

/// What must be known to draw one stage.
struct Drawing<'d> {
    file: &'d mut Draft<PipelineFile>,
    stages: &'d [StageSettings],
    /// The topics that no route may lead to, each with what it is.
    reserved: [(&'static str, Option<TopicName>); 2],
    /// Stages that rescue: they are on no route.
    rescuers: BTreeSet<usize>,
}

impl Drawing<'_> {
    fn report(&mut self, pointer: &str, fault: &str, label: &str) {
        let message = format!("{} {fault}", self.file.what(pointer));
        self.file.report(pointer, message, label);
    }

    fn policy(&mut self, index: usize) -> Option<Policy> {
        let stages = self.stages;
        let name = match &stages[index].on_failure {
            OnFailure::DeadLetter => return Some(Policy::DeadLetter),
            OnFailure::Skip => return Some(Policy::Skip),
            OnFailure::Rescue(name) => name,
        };
        let pointer = format!("/stage/{index}/on_failure");
        let rescuer = self.find(name, &pointer)?;
        if rescuer == index {
            self.report(&pointer, "names the stage itself", "name another stage");
            return None;
        }
        if stages[index].gather {
            let message = format!("stage \"{}\" gathers, so it cannot be rescued", stages[index].name);
            let label = "a rescue repairs one item: write \"dead-letter\" or \"skip\", or take gather away";
            self.file.report(&pointer, message, label);
            return None;
        }
        Some(Policy::Rescue(rescuer))
    }

    fn node(&mut self, index: usize, on_failure: Policy) -> Option<Node> {
        if self.rescuers.contains(&index) {
            return self.rescue(index);
        }
        let stage = &self.stages[index];
        let next = match &stage.next {
            Some(route) => self.target(index, route, &format!("/stage/{index}/next")),
            None => Some(self.following(index)),
        };
        let mut branches = BTreeMap::new();
        let mut all = true;
        for (label, route) in &stage.branches {
            match self.target(index, route, &format!("/stage/{index}/branches/{label}")) {
                Some(target) => {
                    branches.insert(label.to_string(), target);
                }
                None => all = false,
            }
        }
        let intake = if stage.gather { Intake::Gathered } else { Intake::Each };
        let node = Node { name: stage.name.shared(), intake, next: next?, branches, on_failure };
        all.then_some(node)
    }

    /// A stage that rescues has no routes of its own: what it emits enters the stage that the item failed in.
    fn rescue(&mut self, index: usize) -> Option<Node> {
        let stage = &self.stages[index];
        let own = [
            ("gather", stage.gather),
            ("next", stage.next.is_some()),
            ("branches", !stage.branches.is_empty()),
            ("on_failure", self.file.has(&format!("/stage/{index}/on_failure"))),
        ];
        let before = self.file.faults();
        for (key, _) in own.iter().filter(|(_, there)| *there) {
            let message = format!("stage \"{}\" rescues, so it has no \"{key}\" of its own", stage.name);
            let label = "take it out: repaired items go back to the stage they failed in";
            self.file.report(&format!("/stage/{index}/{key}"), message, label);
        }
        (self.file.faults() == before).then(|| Node {
            name: stage.name.shared(),
            intake: Intake::Each,
            next: Target::Drop,
            branches: BTreeMap::new(),
            on_failure: Policy::DeadLetter,
        })
    }

    /// The next stage in the file that is on a route, or the sink.
    fn following(&self, index: usize) -> Target {
        let next = (index + 1..self.stages.len()).find(|next| !self.rescuers.contains(next));
        next.map_or(Target::Sink, Target::Stage)
    }

    fn target(&mut self, from: usize, route: &Route, pointer: &str) -> Option<Target> {
        let name = match route {
            Route::Sink => return Some(Target::Sink),
            Route::Drop => return Some(Target::Drop),
            Route::Topic(topic) => {
                let taken = self.reserved.iter().find(|(_, reserved)| reserved.as_ref() == Some(topic));
                let Some((what, _)) = taken else { return Some(Target::Topic(topic.shared())) };
                let fault = format!("leads to \"{topic}\", the topic of {what}");
                self.report(pointer, &fault, "name a topic of its own");
                return None;
            }
            Route::Stage(name) => name,
        };
        let index = self.find(name, pointer)?;
        if self.rescuers.contains(&index) {
            let fault = format!("leads to \"{name}\", which is there to rescue");
            self.report(pointer, &fault, "items enter it only when they fail elsewhere: name another stage");
            return None;
        }
        if index <= from {
            let fault = format!("leads back to \"{name}\"");
            self.report(pointer, &fault, "routes lead only to later stages: move that stage down in the file");
            return None;
        }
        Some(Target::Stage(index))
    }

    fn find(&mut self, name: &str, pointer: &str) -> Option<usize> {
        let stages = self.stages;
        if let Some(index) = stages.iter().position(|stage| *stage.name == *name) {
            return Some(index);
        }
        let names: Vec<&str> = stages.iter().map(|stage| &*stage.name).collect();
        let list = format!("stages are: {}", names.join(", "));
        let label = match nearest(name, names.iter().copied().chain(["sink", "drop"])) {
            Some(near) => format!("did you mean \"{near}\"? {list}"),
            None => list,
        };
        self.report(pointer, &format!("names no stage: \"{name}\""), &label);
        None
    }

    fn all_reached(&mut self, plan: &Plan) {
        let mut reached = BTreeSet::from([plan.first]);
        // Every route leads to a higher index, so one pass sees them all.
        for (index, node) in plan.nodes.iter().enumerate() {
            if reached.contains(&index) {
                let stage = |target: &Target| match target {
                    Target::Stage(stage) => Some(*stage),
                    Target::Sink | Target::Topic(_) | Target::Drop => None,
                };
                reached.extend(node.branches.values().chain([&node.next]).filter_map(stage));
            }
        }
        for (index, node) in plan.nodes.iter().enumerate() {
            if !reached.contains(&index) && !self.rescuers.contains(&index) {
                let message = format!("no route leads to stage \"{}\"", node.name);
                let label = "name it by next or branches of an earlier stage, or take it out";
                self.file.report(&format!("/stage/{index}/name"), message, label);
            }
        }
    }
}
