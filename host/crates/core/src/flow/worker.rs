//! Everything the main loop owns: partitions, jobs in flight, and what may be settled. One owner, so no locks.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::bookkeeping::Bookkeeping;
use super::deployment::Deployment;
use super::deployments::Deployments;
use super::error::FlowError;
use super::execute::Start;
use super::grouping::{Admitted, Groups};
use super::handle::{Command, Intake, Status};
use super::held::HeldItems;
use super::jobs::{Ended, Jobs};
use super::order::OrderQueues;
use super::partitions::Partitions;
use super::payload::Payloads;
use super::pipeline::{Delivery, Pipeline};
use super::room::Room;
use super::throttle::Throttle;
use super::timer::sleep_until;
use super::transactions::{self, Haste, Transactions};
use super::wakeup::{Settled, Wakeup};
use crate::model::{DeadLetterRate, Event, EventId, Generation, Next, Partition, Side, Size};
use crate::ports::{Demand, FlowEvent, Notice, PauseReason, Queues, Revocation, Signal, TransactionError};

pub(super) struct Worker {
    pipeline: Arc<Pipeline>,
    deployments: Deployments,
    intake: Intake,
    throttle: Throttle,
    held_items: HeldItems,
    partitions: Partitions,
    jobs: Jobs,
    /// So that there are groups enough for all threads.
    most_in_a_group: usize,
    queues: OrderQueues,
    transactions: Transactions,
    dead_letters: DeadLetterRate,
    room: Room,
    payloads: Payloads,
    books: Bookkeeping,
    /// The last report to the observers.
    reported: Queues,
}

/// Two groups for each thread of the runtime must fit into what is in flight.
fn most_in_a_group(in_flight: usize) -> usize {
    (in_flight / 2 / Handle::current().metrics().num_workers().max(1)).max(1)
}

impl Worker {
    pub(super) fn new(pipeline: Arc<Pipeline>, deployment: Arc<Deployment>) -> Self {
        let throttle = Throttle::new(Arc::clone(&pipeline.observer));
        Self {
            intake: Intake::Open,
            books: Bookkeeping::new(&pipeline, &throttle),
            throttle,
            held_items: HeldItems::default(),
            partitions: Partitions::default(),
            jobs: Jobs::default(),
            most_in_a_group: most_in_a_group(pipeline.limits.max_in_flight.get() as usize),
            queues: OrderQueues::new(pipeline.order),
            transactions: Transactions::new(&pipeline.delivery),
            dead_letters: DeadLetterRate::new(pipeline.limits.dead_letter_bounds()),
            room: Room::new(pipeline.limits),
            payloads: Payloads::new(pipeline.offload.clone(), &pipeline.limits),
            reported: Queues::default(),
            deployments: Deployments::new(deployment),
            pipeline,
        }
    }

    /// Asks for events only while there is room and the intake is not paused.
    pub(super) fn demand(&self) -> Demand {
        if self.intake != Intake::Open || self.throttle.is_paused() {
            return Demand::ControlOnly;
        }
        match NonZeroUsize::new(self.room.left()) {
            Some(room) => Demand::Events(room),
            None if self.are_all_held() && self.room.has_place_for_a_witness(self.jobs.len()) => {
                Demand::Events(NonZeroUsize::MIN)
            }
            None => Demand::ControlOnly,
        }
    }

    /// Whether jobs run, and an outage holds all of them.
    fn are_all_held(&self) -> bool {
        let running = self.jobs.len();
        running > 0 && self.held_items.jobs() >= running
    }

    /// Handles a signal from the source.
    pub(super) fn handle(&mut self, signal: Signal) {
        match signal {
            Signal::Assigned { partitions, generation, all } => {
                self.partitions.count(all);
                self.pipeline.observer.observe(&FlowEvent::Assigned { partitions: &partitions, all });
                self.open(partitions, generation);
            }
            Signal::Revoked { partitions, ack } => self.revoke(partitions, ack),
            Signal::Events(events) => self.take(events),
            Signal::Lag { partition, records } => {
                self.pipeline.observer.observe(&FlowEvent::Lag { partition: &partition, records });
            }
            Signal::Notice(notice) => self.pipeline.observer.observe(&FlowEvent::Notice(&notice)),
        }
    }

    /// Runs an operator's command. The answer is dropped if nobody waits for it.
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Pause(done) => {
                if self.intake == Intake::Open {
                    tracing::info!("paused by an operator");
                    self.intake = Intake::Paused;
                    self.pipeline.observer.observe(&FlowEvent::Paused { why: &PauseReason::Operator, wait: None });
                }
                let _ = done.send(());
            }
            Command::Resume(done) => {
                if self.intake == Intake::Paused {
                    tracing::info!("resumed");
                    self.intake = Intake::Open;
                    self.pipeline.observer.observe(&FlowEvent::Resumed { why: &PauseReason::Operator });
                }
                let _ = done.send(());
            }
            Command::Change(change) => self.deployments.change(change),
            Command::Status(asked) => {
                let _ = asked.send(self.status());
            }
        }
    }

    /// Starts no more jobs. Returns the deadline for those still running.
    pub(super) fn drain(&mut self) -> Instant {
        tracing::info!(in_flight = self.room.jobs(), "draining");
        self.intake = Intake::Draining;
        Instant::now() + self.pipeline.limits.drain_timeout
    }

    /// Whether nothing runs that can end, and nothing waits to be written. Events waiting for their turn do not count, nor
    /// those that an outage holds: they are redelivered.
    pub(super) fn is_idle(&self) -> bool {
        (self.jobs.is_empty() || self.are_all_held())
            && !self.transactions.is_running()
            && transactions::ready(&self.partitions) == 0
            && self.books.is_quiet()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.room.jobs()
    }

    /// Why the pipeline must stop, if too many jobs fail.
    pub(super) fn too_many_dead_letters(&self) -> Option<String> {
        self.dead_letters.too_many()
    }

    /// Waits for the next wakeup. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Wakeup, FlowError> {
        let due = self.transactions.due(&self.partitions, self.haste());
        tokio::select! {
            biased;
            ended = self.jobs.next() => Ok(Wakeup::JobsEnded(ended?)),
            result = self.transactions.ended() => Ok(Wakeup::TransactionEnded(result)),
            () = sleep_until(self.partitions.deadline()) => Ok(Wakeup::RevocationOverdue),
            () = sleep_until(due) => Ok(Wakeup::TimePassed),
            () = self.throttle.changed() => Ok(Wakeup::TimePassed),
            () = self.books.quiet(), if self.intake == Intake::Draining => Ok(Wakeup::TimePassed),
        }
    }

    /// Records the ends of jobs, starts those that waited for them, and returns what is settled thereby.
    pub(super) fn finish(&mut self, ended: Vec<Ended>) -> Vec<Settled> {
        let mut settled: Vec<Settled> = Vec::new();
        for job in ended {
            let Some((event, below)) = self.end(job) else { continue };
            match settled.iter_mut().rfind(|settled| settled.partition == event.partition) {
                Some(earlier) => {
                    earlier.events.push(event.position);
                    earlier.below = below.or(earlier.below);
                }
                None => settled.push(Settled { partition: event.partition, events: vec![event.position], below }),
            }
        }
        settled
    }

    /// Records the end of a job's stages and starts the job that waited for it. Nothing is settled for a job of an
    /// earlier generation: its partition was given away in the meantime, and its event is being processed again.
    fn end(&mut self, job: Ended) -> Option<(EventId, Option<Next>)> {
        self.deployments.end(&job);
        let Ended { event, generation, bytes, sequence, done, .. } = job;
        let state = self.partitions.of(&event.partition, generation);
        let (Some(state), Some(done)) = (state, done) else {
            self.room.remove((1, bytes));
            self.pipeline.observer.observe(&FlowEvent::Stale { event: &event });
            return None;
        };
        state.running -= 1;
        let below = state.progress.finish(generation, event.position);
        let settles = match self.pipeline.delivery {
            Delivery::AtLeastOnce(_) => {
                self.room.remove((1, bytes));
                self.dead_letters.note(done.end());
                true
            }
            Delivery::ExactlyOnce { .. } => {
                state.outbox.put(*done, below);
                self.transactions.note_ready();
                false
            }
        };
        let may_begin = self.intake != Intake::Draining && !self.partitions.is_leaving(&event.partition);
        if let Some(sequence) = sequence.filter(|_| may_begin)
            && let Some(next) = self.queues.next(&sequence)
        {
            let side = self.deployments.side(&next, &self.pipeline);
            self.begin(side, vec![(next, Some(sequence))]);
        }
        settles.then_some((event, below))
    }

    /// Begins a transaction if one is due.
    pub(super) fn transact_when_due(&mut self) {
        self.transactions.begin_when_due(&self.partitions, self.haste());
    }

    /// Handles the end of a transaction.
    pub(super) fn transacted(&mut self, result: Result<(), TransactionError>) -> Result<(), FlowError> {
        self.pipeline.observer.observe(&FlowEvent::Notice(&Notice::Commit(transactions::outcome(&result))));
        for mut done in self.transactions.settle(result, &mut self.partitions, &self.pipeline)? {
            self.books.committed(&mut done);
            self.room.remove((1, done.event.size()));
            self.dead_letters.note(done.end());
            done.acknowledged(&self.pipeline)?;
        }
        Ok(())
    }

    /// Gives away every revoked set of partitions whose jobs have all ended.
    pub(super) fn release_revoked(&mut self) {
        for (partitions, ack) in self.partitions.released() {
            for partition in &partitions {
                self.close(partition);
            }
            self.deployments.share(self.partitions.portion());
            // A source that no longer waits has already given the partitions away.
            let _ = ack.send(());
        }
    }

    /// Aborts the jobs of revoked partitions that are past their deadline, and gives away every set that is done.
    pub(super) fn give_up_overdue(&mut self) {
        for partition in self.partitions.overdue() {
            self.close(&partition);
            self.jobs.abort(&partition);
        }
        self.release_revoked();
    }

    /// Reports what is in flight to observers, if it changed. Ends a trial that is decided.
    pub(super) fn report(&mut self) {
        if self.intake != Intake::Draining {
            self.deployments.judge();
        }
        let queues = self.queues();
        if queues != self.reported {
            self.reported = queues;
            self.pipeline.observer.observe(&FlowEvent::Queues(queues));
        }
    }

    pub(super) fn abort_all(&mut self) {
        self.jobs.abort_all();
    }

    fn open(&mut self, partitions: Vec<Partition>, generation: Generation) {
        for partition in partitions {
            tracing::debug!(%partition, generation = generation.0, "assigned");
            self.close(&partition);
            self.jobs.abort(&partition);
            self.partitions.open(partition, generation);
        }
        self.books.assigned();
        self.deployments.share(self.partitions.portion());
    }

    /// Takes events of one partition: their jobs start now, or once the jobs before them in their order have ended. What
    /// is of a partition that is not ours, or is being revoked, is left to its owner.
    fn take(&mut self, events: Vec<Event>) {
        let Some(first) = events.first() else { return };
        let mut groups = Groups::new(|side| self.group_size(side));
        let leaving = self.partitions.is_leaving(&first.id.partition);
        let state = self.partitions.of(&first.id.partition, first.generation).filter(|_| !leaving);
        let Some(state) = state else {
            tracing::debug!(event = %first.id, "ignored events of a partition that is no longer ours");
            return;
        };
        if state.begins() {
            self.books.begins_at(first);
        }
        for event in events {
            state.progress.start(event.id.position);
            self.room.add(event.size());
            let sequence = self.queues.sequence(&event);
            match self.queues.admit(sequence.as_ref(), event) {
                Ok(event) => groups.add(self.deployments.side(&event, &self.pipeline), event, sequence),
                Err(queued) => self.books.queued(queued),
            }
        }
        for (side, group) in groups.finish() {
            self.begin(side, group);
        }
    }

    fn group_size(&self, side: Side) -> usize {
        let span = self.deployments.of(side).span();
        span.map_or(1, |span| self.jobs.group_size(span)).min(self.most_in_a_group)
    }

    /// Starts the jobs of events of one partition and generation.
    fn begin(&mut self, side: Side, admitted: Admitted) {
        let Some((first, _)) = admitted.first() else { return };
        if let Some(state) = self.partitions.of(&first.id.partition, first.generation) {
            state.running += admitted.len();
        }
        self.deployments.begin(side, admitted.iter().map(|(event, _)| &event.id));
        let (pipeline, deployment) = (Arc::clone(&self.pipeline), Arc::clone(self.deployments.of(side)));
        let (throttle, held) = (self.throttle.clone(), self.held_items.clone());
        let (recorder, payloads) = (self.books.recorder(), self.payloads.clone());
        self.jobs.start(Start { pipeline, deployment, throttle, held, recorder, payloads }, admitted);
    }

    /// Partitions are being taken away: running jobs may finish, no new ones start, and then the source is notified.
    fn revoke(&mut self, partitions: Vec<Partition>, ack: oneshot::Sender<()>) {
        // The events of a lost partition can no longer be settled, and nobody waits for them.
        let lost = ack.is_closed();
        tracing::info!(count = partitions.len(), lost, "revoked");
        let how = if lost { Revocation::Lost } else { Revocation::Asked };
        self.pipeline.observer.observe(&FlowEvent::Revoked { partitions: &partitions, how });
        let now = Instant::now();
        let deadline = if lost { now } else { now + self.pipeline.limits.drain_timeout };
        self.partitions.revoke(partitions, ack, deadline);
        self.give_up_overdue();
    }

    /// Ends the ownership of a partition. Its running jobs are stale from now on; its waiting events are redelivered.
    fn close(&mut self, partition: &Partition) {
        for event in self.queues.forget(partition) {
            self.room.remove((1, event.size()));
            self.books.left(&event);
        }
        if let Some(state) = self.partitions.close(partition) {
            self.room.remove(state.outbox.held());
            for done in state.outbox.into_jobs() {
                self.pipeline.observer.observe(&FlowEvent::Stale { event: &done.event.id });
            }
        }
    }

    fn haste(&self) -> Haste {
        match self.intake == Intake::Draining || self.partitions.is_revoking() {
            true => Haste::AtOnce,
            false => Haste::Usual,
        }
    }

    fn queues(&self) -> Queues {
        Queues {
            jobs: self.room.jobs(),
            bytes: self.room.bytes(),
            waiting_for_order: self.queues.len(),
            waiting_for_transaction: self.partitions.iter().map(|(_, state)| state.outbox.held().0).sum(),
        }
    }

    fn status(&self) -> Status {
        Status {
            intake: self.intake,
            throttled: self.throttle.current().map(|pause| (pause.until - Instant::now(), pause.why)),
            held: self.held_items.jobs(),
            queues: self.queues(),
            deployment: self.deployments.version(),
            canary: self.deployments.canary(),
            live: self.deployments.live(),
            partitions: self.partitions.statuses(),
        }
    }
}
