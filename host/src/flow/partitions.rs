//! The partitions we own, the jobs running for them, and what may be settled.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::done::Done;
use super::order::{self, Queues};
use super::outbox::Outbox;
use super::pace::Pace;
use super::transactions::Transactions;
use super::{Delivery, FlowError, Pipeline, execute, sleep_until};
use crate::model::{Event, EventId, Generation, LetterRate, Next, Partition, Progress};
use crate::ports::{Demand, Sight, Signal, TransactionError};

/// A job whose stages run.
struct Running {
    event: EventId,
    generation: Generation,
    bytes: usize,
    turn: Option<order::Turn>,
    handle: tokio::task::AbortHandle,
}

/// A partition we own.
pub(super) struct Lane {
    progress: Progress,
    /// Jobs whose stages run.
    running: usize,
    pub(super) outbox: Outbox,
}

impl Lane {
    pub(super) fn generation(&self) -> Generation {
        self.progress.generation()
    }
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
    /// The task of a job ended by itself, or aborted without anything done.
    Ended(Id, Option<Box<Done>>),
    /// A transaction ended.
    Transacted(Result<(), TransactionError>),
    /// A revocation has waited long enough for its jobs.
    RevocationOverdue,
    /// A pause began or ended, or a transaction is due: all is to be asked for anew.
    TimePassed,
}

/// The task of a job, and what it has done unless it was aborted.
type Ended = (Id, Option<Box<Done>>);

fn end_of(joined: Result<(Id, Result<Box<Done>, FlowError>), JoinError>) -> Result<Ended, FlowError> {
    match joined {
        Ok((id, done)) => Ok((id, Some(done?))),
        Err(aborted) if aborted.is_cancelled() => Ok((aborted.id(), None)),
        Err(panicked) => Err(FlowError::Panic(panicked)),
    }
}

/// Whether new jobs may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Working,
    Draining,
}

pub(super) struct Partitions {
    pub(super) pipeline: Arc<Pipeline>,
    pace: Pace,
    pub(super) lanes: HashMap<Partition, Lane>,
    jobs: JoinSet<Result<Box<Done>, FlowError>>,
    running: HashMap<Id, Running>,
    queues: Queues,
    pub(super) transactions: Transactions,
    pub(super) letters: LetterRate,
    /// Jobs in flight, from the taking of their event to its settlement, and the bytes of these events.
    pub(super) held: Held,
    revocations: Vec<Revocation>,
    pub(super) phase: Phase,
}

/// What is in flight.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    pub(super) jobs: usize,
    bytes: usize,
}

impl Held {
    fn add(&mut self, bytes: usize) {
        self.jobs += 1;
        self.bytes += bytes;
    }

    pub(super) fn remove(&mut self, (jobs, bytes): (usize, usize)) {
        self.jobs -= jobs;
        self.bytes -= bytes;
    }
}

impl Partitions {
    pub(super) fn new(pipeline: Arc<Pipeline>) -> Self {
        Self {
            pace: Pace::new(),
            lanes: HashMap::new(),
            jobs: JoinSet::new(),
            running: HashMap::new(),
            queues: Queues::new(pipeline.order),
            transactions: Transactions::default(),
            letters: LetterRate::new(pipeline.letters.bounds),
            held: Held::default(),
            revocations: Vec::new(),
            phase: Phase::Working,
            pipeline,
        }
    }

    fn drain_timeout(&self) -> Duration {
        self.pipeline.limits.drain_timeout
    }

    /// Begins no further jobs. Gives the moment until which those that run may end.
    pub(super) fn drain(&mut self) -> Instant {
        tracing::info!(in_flight = self.in_flight(), "draining");
        self.phase = Phase::Draining;
        Instant::now() + self.drain_timeout()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.held.jobs
    }

    /// Why the pipeline must stop, if so many jobs fail.
    pub(super) fn too_many_letters(&self) -> Option<String> {
        self.letters.too_many()
    }

    /// Whether nothing runs and nothing waits to be written. Events that wait for their turn come again.
    pub(super) fn is_idle(&self) -> bool {
        self.jobs.is_empty() && !self.transactions.is_running() && self.ready() == 0
    }

    /// Events only while there is room and nothing asked for a slower pace.
    pub(super) fn demand(&self) -> Demand {
        let limits = &self.pipeline.limits;
        let full = self.held.jobs >= limits.jobs.get() || self.held.bytes >= limits.bytes.get();
        match full || self.phase == Phase::Draining || self.pace.paused_until().is_some() {
            true => Demand::ControlOnly,
            false => Demand::Everything,
        }
    }

    /// Does what the source says.
    pub(super) fn heed(&mut self, signal: Signal) {
        match signal {
            Signal::Assigned { partitions, generation } => self.open(partitions, generation),
            Signal::Revoked { partitions, ack } => self.revoke(partitions, ack),
            Signal::Event(event) => self.take(event),
        }
    }

    fn open(&mut self, partitions: Vec<Partition>, generation: Generation) {
        for partition in partitions {
            tracing::debug!(%partition, generation = generation.0, "assigned");
            // One that was lost and came back before the flow was done with it is new from now on, and stays.
            for revocation in &mut self.revocations {
                revocation.partitions.retain(|leaving| *leaving != partition);
            }
            self.give_up(&partition);
            let lane = Lane { progress: Progress::new(generation), running: 0, outbox: Outbox::default() };
            self.lanes.insert(partition, lane);
        }
    }

    /// Takes an event: its job begins, now or in its turn. An event of a partition that is not ours, or not for long, is
    /// left to its owner.
    fn take(&mut self, event: Event) {
        let leaving = self.is_leaving(&event.id.partition);
        let lane =
            self.lanes.get_mut(&event.id.partition).filter(|lane| !leaving && lane.generation() == event.generation);
        let Some(lane) = lane else {
            tracing::debug!(event = %event.id, "not ours any more");
            return;
        };
        lane.progress.start(event.id.position);
        self.held.add(event.size());
        let turn = self.queues.turn(&event);
        if let Some(event) = self.queues.admit(turn.as_ref(), event) {
            self.begin(event, turn);
        }
    }

    fn is_leaving(&self, partition: &Partition) -> bool {
        self.revocations.iter().any(|revocation| revocation.partitions.contains(partition))
    }

    fn begin(&mut self, event: Event, turn: Option<order::Turn>) {
        if let Some(lane) = self.lanes.get_mut(&event.id.partition) {
            lane.running += 1;
        }
        let (id, generation, bytes) = (event.id.clone(), event.generation, event.size());
        // In a box, because a task is moved several times on its way to be one.
        let job = Box::pin(execute::job(Arc::clone(&self.pipeline), self.pace.clone(), event));
        let handle = self.jobs.spawn(job);
        self.running.insert(handle.id(), Running { event: id, generation, bytes, turn, handle });
    }

    /// The next thing that happens here; waits for one. Cancel-safe.
    pub(super) async fn next_turn(&mut self) -> Result<Turn, FlowError> {
        let overdue = self.revocations.iter().map(|revocation| revocation.deadline).min();
        let due = self.transaction_due();
        tokio::select! {
            biased;
            ended = self.jobs.join_next_with_id(), if !self.jobs.is_empty() => match ended {
                Some(ended) => end_of(ended).map(|(id, done)| Turn::Ended(id, done)),
                None => Ok(Turn::TimePassed),
            },
            result = self.transactions.ended() => Ok(Turn::Transacted(result)),
            () = sleep_until(overdue) => Ok(Turn::RevocationOverdue),
            () = sleep_until(due) => Ok(Turn::TimePassed),
            () = self.pace.changed() => Ok(Turn::TimePassed),
        }
    }

    /// Another job that has ended by now.
    pub(super) fn ended_meanwhile(&mut self) -> Result<Option<Ended>, FlowError> {
        self.jobs.try_join_next_with_id().map(end_of).transpose()
    }

    /// Takes note of the end of a job's stages, and begins the job whose turn it is then. Nothing is settled for a job of
    /// an earlier generation: its partition was given away in between, and its event is being worked on again.
    pub(super) fn finish(&mut self, id: Id, done: Option<Box<Done>>) -> Option<Settled> {
        let job = self.running.remove(&id)?;
        let lane = self.lanes.get_mut(&job.event.partition).filter(|lane| lane.generation() == job.generation);
        let (Some(lane), Some(done)) = (lane, done) else {
            self.held.remove((1, job.bytes));
            self.pipeline.observer.observe(&Sight::Stale { event: &job.event });
            return None;
        };
        lane.running -= 1;
        let below = lane.progress.finish(job.generation, job.event.position);
        let settled = match self.pipeline.delivery {
            Delivery::AtLeastOnce(_) => {
                self.held.remove((1, job.bytes));
                self.letters.note(done.is_dead());
                Some(Settled { event: job.event.clone(), below })
            }
            Delivery::ExactlyOnce { .. } => {
                lane.outbox.put(*done, below);
                self.transactions.note_ready();
                None
            }
        };
        let may_begin = self.phase == Phase::Working && !self.is_leaving(&job.event.partition);
        if let Some(turn) = job.turn.filter(|_| may_begin)
            && let Some(event) = self.queues.next(&turn)
        {
            self.begin(event, Some(turn));
        }
        settled
    }

    /// Partitions are being taken away: what runs may finish, nothing new begins, then the source is told.
    fn revoke(&mut self, partitions: Vec<Partition>, ack: oneshot::Sender<()>) {
        // What was lost can no longer be settled, and nobody waits for it.
        let lost = ack.is_closed();
        tracing::info!(count = partitions.len(), lost, "revoked");
        let deadline = if lost { Instant::now() } else { Instant::now() + self.drain_timeout() };
        self.revocations.push(Revocation { partitions, ack, deadline });
        self.give_up_revoked();
    }

    /// Whether a partition waits for the end of its jobs to be given away.
    pub(super) fn is_revoking(&self) -> bool {
        !self.revocations.is_empty()
    }

    /// Gives away every revoked set of partitions whose jobs have all ended.
    pub(super) fn release_revoked(&mut self) {
        let lanes = &self.lanes;
        let (done, waiting): (Vec<_>, Vec<_>) = self.revocations.drain(..).partition(|revocation| {
            let busy = |lane: &Lane| lane.running > 0 || lane.outbox.ready() > 0;
            !revocation.partitions.iter().any(|partition| lanes.get(partition).is_some_and(busy))
        });
        self.revocations = waiting;
        for revocation in done {
            for partition in &revocation.partitions {
                self.close(partition);
            }
            // A source that no longer waits has given the partitions away already.
            let _ = revocation.ack.send(());
        }
    }

    /// Aborts what still runs for revoked partitions whose time is over, and gives away all that are done.
    pub(super) fn give_up_revoked(&mut self) {
        let now = Instant::now();
        let overdue = self.revocations.iter().filter(|revocation| revocation.deadline <= now);
        let partitions: Vec<Partition> = overdue.flat_map(|revocation| revocation.partitions.iter().cloned()).collect();
        for partition in &partitions {
            self.give_up(partition);
        }
        self.release_revoked();
    }

    /// Ends the ownership of a partition and aborts what runs for it.
    fn give_up(&mut self, partition: &Partition) {
        self.close(partition);
        for job in self.running.values().filter(|job| job.event.partition == *partition) {
            job.handle.abort();
        }
    }

    /// Ends the ownership of a partition. What runs for it is stale from now on; what waits comes again.
    fn close(&mut self, partition: &Partition) {
        for event in self.queues.forget(partition) {
            self.held.remove((1, event.size()));
        }
        if let Some(lane) = self.lanes.remove(partition) {
            self.held.remove(lane.outbox.held());
        }
    }

    pub(super) fn abort_all(&mut self) {
        self.jobs.abort_all();
    }
}
