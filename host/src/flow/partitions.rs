//! The partitions we own, the jobs running for them, and what may be committed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

use super::{FlowError, Pipeline, execute, pace::Pace, sleep_until};
use crate::model::{Event, EventId, Generation, Next, Partition, Progress};
use crate::ports::Demand;

/// A job that was begun.
struct Running {
    event: EventId,
    generation: Generation,
    bytes: usize,
    handle: tokio::task::AbortHandle,
}

/// A partition we own.
struct Lane {
    generation: Generation,
    progress: Progress,
}

/// Partitions that are being taken away: their jobs may finish until the deadline.
struct Revocation {
    partitions: Vec<Partition>,
    ack: oneshot::Sender<()>,
    deadline: Instant,
}

/// A job whose end may be told to the source.
pub(super) struct Settled {
    pub(super) event: EventId,
    pub(super) below: Option<Next>,
}

/// What can happen to the partitions from inside.
pub(super) enum Turn {
    /// The task of a job ended, by itself or aborted.
    Ended(Id),
    /// A revocation has waited long enough for its jobs.
    RevocationOverdue,
    /// A pause began or ended: the demand is to be asked for anew.
    PaceChanged,
}

pub(super) struct Partitions {
    pipeline: Arc<Pipeline>,
    pace: Pace,
    lanes: HashMap<Partition, Lane>,
    generation: Generation,
    jobs: JoinSet<Result<(), FlowError>>,
    running: HashMap<Id, Running>,
    bytes: usize,
    revocations: Vec<Revocation>,
}

impl Partitions {
    pub(super) fn new(pipeline: Arc<Pipeline>) -> Self {
        Self {
            pipeline,
            pace: Pace::new(),
            lanes: HashMap::new(),
            generation: Generation::default(),
            jobs: JoinSet::new(),
            running: HashMap::new(),
            bytes: 0,
            revocations: Vec::new(),
        }
    }

    pub(super) fn drain_timeout(&self) -> Duration {
        self.pipeline.limits.drain_timeout
    }

    pub(super) fn in_flight(&self) -> usize {
        self.running.len()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Events only while there is room and nothing asked for a slower pace.
    pub(super) fn demand(&self) -> Demand {
        let limits = &self.pipeline.limits;
        let full = self.running.len() >= limits.jobs.get() || self.bytes >= limits.bytes.get();
        match full || self.pace.paused_until().is_some() {
            true => Demand::ControlOnly,
            false => Demand::Everything,
        }
    }

    pub(super) fn open(&mut self, partitions: Vec<Partition>) {
        self.generation.0 += 1;
        for partition in partitions {
            tracing::debug!(%partition, "assigned");
            let lane = Lane { generation: self.generation, progress: Progress::default() };
            self.lanes.insert(partition, lane);
        }
    }

    /// Begins the job of an event. An event of a partition that is not ours, or not for long, is left to its owner.
    pub(super) fn start(&mut self, event: Event) {
        let leaving = self.revocations.iter().any(|revocation| revocation.partitions.contains(&event.id.partition));
        let lane = self.lanes.get_mut(&event.id.partition).filter(|_| !leaving);
        let Some(lane) = lane else {
            tracing::debug!(event = %event.id, "not ours any more");
            return;
        };
        lane.progress.start(event.id.position);
        let (id, bytes, generation) = (event.id.clone(), event.size(), lane.generation);
        let handle = self.jobs.spawn(execute::job(Arc::clone(&self.pipeline), self.pace.clone(), event));
        self.bytes += bytes;
        self.running.insert(handle.id(), Running { event: id, generation, bytes, handle });
    }

    /// The next thing that happens here; waits for one. Cancel-safe.
    pub(super) async fn next_turn(&mut self) -> Result<Turn, FlowError> {
        let overdue = self.revocations.iter().map(|revocation| revocation.deadline).min();
        tokio::select! {
            biased;
            ended = self.jobs.join_next_with_id(), if !self.jobs.is_empty() => match ended {
                Some(Ok((id, Ok(())))) => Ok(Turn::Ended(id)),
                Some(Ok((_, Err(error)))) => Err(error),
                Some(Err(aborted)) if aborted.is_cancelled() => Ok(Turn::Ended(aborted.id())),
                Some(Err(panicked)) => Err(FlowError::Panic(panicked)),
                None => Ok(Turn::PaceChanged),
            },
            () = sleep_until(overdue) => Ok(Turn::RevocationOverdue),
            () = self.pace.changed() => Ok(Turn::PaceChanged),
        }
    }

    /// Takes note of a job's end. Nothing may be settled for a job of an earlier generation: its partition was given
    /// away in between, and its event is being worked on again.
    pub(super) fn finish(&mut self, id: Id) -> Option<Settled> {
        let job = self.running.remove(&id)?;
        self.bytes -= job.bytes;
        let lane = self.lanes.get_mut(&job.event.partition).filter(|lane| lane.generation == job.generation);
        let Some(lane) = lane else {
            tracing::debug!(event = %job.event, "ended after its partition was given away");
            return None;
        };
        let below = lane.progress.finish(job.event.position);
        Some(Settled { event: job.event, below })
    }

    /// Partitions are being taken away: what runs may finish, nothing new begins, then the source is told.
    pub(super) fn revoke(&mut self, partitions: Vec<Partition>, ack: oneshot::Sender<()>) {
        tracing::info!(count = partitions.len(), "revoked");
        let deadline = Instant::now() + self.drain_timeout();
        self.revocations.push(Revocation { partitions, ack, deadline });
        self.release_revoked();
    }

    /// Gives away every revoked set of partitions whose jobs have all ended.
    pub(super) fn release_revoked(&mut self) {
        let lanes = &mut self.lanes;
        let (done, waiting): (Vec<_>, Vec<_>) = self.revocations.drain(..).partition(|revocation| {
            let busy = |partition| lanes.get(partition).is_some_and(|lane: &Lane| lane.progress.in_flight() > 0);
            !revocation.partitions.iter().any(busy)
        });
        self.revocations = waiting;
        for revocation in done {
            for partition in &revocation.partitions {
                lanes.remove(partition);
            }
            // A source that no longer waits has given the partitions away already.
            let _ = revocation.ack.send(());
        }
    }

    /// Aborts what still runs for revoked partitions whose time is over, and gives them away.
    pub(super) fn give_up_revoked(&mut self) {
        let now = Instant::now();
        for revocation in &self.revocations {
            if revocation.deadline > now {
                continue;
            }
            for partition in &revocation.partitions {
                self.lanes.remove(partition);
                for job in self.running.values().filter(|job| job.event.partition == *partition) {
                    job.handle.abort();
                }
            }
        }
        self.release_revoked();
    }

    pub(super) fn abort_all(&mut self) {
        self.jobs.abort_all();
    }
}
