//! The path of one event through the pipeline, as a pure state machine.
//!
//! `next_task()` returns the next stage call and `apply()` takes its verdict; `end()` returns how the job ended. A job
//! has no clock and does no I/O: the flow runs the stages and decides on attempts and concurrency.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use smallvec::SmallVec;

use super::disposition::{Disposition, Failed, FailureKind, Finished, Verdict};
use super::document::DocumentId;
use super::failure::Failure;
use super::header::Attribute;
use super::item::{FAILURE_ATTRIBUTE, Item};
use super::item_id::ItemId;
use super::outcome::{Outcome, Output};
use super::plan::{Intake, OnFailure, Plan, Target};
use super::size::Size;
use super::standing::StageCount;

/// An item's place in the order of outputs: the ordinals of the outputs that led to it.
type Path = SmallVec<[usize; 4]>;

/// The input of a stage call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// One item.
    Item(Item),
    /// All items of the job that reached the stage, in order; never empty.
    Gathered(Vec<Item>),
}

/// One call of a stage, including all its attempts.
#[derive(Debug, Clone)]
pub struct Task {
    /// Index of the stage in the plan.
    pub stage: usize,
    /// The input.
    pub input: Input,
    path: Path,
    rescue: Rescue,
}

/// A task's role in the repair of an item.
#[derive(Debug, Clone)]
enum Rescue {
    /// No repair: the item has not failed here.
    NotNeeded,
    /// This task repairs an item that failed in `stage`, with the failure `failed`.
    Mending { stage: usize, failed: Failed },
    /// The item has been repaired and is not repaired a second time.
    Mended,
}

/// One job in memory.
#[derive(Debug)]
pub struct Job {
    document: DocumentId,
    plan: Arc<Plan>,
    most_bytes: usize,
    /// The size of all items that are ready, waiting or finished.
    bytes: usize,
    ready: VecDeque<Task>,
    /// The places in the plan of the tasks that are running; usually one.
    running: SmallVec<[usize; 4]>,
    /// The items that have arrived so far at gathering stages.
    gathering: BTreeMap<usize, BTreeMap<Path, Item>>,
    /// In any order.
    finished: Vec<(Path, Finished)>,
    dropped: Option<String>,
    failed: Option<(Arc<str>, Failed)>,
    /// The calls of each stage; empty unless they are counted.
    counts: Vec<StageCount>,
}

impl Job {
    /// A job whose first item is about to enter the plan. A job whose items hold more than `most_bytes` fails.
    #[must_use]
    pub fn start(document: DocumentId, plan: Arc<Plan>, item: Item, most_bytes: usize) -> Self {
        let first = Target::Stage(plan.first);
        let mut job = Self {
            document,
            plan,
            most_bytes,
            bytes: 0,
            // Most jobs have one task at a time, and room for more is a part of what each job holds.
            ready: VecDeque::with_capacity(1),
            running: SmallVec::new(),
            gathering: BTreeMap::new(),
            finished: Vec::new(),
            dropped: None,
            failed: None,
            counts: Vec::new(),
        };
        job.enter(&first, item, Path::new(), Rescue::NotNeeded);
        job
    }

    /// Counts the calls of stages from now on. To be called before the first task.
    pub fn count(&mut self) {
        self.counts = vec![StageCount::default(); self.plan.nodes.len()];
        for task in &self.ready {
            self.counts[task.stage].known += 1;
        }
        for stage in self.gathering.keys() {
            self.counts[*stage].known += 1;
        }
    }

    /// The calls of each stage that are done and known, in the order of the plan; empty without [`Job::count`]. What a
    /// stage gathers is one call.
    #[must_use]
    pub fn counts(&self) -> &[StageCount] {
        &self.counts
    }

    fn knows_one_more(&mut self, stage: usize) {
        if let Some(count) = self.counts.get_mut(stage) {
            count.known = count.known.saturating_add(1);
        }
    }

    /// The next task to run, if one is ready. It counts as running until [`Job::apply`].
    pub fn next_task(&mut self) -> Option<Task> {
        let task = self.ready.pop_front().or_else(|| self.gathered())?;
        self.bytes -= task.input.size();
        self.running.push(task.place());
        Some(task)
    }

    /// Whether a task is ready, beside those that [`Job::next_task`] returned.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Applies the verdict on a task from [`Job::next_task`]. After a failure that is neither skipped nor rescued, no
    /// new task becomes ready: the job is all or nothing.
    pub fn apply(&mut self, task: Task, verdict: Verdict) {
        if let Some(index) = self.running.iter().position(|place| *place == task.place()) {
            self.running.swap_remove(index);
        }
        if let Some(count) = self.counts.get_mut(task.stage) {
            count.done = count.done.saturating_add(1);
        }
        if self.failed.is_some() {
            return;
        }
        let failed = match verdict {
            Verdict::Decided(Outcome::Emit(outputs)) => match self.emit(&task, outputs) {
                Ok(()) => return,
                Err(NotEmitted::Item(failure)) => Failed { failure, attempts: 1, kind: FailureKind::Fault },
                Err(NotEmitted::Job(failure)) => {
                    return self.give_up(task.place(), Failed { failure, attempts: 1, kind: FailureKind::Fault });
                }
            },
            Verdict::Decided(Outcome::Drop(code)) => {
                self.dropped.get_or_insert(code);
                return;
            }
            Verdict::Decided(Outcome::Reject(failure)) => Failed { failure, attempts: 1, kind: FailureKind::Rejected },
            Verdict::Failed(failed) => failed,
        };
        self.fail(task, failed);
    }

    /// How the job ended; `None` while a task is ready or running.
    #[must_use]
    pub fn end(&mut self) -> Option<Disposition> {
        if !self.running.is_empty() || !self.ready.is_empty() || !self.gathering.is_empty() {
            return None;
        }
        if let Some((stage, failed)) = self.failed.take() {
            return Some(Disposition::DeadLettered { stage: Some(stage), failed });
        }
        if self.finished.is_empty() {
            return Some(Disposition::Dropped(self.dropped.take().unwrap_or_else(|| "nothing-emitted".into())));
        }
        let finished = &mut self.finished;
        // No two have the same place.
        finished.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        // Not collected: the vector would be reused, and moved to fit.
        let mut ends = Vec::with_capacity(finished.len());
        ends.extend(finished.drain(..).map(|(_, finished)| finished));
        Some(Disposition::Emitted(ends))
    }

    /// The first gathering stage, if no more items can reach it. Routes lead only to stages with a higher index, so
    /// none can once nothing is running below it. Called only when no task is ready.
    fn gathered(&mut self) -> Option<Task> {
        let (stage, _) = self.gathering.first_key_value()?;
        if self.running.iter().min().is_some_and(|lowest| lowest < stage) {
            return None;
        }
        let (stage, items) = self.gathering.pop_first()?;
        let path = items.keys().next().cloned().unwrap_or_default();
        let input = Input::Gathered(items.into_values().collect());
        Some(Task { stage, input, path, rescue: Rescue::NotNeeded })
    }

    fn emit(&mut self, task: &Task, outputs: Vec<Output>) -> Result<(), NotEmitted> {
        let plan = Arc::clone(&self.plan);
        let node = plan.node(task.stage);
        // Look up all routes before any output takes one.
        let mut routes: SmallVec<[_; 1]> = SmallVec::with_capacity(outputs.len());
        for output in &outputs {
            routes.push(match (&output.branch, &task.rescue) {
                (None, Rescue::Mending { stage, .. }) => (Target::Stage(*stage), Rescue::Mended),
                (None, _) => (node.next.clone(), Rescue::NotNeeded),
                (Some(branch), _) => match node.branches.get(branch) {
                    Some(target) => (target.clone(), Rescue::NotNeeded),
                    None => return Err(NotEmitted::Item(unmapped(&node.name, branch))),
                },
            });
        }
        let leaves = |(target, _): &&(Target, Rescue)| matches!(target, Target::Sink | Target::Topic(_));
        let ends = routes.iter().filter(leaves).count();
        match self.finished.is_empty() {
            true => self.finished.reserve_exact(ends),
            false => self.finished.reserve(ends),
        }
        let parent = task.input.parent(&self.document, &node.name);
        for (ordinal, (output, (target, rescue))) in outputs.into_iter().zip(routes).enumerate() {
            let mut path = task.path.clone();
            path.push(ordinal);
            // Before it inherits anything: a stage may drop a hundred thousand small outputs of a large item.
            if target == Target::Drop {
                self.dropped.get_or_insert_with(|| "dropped".into());
                continue;
            }
            let item = parent.child(&node.name, ordinal, output);
            if item.attributes.len() > MOST_ATTRIBUTES {
                let message = format!(
                    "an item has {} attributes, inherited ones included; at most {MOST_ATTRIBUTES} are allowed",
                    item.attributes.len()
                );
                return Err(NotEmitted::Job(Failure::new("too-many-attributes", message)));
            }
            self.enter(&target, item, path, rescue);
            // After each: what a small output inherits can be large.
            if self.bytes > self.most_bytes {
                let message =
                    format!("the items of the job hold more than {} bytes (limits.max_job_bytes)", self.most_bytes);
                return Err(NotEmitted::Job(Failure::new("job-too-large", message)));
            }
        }
        Ok(())
    }

    fn enter(&mut self, target: &Target, item: Item, path: Path, rescue: Rescue) {
        let bytes = item.size();
        let topic = match target {
            Target::Stage(stage) => {
                self.bytes += bytes;
                // A repaired item enters alone: its siblings have already been gathered.
                if self.plan.node(*stage).intake == Intake::Gathered && !matches!(rescue, Rescue::Mended) {
                    let gathered = self.gathering.entry(*stage).or_default();
                    let is_first = gathered.is_empty();
                    gathered.insert(path, item);
                    if is_first {
                        self.knows_one_more(*stage);
                    }
                } else {
                    self.knows_one_more(*stage);
                    self.ready.push_back(Task { stage: *stage, input: Input::Item(item), path, rescue });
                }
                return;
            }
            Target::Drop => {
                self.dropped.get_or_insert_with(|| "dropped".into());
                return;
            }
            Target::Sink => None,
            Target::Topic(topic) => Some(Arc::clone(topic)),
        };
        self.bytes += bytes;
        self.finished.push((path, Finished { topic, item }));
    }

    /// Applies the failure policy of the stage that the item failed in.
    fn fail(&mut self, task: Task, failed: Failed) {
        let (stage, failed) = match &task.rescue {
            Rescue::NotNeeded | Rescue::Mended => (task.stage, failed),
            Rescue::Mending { stage, failed: first } => {
                let rescuer = &self.plan.node(task.stage).name;
                let message =
                    format!("{}; its rescue by stage {rescuer} also failed: {}", first.failure.message, failed.failure);
                let failure = Failure { message, ..first.failure.clone() };
                (*stage, Failed { failure, ..first.clone() })
            }
        };
        let node = self.plan.node(stage);
        match (node.on_failure, &task.rescue, task.input) {
            (OnFailure::Skip, _, _) => {
                self.dropped.get_or_insert(failed.failure.code);
            }
            (OnFailure::Rescue(rescuer), Rescue::NotNeeded, Input::Item(item)) => {
                let item = with_failure(item, &node.name, &failed.failure);
                self.bytes += item.size();
                let rescue = Rescue::Mending { stage, failed };
                self.knows_one_more(rescuer);
                self.ready.push_back(Task { stage: rescuer, input: Input::Item(item), path: task.path, rescue });
            }
            (OnFailure::DeadLetter | OnFailure::Rescue(_), _, _) => self.give_up(stage, failed),
        }
    }

    /// The job fails as a whole.
    fn give_up(&mut self, stage: usize, failed: Failed) {
        self.failed = Some((Arc::clone(&self.plan.node(stage).name), failed));
        self.ready.clear();
        self.gathering.clear();
        self.finished.clear();
        self.bytes = 0;
    }
}

/// Why outputs were not emitted.
enum NotEmitted {
    /// The fault of the item that they come from.
    Item(Failure),
    /// The job is too large, which is not the item's fault; and some outputs have already gone on.
    Job(Failure),
}

impl Task {
    /// Whether it must not share a call with others: all items of a job, or one that is being repaired.
    #[must_use]
    pub fn runs_alone(&self) -> bool {
        !matches!((&self.input, &self.rescue), (Input::Item(_), Rescue::NotNeeded))
    }

    /// The task's place in the plan; for a rescue, the stage where its item failed.
    fn place(&self) -> usize {
        match &self.rescue {
            Rescue::Mending { stage, .. } => *stage,
            Rescue::NotNeeded | Rescue::Mended => self.stage,
        }
    }
}

impl Size for Input {
    fn size(&self) -> usize {
        match self {
            Self::Item(item) => item.size(),
            Self::Gathered(items) => items.size(),
        }
    }
}

impl Input {
    /// The parent of a stage's outputs: the item, or what all gathered items have in common, without content.
    fn parent(&self, document: &DocumentId, stage: &str) -> Cow<'_, Item> {
        match self {
            Self::Item(item) => Cow::Borrowed(item),
            Self::Gathered(items) => Cow::Owned(Item::common(ItemId::gathered(document, stage), items)),
        }
    }
}

fn unmapped(stage: &str, branch: &str) -> Failure {
    let message = format!("an output of stage {stage} names the branch {branch:?}, which has no target");
    Failure::new("unmapped-branch", message)
}

/// The item with attributes that describe its failure.
fn with_failure(mut item: Item, stage: &str, failure: &Failure) -> Item {
    let told = [
        ("stage", Some(stage)),
        ("code", Some(failure.code.as_str())),
        ("message", Some(failure.message.as_str())),
        ("details", failure.details.as_deref()),
    ];
    for (what, value) in told {
        let Some(value) = value else { continue };
        item.attributes.push(Attribute { name: format!("{FAILURE_ATTRIBUTE}{what}"), value: value.to_owned() });
    }
    item
}

/// Maximum attributes of one item. They travel with it and become headers of its record.
const MOST_ATTRIBUTES: usize = 1_000;

#[cfg(test)]
mod tests;
