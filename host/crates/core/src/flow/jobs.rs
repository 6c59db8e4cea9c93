//! The jobs running their stages: a task for each group of events that arrived together.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::done::Done;
use super::error::FlowError;
use super::execute::Start;
use super::group::{self, Report};
use super::order::Sequence;
use super::pace::Pace;
use crate::model::{Event, EventId, Generation, Partition, Position, Size};

/// How many ended jobs are returned at once, at most.
const BURST: usize = 256;

/// Jobs whose events are of one partition and generation, in one task.
struct Group {
    partition: Partition,
    generation: Generation,
    /// That of the deployment.
    version: u64,
    /// By the place of their event in the group; `None` once a job has ended.
    jobs: Vec<Option<Running>>,
    handle: AbortHandle,
}

struct Running {
    position: Position,
    bytes: usize,
    sequence: Option<Sequence>,
}

/// A job that has ended, and its result unless it was aborted.
pub(super) struct Ended {
    pub(super) event: EventId,
    pub(super) generation: Generation,
    /// That of the deployment it ran.
    pub(super) version: u64,
    pub(super) bytes: usize,
    pub(super) sequence: Option<Sequence>,
    pub(super) done: Option<Box<Done>>,
}

/// All jobs running their stages.
pub(super) struct Jobs {
    tasks: JoinSet<Result<(), FlowError>>,
    groups: HashMap<Id, Group>,
    running: usize,
    report: UnboundedSender<Report>,
    reports: UnboundedReceiver<Report>,
    pace: Pace,
}

impl Default for Jobs {
    fn default() -> Self {
        let (report, reports) = unbounded_channel();
        let (tasks, groups) = (JoinSet::new(), HashMap::new());
        Self { tasks, groups, running: 0, report, reports, pace: Pace::default() }
    }
}

impl Jobs {
    /// How many events a task should carry that is to compute for so long, by what jobs have cost so far.
    pub(super) fn group_size(&self, span: Duration) -> usize {
        self.pace.group_size(span)
    }

    /// Starts the jobs of events of one partition and generation, at least one, each with the sequence it belongs to.
    pub(super) fn start(&mut self, start: Start, admitted: Vec<(Event, Option<Sequence>)>) {
        let Some((first, _)) = admitted.first() else { return };
        let (partition, generation) = (first.id.partition.clone(), first.generation);
        let version = start.deployment.version;
        let mut jobs = Vec::with_capacity(admitted.len());
        let mut events = Vec::with_capacity(admitted.len());
        for (event, sequence) in admitted {
            jobs.push(Some(Running { position: event.id.position, bytes: event.size(), sequence }));
            events.push(event);
        }
        self.running += jobs.len();
        let work = self.pace.clone().measure(jobs.len(), group::run(start, events, self.report.clone()));
        // Boxed because a task is moved several times before it runs.
        let handle = self.tasks.spawn(Box::pin(work));
        self.groups.insert(handle.id(), Group { partition, generation, version, jobs, handle });
    }

    /// How many run.
    pub(super) fn len(&self) -> usize {
        self.running
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running == 0
    }

    /// Waits until jobs end, and returns those that have by then; forever if none runs. May return none. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Vec<Ended>, FlowError> {
        let mut ended = Vec::new();
        tokio::select! {
            biased;
            Some(report) = self.reports.recv() => self.note(report, &mut ended),
            Some(joined) = self.tasks.join_next_with_id() => {
                // What a task reported is here before its end.
                while let Ok(report) = self.reports.try_recv() {
                    self.note(report, &mut ended);
                }
                self.join(joined, &mut ended)?;
            }
            else => std::future::pending().await,
        }
        while ended.len() < BURST
            && let Ok(report) = self.reports.try_recv()
        {
            self.note(report, &mut ended);
        }
        Ok(ended)
    }

    /// One job of a group has ended.
    fn note(&mut self, report: Report, ended: &mut Vec<Ended>) {
        let Report { group, index, done } = report;
        let Some(group) = self.groups.get_mut(&group) else { return };
        if let Some(job) = group.jobs.get_mut(index).and_then(Option::take) {
            self.running -= 1;
            ended.push(group.ended(job, Some(done)));
        }
    }

    /// A task has ended. Jobs that it has not reported were aborted.
    fn join(
        &mut self,
        joined: Result<(Id, Result<(), FlowError>), JoinError>,
        ended: &mut Vec<Ended>,
    ) -> Result<(), FlowError> {
        let id = match joined {
            Ok((id, result)) => {
                result?;
                id
            }
            Err(aborted) if aborted.is_cancelled() => aborted.id(),
            Err(panicked) => return Err(FlowError::Panic(panicked)),
        };
        let Some(mut group) = self.groups.remove(&id) else { return Ok(()) };
        for job in std::mem::take(&mut group.jobs).into_iter().flatten() {
            self.running -= 1;
            ended.push(group.ended(job, None));
        }
        Ok(())
    }

    /// Aborts the jobs of a partition.
    pub(super) fn abort(&self, partition: &Partition) {
        for group in self.groups.values().filter(|group| group.partition == *partition) {
            group.handle.abort();
        }
    }

    /// Aborts all jobs.
    pub(super) fn abort_all(&mut self) {
        self.tasks.abort_all();
    }
}

impl Group {
    fn ended(&self, job: Running, done: Option<Box<Done>>) -> Ended {
        let Running { position, bytes, sequence } = job;
        let event = EventId { partition: self.partition.clone(), position };
        Ended { event, generation: self.generation, version: self.version, bytes, sequence, done }
    }
}
