//! Resolves the ways that items take between the stages: what each stage says of the ways out of it, and the plan that
//! all of them make.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use toml::de::DeValue;

use gristmill_core::model::{Intake, Node, OnFailure, Plan, Target};

use super::section::{Faults, Read, Section, Value};
use super::suggest::nearest;
use super::value::{NAME_FORM, is_name, is_topic};

/// What one stage says of the ways out of it, with the values to point at.
pub(super) struct Ways<'a> {
    gather: Option<(Intake, Value<'a>)>,
    next: Option<(Way<'a>, Value<'a>)>,
    branches: Vec<(&'a str, Way<'a>, Value<'a>)>,
    on_failure: Option<(Policy<'a>, Value<'a>)>,
}

/// Where outputs go, before it is known which stages there are.
#[derive(Clone)]
enum Way<'a> {
    Stage(&'a str),
    To(Target),
}

#[derive(Clone, Copy)]
enum Policy<'a> {
    Rescue(&'a str),
    Other(OnFailure),
}

/// The topics that no way may lead to, each with what it is.
pub(super) type Reserved<'t> = [(&'static str, Option<&'t Arc<str>>)];

const WAY_FORM: &str = r#"write the name of a later stage, "sink", "drop", or "topic:NAME""#;

/// Reads the keys of a stage that are about ways.
pub(super) fn ways<'a>(section: &mut Section<'a>) -> Read<Ways<'a>> {
    let gather = section.option("gather", |value| match value.toml.get_ref() {
        DeValue::Boolean(true) => Ok((Intake::Gathered, value.clone())),
        DeValue::Boolean(false) => Ok((Intake::Each, value.clone())),
        _ => Err(value.wrong_type("a boolean", "write true to be handed all items of a job at once")),
    });
    let next = section.option("next", |value| Ok((way(value)?, value.clone())));
    let title = format!("branches of {}", section.title);
    let branches = section.option("branches", |value| value.table(&title, branches));
    let on_failure = section.option("on_failure", |value| Ok((policy(value)?, value.clone())));
    Ok(Ways { gather: gather?, next: next?, branches: branches?.unwrap_or_default(), on_failure: on_failure? })
}

fn branches<'a>(section: &mut Section<'a>) -> Read<Vec<(&'a str, Way<'a>, Value<'a>)>> {
    let mut branches = Vec::new();
    let mut all = Ok(());
    for (label, place, value) in section.entries() {
        if !is_name(label) {
            let message = format!("\"{label}\" in {} is not a label", section.title);
            all = Err(section.faults().report(place, message, NAME_FORM));
        }
        match way(&value) {
            Ok(way) => branches.push((label, way, value)),
            Err(reported) => all = Err(reported),
        }
    }
    all.map(|()| branches)
}

fn way<'a>(value: &Value<'a>) -> Read<Way<'a>> {
    let text = value.text()?;
    match (text, text.strip_prefix("topic:")) {
        ("sink", _) => Ok(Way::To(Target::Sink)),
        ("drop", _) => Ok(Way::To(Target::Drop)),
        (_, Some(topic)) if is_topic(topic) => Ok(Way::To(Target::Topic(topic.into()))),
        (_, Some(topic)) => Err(value.fault(format!("{} names no topic: \"{topic}\"", value.what), TOPIC_FORM)),
        (name, None) if is_name(name) => Ok(Way::Stage(name)),
        _ => Err(value.fault(format!("{} is no way: \"{text}\"", value.what), WAY_FORM)),
    }
}

const TOPIC_FORM: &str = r#"for example "topic:contracts.review""#;

fn policy<'a>(value: &Value<'a>) -> Read<Policy<'a>> {
    const POLICIES: [(&str, OnFailure); 2] = [("dead-letter", OnFailure::DeadLetter), ("skip", OnFailure::Skip)];
    let text = value.text()?;
    if let Some(name) = text.strip_prefix("rescue:") {
        return Ok(Policy::Rescue(name));
    }
    if let Some((_, policy)) = POLICIES.iter().find(|(name, _)| *name == text) {
        return Ok(Policy::Other(*policy));
    }
    let list = r#"write "dead-letter", "skip", or "rescue:STAGE""#;
    let label = match nearest(text, ["dead-letter", "skip", "rescue"]) {
        Some("rescue") => format!("did you mean \"rescue:STAGE\"? {list}"),
        Some(near) => format!("did you mean \"{near}\"? {list}"),
        None => list.to_owned(),
    };
    Err(value.fault(format!("{} is no policy: \"{text}\"", value.what), label))
}

/// The plan that the ways make. `reserved` are the topics of the pipeline that no way may lead to.
pub(super) fn plan(names: &[Arc<str>], ways: &[Ways<'_>], reserved: &Reserved<'_>, faults: &Faults) -> Read<Plan> {
    let mut all = Ok(());
    let mut drawing = Drawing { names, reserved, rescuers: BTreeSet::new() };
    let mut policies = Vec::new();
    for (index, stage) in ways.iter().enumerate() {
        match drawing.policy(index, stage) {
            Ok(policy) => policies.push(policy),
            Err(reported) => all = Err(reported),
        }
    }
    // Without all of these it is not known which stages are on the way.
    all?;
    let mut all = Ok(());
    drawing.rescuers = policies.iter().filter_map(rescuer).collect();
    let mut nodes = Vec::new();
    for (index, stage) in ways.iter().enumerate() {
        match drawing.node(index, stage, policies[index]) {
            Ok(node) => nodes.push(node),
            Err(reported) => all = Err(reported),
        }
    }
    all?;
    // A stage that names a rescuer is none itself, so there is one.
    let first = (0..nodes.len()).find(|index| !drawing.rescuers.contains(index)).unwrap_or_default();
    let plan = Plan { nodes, first };
    all_reached(&plan, &drawing.rescuers, faults)?;
    Ok(plan)
}

fn rescuer(policy: &OnFailure) -> Option<usize> {
    match policy {
        OnFailure::Rescue(index) => Some(*index),
        OnFailure::DeadLetter | OnFailure::Skip => None,
    }
}

/// What must be known to draw one stage.
struct Drawing<'n> {
    names: &'n [Arc<str>],
    reserved: &'n Reserved<'n>,
    /// Stages that rescue: they are on no way.
    rescuers: BTreeSet<usize>,
}

impl Drawing<'_> {
    fn policy(&self, index: usize, stage: &Ways<'_>) -> Read<OnFailure> {
        let Some((policy, value)) = &stage.on_failure else { return Ok(OnFailure::DeadLetter) };
        let name = match policy {
            Policy::Other(policy) => return Ok(*policy),
            Policy::Rescue(name) => name,
        };
        let rescuer = self.find(name, value)?;
        if rescuer == index {
            return Err(value.fault(format!("{} names the stage itself", value.what), "name another stage"));
        }
        if stage.gathers() {
            let message = format!("stage \"{}\" gathers, so it cannot be rescued", self.names[index]);
            let label = "a rescue mends one item: write \"dead-letter\" or \"skip\", or take gather away";
            return Err(value.fault(message, label));
        }
        Ok(OnFailure::Rescue(rescuer))
    }

    fn node(&self, index: usize, stage: &Ways<'_>, on_failure: OnFailure) -> Read<Node> {
        if self.rescuers.contains(&index) {
            return self.rescue(index, stage);
        }
        let next = match &stage.next {
            Some((way, value)) => self.target(index, way, value),
            None => Ok(self.following(index)),
        };
        let mut branches = BTreeMap::new();
        let mut all = Ok(());
        for (label, way, value) in &stage.branches {
            match self.target(index, way, value) {
                Ok(target) => {
                    branches.insert((*label).to_owned(), target);
                }
                Err(reported) => all = Err(reported),
            }
        }
        all?;
        let intake = stage.gather.as_ref().map(|(intake, _)| *intake).unwrap_or_default();
        Ok(Node { name: Arc::clone(&self.names[index]), intake, next: next?, branches, on_failure })
    }

    /// A stage that rescues has no ways of its own: what it emits enters the stage that the item failed in.
    fn rescue(&self, index: usize, stage: &Ways<'_>) -> Read<Node> {
        let name = &self.names[index];
        let mut own = Vec::new();
        own.extend(stage.gather.as_ref().filter(|_| stage.gathers()).map(|(_, value)| ("gather", value)));
        own.extend(stage.next.as_ref().map(|(_, value)| ("next", value)));
        own.extend(stage.branches.first().map(|(_, _, value)| ("branches", value)));
        own.extend(stage.on_failure.as_ref().map(|(_, value)| ("on_failure", value)));
        let mut all = Ok(());
        for (key, value) in own {
            let message = format!("stage \"{name}\" rescues, so it has no \"{key}\" of its own");
            let label = "take it out: mended items go back to the stage they failed in";
            all = Err(value.fault(message, label));
        }
        all.map(|()| Node {
            name: Arc::clone(name),
            intake: Intake::Each,
            next: Target::Drop,
            branches: BTreeMap::new(),
            on_failure: OnFailure::DeadLetter,
        })
    }

    /// The next stage in the file that is on the way, or the sink.
    fn following(&self, index: usize) -> Target {
        let next = (index + 1..self.names.len()).find(|next| !self.rescuers.contains(next));
        next.map_or(Target::Sink, Target::Stage)
    }

    fn target(&self, from: usize, way: &Way<'_>, value: &Value<'_>) -> Read<Target> {
        let name = match way {
            Way::Stage(name) => name,
            Way::To(Target::Topic(topic)) => {
                let taken = self.reserved.iter().find(|(_, reserved)| *reserved == Some(topic));
                return match taken {
                    Some((what, _)) => {
                        let message = format!("{} leads to \"{topic}\", the topic of {what}", value.what);
                        Err(value.fault(message, "name a topic of its own"))
                    }
                    None => Ok(Target::Topic(Arc::clone(topic))),
                };
            }
            Way::To(target) => return Ok(target.clone()),
        };
        let index = self.find(name, value)?;
        if self.rescuers.contains(&index) {
            let message = format!("{} leads to \"{name}\", which is there to rescue", value.what);
            return Err(value.fault(message, "items enter it only when they fail elsewhere: name another stage"));
        }
        if index <= from {
            let message = format!("{} leads back to \"{name}\"", value.what);
            return Err(value.fault(message, "ways lead only to later stages: move that stage down in the file"));
        }
        Ok(Target::Stage(index))
    }

    fn find(&self, name: &str, value: &Value<'_>) -> Read<usize> {
        if let Some(index) = self.names.iter().position(|known| **known == *name) {
            return Ok(index);
        }
        let names: Vec<&str> = self.names.iter().map(|name| &**name).collect();
        let list = format!("stages are: {}", names.join(", "));
        let label = match nearest(name, names.iter().copied().chain(["sink", "drop"])) {
            Some(near) => format!("did you mean \"{near}\"? {list}"),
            None => list,
        };
        Err(value.fault(format!("{} names no stage: \"{name}\"", value.what), label))
    }
}

impl Ways<'_> {
    fn gathers(&self) -> bool {
        matches!(self.gather, Some((Intake::Gathered, _)))
    }
}

fn all_reached(plan: &Plan, rescuers: &BTreeSet<usize>, faults: &Faults) -> Read<()> {
    let mut reached = BTreeSet::from([plan.first]);
    // Every way leads to a higher index, so one pass sees them all.
    for (index, node) in plan.nodes.iter().enumerate() {
        if reached.contains(&index) {
            let stage = |target: &Target| match target {
                Target::Stage(stage) => Some(*stage),
                Target::Sink | Target::Topic(_) | Target::Drop => None,
            };
            reached.extend(node.branches.values().chain([&node.next]).filter_map(stage));
        }
    }
    let mut all = Ok(());
    for (index, node) in plan.nodes.iter().enumerate() {
        if !reached.contains(&index) && !rescuers.contains(&index) {
            let message = format!("no way leads to stage \"{}\"", node.name);
            let label = "name it by next or branches of an earlier stage, or take it out";
            all = Err(faults.report_at(&format!("/stage/{index}/name"), message, label));
        }
    }
    all
}
