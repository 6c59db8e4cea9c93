//! The passage of one event through the pipeline, as a pure state machine.
//!
//! `next_task()` says which item to hand to which stage, `apply()` takes the verdict, and when neither has anything left the
//! job has ended. It knows no time and does no I/O: who runs the stages, how often and side by side, is the flow's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{Failure, Item, ItemId, JobId, Outcome, Output};

/// Where an item stands in the order of outputs: the ordinals on the way to it.
type Path = Vec<usize>;

/// One item for one stage.
#[derive(Debug, Clone)]
pub struct Task {
    /// Index of the stage in the pipeline.
    pub stage: usize,
    /// The item.
    pub item: Item,
    path: Path,
}

/// What became of a task, after all its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The stage decided.
    Decided(Outcome),
    /// The stage could not decide, and will not be asked again.
    Failed(Failed),
}

/// A task that is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Why.
    pub failure: Failure,
    /// How often it was tried.
    pub attempts: u32,
}

/// How a job ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// These items go to the sink, in this order, all or none.
    Emitted(Vec<Item>),
    /// Every item was filtered on purpose; the code of the first that was, or "nothing-emitted".
    Dropped(String),
    /// The event goes to the dead letters.
    DeadLettered {
        /// The stage that could not go on; `None` when no stage was reached.
        stage: Option<Arc<str>>,
        /// Why and after how many attempts.
        failed: Failed,
    },
}

/// One job in memory.
#[derive(Debug)]
pub struct Job {
    stages: Arc<[Arc<str>]>,
    ready: VecDeque<Task>,
    running: usize,
    finished: BTreeMap<Path, Item>,
    dropped: Option<String>,
    failed: Option<(Arc<str>, Failed)>,
}

impl Job {
    /// A job whose first item is about to enter the first of the named stages.
    #[must_use]
    pub fn start(stages: Arc<[Arc<str>]>, item: Item) -> Self {
        let mut job =
            Self { stages, ready: VecDeque::new(), running: 0, finished: BTreeMap::new(), dropped: None, failed: None };
        job.enter(0, item, Path::new());
        job
    }

    /// The id of the item that an event itself is.
    #[must_use]
    pub fn first_item(id: &JobId) -> ItemId {
        ItemId::root(id)
    }

    /// The next item to run, if one is ready. It counts as running until [`Job::apply`].
    pub fn next_task(&mut self) -> Option<Task> {
        let task = self.ready.pop_front()?;
        self.running += 1;
        Some(task)
    }

    /// Moves on by the verdict on a task from [`Job::next_task`]. After the first failure nothing new becomes ready: the job
    /// is all or nothing.
    pub fn apply(&mut self, task: &Task, verdict: Verdict) {
        self.running -= 1;
        let failed = match verdict {
            Verdict::Decided(Outcome::Emit(outputs)) => match self.emit(task, outputs) {
                Ok(()) => return,
                Err(failure) => Failed { failure, attempts: 1 },
            },
            Verdict::Decided(Outcome::Drop(code)) => {
                self.dropped.get_or_insert(code);
                return;
            }
            Verdict::Decided(Outcome::Reject(failure)) => Failed { failure, attempts: 1 },
            Verdict::Failed(failed) => failed,
        };
        self.failed.get_or_insert_with(|| (Arc::clone(&self.stages[task.stage]), failed));
        self.ready.clear();
    }

    /// How the job ended; `None` while an item is ready or running.
    #[must_use]
    pub fn end(&mut self) -> Option<Disposition> {
        if self.running > 0 || !self.ready.is_empty() {
            return None;
        }
        if let Some((stage, failed)) = self.failed.take() {
            return Some(Disposition::DeadLettered { stage: Some(stage), failed });
        }
        if self.finished.is_empty() {
            return Some(Disposition::Dropped(self.dropped.take().unwrap_or_else(|| "nothing-emitted".into())));
        }
        Some(Disposition::Emitted(std::mem::take(&mut self.finished).into_values().collect()))
    }

    fn emit(&mut self, task: &Task, outputs: Vec<Output>) -> Result<(), Failure> {
        if self.failed.is_some() {
            return Ok(());
        }
        let stage = Arc::clone(&self.stages[task.stage]);
        for (ordinal, output) in outputs.into_iter().enumerate() {
            if let Some(branch) = &output.branch {
                let message = format!("an output of stage {stage} names the branch {branch:?}, which leads nowhere");
                return Err(Failure::new("unmapped-branch", message));
            }
            let mut path = task.path.clone();
            path.push(ordinal);
            self.enter(task.stage + 1, task.item.child(&stage, ordinal, output), path);
        }
        Ok(())
    }

    fn enter(&mut self, stage: usize, item: Item, path: Path) {
        if stage == self.stages.len() {
            self.finished.insert(path, item);
        } else {
            self.ready.push_back(Task { stage, item, path });
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::{EventId, Partition, Position};

    fn job(stages: &[&str]) -> Job {
        let event = EventId { partition: Partition { topic: "in".into(), index: 0 }, position: Position(7) };
        let id = JobId::new("p", &event);
        let item = Item {
            id: Job::first_item(&id),
            key: Some(Bytes::from_static(b"k")),
            payload: Bytes::from_static(b"whole"),
            content_type: None,
            headers: Vec::new(),
            attributes: Vec::new(),
        };
        Job::start(stages.iter().map(|stage| Arc::from(*stage)).collect(), item)
    }

    fn output(payload: &'static str) -> Output {
        Output {
            payload: Bytes::from_static(payload.as_bytes()),
            content_type: None,
            key: None,
            headers: Vec::new(),
            attributes: Vec::new(),
            branch: None,
        }
    }

    fn emit(payloads: &[&'static str]) -> Verdict {
        Verdict::Decided(Outcome::Emit(payloads.iter().map(|payload| output(payload)).collect()))
    }

    fn failed(code: &str) -> Failed {
        Failed { failure: Failure::new(code, "why"), attempts: 3 }
    }

    fn payloads(end: Option<Disposition>) -> Vec<String> {
        match end {
            Some(Disposition::Emitted(items)) => {
                items.iter().map(|item| String::from_utf8_lossy(&item.payload).into_owned()).collect()
            }
            other => panic!("expected outputs, got {other:?}"),
        }
    }

    #[test]
    fn outputs_keep_item_order_whatever_order_they_finish_in() {
        let mut job = job(&["split", "mark"]);
        let split = job.next_task().unwrap();
        job.apply(&split, emit(&["a", "b", "c"]));
        let tasks: Vec<Task> = std::iter::from_fn(|| job.next_task()).collect();
        job.apply(&tasks[2], emit(&["c1", "c2"]));
        job.apply(&tasks[0], emit(&["a1"]));
        assert_eq!(job.end(), None, "an item is still running");
        job.apply(&tasks[1], emit(&["b1"]));
        assert_eq!(payloads(job.end()), ["a1", "b1", "c1", "c2"]);
    }

    #[test]
    fn ids_are_made_of_parent_stage_and_ordinal() {
        let mut job = job(&["split"]);
        let split = job.next_task().unwrap();
        job.apply(&split, emit(&["a", "b"]));
        let Some(Disposition::Emitted(items)) = job.end() else { panic!("no outputs") };
        assert_eq!(items[1].id.as_str(), "p/in/0/7/split.1");
        assert_eq!(items[1].key.as_deref(), Some(b"k".as_slice()), "siblings keep the key");
    }

    #[test]
    fn one_failed_item_dead_letters_the_whole_job_and_starts_nothing_new() {
        let mut job = job(&["split", "mark"]);
        let split = job.next_task().unwrap();
        job.apply(&split, emit(&["a", "b", "c"]));
        let (first, second) = (job.next_task().unwrap(), job.next_task().unwrap());
        job.apply(&first, Verdict::Failed(failed("trap")));
        assert!(job.next_task().is_none(), "c must not start");
        assert_eq!(job.end(), None, "b still runs");
        job.apply(&second, emit(&["b1"]));
        let expected = Disposition::DeadLettered { stage: Some("mark".into()), failed: failed("trap") };
        assert_eq!(job.end(), Some(expected));
    }

    #[test]
    fn a_dropped_item_leaves_its_siblings() {
        let mut job = job(&["split", "filter"]);
        let split = job.next_task().unwrap();
        job.apply(&split, emit(&["a", "b"]));
        let (a, b) = (job.next_task().unwrap(), job.next_task().unwrap());
        job.apply(&a, Verdict::Decided(Outcome::Drop("spam".into())));
        job.apply(&b, emit(&["b"]));
        assert_eq!(payloads(job.end()), ["b"]);
    }

    #[test]
    fn a_job_that_emits_nothing_is_dropped_with_its_reason() {
        let mut job = job(&["filter"]);
        let task = job.next_task().unwrap();
        job.apply(&task, Verdict::Decided(Outcome::Drop("spam".into())));
        assert_eq!(job.end(), Some(Disposition::Dropped("spam".into())));
    }

    #[test]
    fn an_unmapped_branch_is_a_fault_and_not_silence() {
        let mut job = job(&["route"]);
        let task = job.next_task().unwrap();
        let branched = Output { branch: Some("german".into()), ..output("x") };
        job.apply(&task, Verdict::Decided(Outcome::Emit(vec![branched])));
        let Some(Disposition::DeadLettered { failed, .. }) = job.end() else { panic!("not dead-lettered") };
        assert_eq!(failed.failure.code, "unmapped-branch");
    }

    #[test]
    fn a_stage_cannot_set_what_is_the_hosts() {
        let mut job = job(&["x"]);
        let task = job.next_task().unwrap();
        let attribute = |name: &str| crate::model::Attribute { name: name.into(), value: "v".into() };
        let header = |name: &str| crate::model::Header { name: name.into(), value: None };
        let greedy = Output {
            attributes: vec![attribute("sys.pipeline"), attribute("mine")],
            headers: vec![header("gristmill-job-id"), header("mine")],
            ..output("x")
        };
        job.apply(&task, Verdict::Decided(Outcome::Emit(vec![greedy])));
        let Some(Disposition::Emitted(items)) = job.end() else { panic!("no outputs") };
        assert_eq!(items[0].attributes, [attribute("mine")]);
        assert_eq!(items[0].headers, [header("mine")]);
    }
}
