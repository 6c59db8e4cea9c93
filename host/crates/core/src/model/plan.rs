//! The routes that items take between the stages of a pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Where an output of a stage goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Into the stage with this index.
    Stage(usize),
    /// To the pipeline's sink.
    Sink,
    /// To a topic of its own.
    Topic(Arc<str>),
    /// Nowhere, on purpose.
    Drop,
}

/// What becomes of an item that a stage cannot process, when all attempts are used up or none would help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// The whole job goes to the dead letters.
    #[default]
    DeadLetter,
    /// The item is left out, its siblings go on.
    Skip,
    /// The stage with this index may repair the item, once.
    Rescue(usize),
}

/// How a stage takes its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Intake {
    /// One by one, as they come.
    #[default]
    Each,
    /// All of the job at once, in order, when no more can come.
    Gathered,
}

/// One stage and the routes out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The stage's name.
    pub name: Arc<str>,
    /// How it takes items.
    pub intake: Intake,
    /// Where outputs go that name no branch.
    pub next: Target,
    /// Where outputs go that name one, by its label.
    pub branches: BTreeMap<String, Target>,
    /// What becomes of items that fail here.
    pub on_failure: OnFailure,
}

/// The stages of a pipeline as a graph.
///
/// Routes lead only to stages with a higher index, so every job ends and "no more can come" is known. A stage that
/// rescues is on no route: items enter it only by failing elsewhere, and what it emits enters the stage they failed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The stages, in the order of the pipeline file.
    pub nodes: Vec<Node>,
    /// Where events enter.
    pub first: usize,
}

impl Plan {
    /// Each stage leads to the next, and the last to the sink.
    #[must_use]
    pub fn straight(names: &[&str]) -> Self {
        let target = |index| if index < names.len() { Target::Stage(index) } else { Target::Sink };
        let node = |(index, name): (usize, &&str)| Node {
            name: Arc::from(*name),
            intake: Intake::Each,
            next: target(index + 1),
            branches: BTreeMap::new(),
            on_failure: OnFailure::DeadLetter,
        };
        Self { nodes: names.iter().enumerate().map(node).collect(), first: 0 }
    }

    /// The stage with this index.
    ///
    /// # Panics
    /// When there is none: indexes come from this plan.
    #[must_use]
    pub fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }
}
