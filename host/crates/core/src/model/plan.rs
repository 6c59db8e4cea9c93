//! The routes that items take between the stages of a pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a stage's output goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Into the stage with this index.
    Stage(usize),
    /// To the pipeline's sink.
    Sink,
    /// To this topic instead of the sink.
    Topic(Arc<str>),
    /// Nowhere, on purpose.
    Drop,
}

/// What happens to an item that a stage cannot process, once all attempts are used up or retrying would not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// The whole job goes to the dead letters.
    #[default]
    DeadLetter,
    /// The item is left out; its siblings continue.
    Skip,
    /// The stage with this index may repair the item, once.
    Rescue(usize),
}

/// How a stage receives its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Intake {
    /// One by one, as they arrive.
    #[default]
    Each,
    /// All of the job's items at once, in order, when no more can arrive.
    Gathered,
}

/// One stage and the routes out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The stage's name.
    pub name: Arc<str>,
    /// How it receives items.
    pub intake: Intake,
    /// Where outputs without a branch go.
    pub next: Target,
    /// Where outputs with a branch go, by the branch's label.
    pub branches: BTreeMap<String, Target>,
    /// What happens to items that fail here.
    pub on_failure: OnFailure,
}

/// The stages of a pipeline as a graph.
///
/// Routes lead only to stages with a higher index, so every job ends and it is known when no more items can arrive. A
/// rescue stage is on no route: items enter it only by failing elsewhere, and its outputs enter the stage that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The stages, in the order of the pipeline file.
    pub nodes: Vec<Node>,
    /// Where events enter.
    pub first: usize,
}

impl Plan {
    /// A plan in which each stage leads to the next, and the last to the sink.
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

    /// Where outputs can leave the pipeline, each once: the topics that branches name, and `None` for the sink.
    #[must_use]
    pub fn ends(&self) -> Vec<Option<Arc<str>>> {
        let mut ends = Vec::new();
        for target in self.nodes.iter().flat_map(|node| [&node.next].into_iter().chain(node.branches.values())) {
            let end = match target {
                Target::Sink => None,
                Target::Topic(topic) => Some(Arc::clone(topic)),
                Target::Stage(_) | Target::Drop => continue,
            };
            if !ends.contains(&end) {
                ends.push(end);
            }
        }
        ends
    }

    /// The stage with this index.
    ///
    /// # Panics
    /// If there is no such stage: indexes must come from this plan.
    #[must_use]
    pub fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }
}
