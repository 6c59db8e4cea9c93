//! The thread that owns the consumer and never stops polling: a member that does not poll is removed from its group,
//! however busy the pipeline is.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::assignment::Assignment;
use super::backlog::{Backlog, Backpressure, Flow};
use super::commit::Committer;
use super::extent::Extent;
use super::join::{Group, Standing};
use super::lag::Lag;
use super::leave::{self, Membership};
use super::pulse::Pulse;
use super::reach::Reachable;
use super::reports::{self, Member, Notice, is_final};
use super::settings::HighWater;
use super::together::{self, Together};
use super::{offsets, start};
use gristmill_core::model::{Event, Generation, Next, Partition};
use gristmill_core::ports::{self, Start};

/// The longest a poll waits for a record: how late a command may be handled.
const POLL: Duration = Duration::from_millis(100);
/// The same while partitions are paused: how late a resume may be.
const POLL_PAUSED: Duration = Duration::from_millis(20);
/// How long a full backlog is left to drain before partitions are paused. A pause discards what was fetched, so a
/// pipeline that is only a little slower than its topic must never cause one; it is short against every timeout of the
/// group.
const BEFORE_PAUSE: Duration = Duration::from_secs(1);
/// How often a full backlog is looked at.
const LOOK: Duration = Duration::from_millis(1);
/// How often a drain looks whether the flow has acknowledged.
const ACK_CHECK: Duration = Duration::from_millis(5);
/// How long leaving waits for a lookup that a transaction makes through the consumer.
const LAST_LOOKUP: Duration = Duration::from_secs(1);

/// What the source receives ahead of all events.
pub(super) enum Control {
    Assigned { partitions: Vec<Partition>, generation: Generation, all: usize },
    Revoked { partitions: Vec<Partition>, ack: oneshot::Sender<()> },
    Lag { partition: Partition, records: u64 },
    Notice(ports::Notice),
    Ended(anyhow::Error),
}

/// What the source asks for.
pub(super) enum Command {
    Settle { partition: Partition, generation: Generation, below: Next },
    Close,
}

/// Why polling ends.
pub(super) enum Stop {
    /// The source was closed or dropped.
    Asked,
    /// It cannot continue.
    Failed(anyhow::Error),
}

/// Everything the thread owns.
pub(super) struct Poller {
    pub(super) name: String,
    pub(super) group: Group,
    pub(super) standing: Standing,
    /// A transaction holds it for the length of a lookup, see [`Fence`](super::fence::Fence).
    pub(super) consumer: Arc<Member>,
    pub(super) notices: mpsc::Receiver<Notice>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) control: UnboundedSender<Control>,
    pub(super) events: UnboundedSender<Vec<Event>>,
    pub(super) backlog: Arc<Backlog>,
    pub(super) topics: Vec<Arc<str>>,
    pub(super) extent: Extent,
    pub(super) start: Start,
    pub(super) high_water: HighWater,
    pub(super) drain_timeout: Duration,
    pub(super) close_timeout: Duration,
    pub(super) assignment: Assignment,
    pub(super) committer: Committer,
    pub(super) lag: Lag,
    pub(super) reachable: Reachable,
    pub(super) flow: Flow,
    pub(super) membership: Membership,
    pub(super) pulse: Pulse,
}

impl Poller {
    /// Polls until the source is closed or cannot continue, then leaves the group. `committed` receives the result of
    /// the last commit, possibly long before this returns, because leaving can hang while brokers are unreachable.
    pub(super) fn run(mut self, committed: oneshot::Sender<anyhow::Result<()>>) {
        let stop = loop {
            if let Err(stop) = self.turn() {
                break stop;
            }
        };
        let deadline = Instant::now() + self.close_timeout;
        let asked = matches!(stop, Stop::Asked);
        if let Stop::Failed(error) = stop {
            // Nobody listens when the source was dropped.
            let _ = self.control.send(Control::Ended(error));
        }
        self.assignment.close();
        // The receiver is gone if the source was dropped.
        let _ = committed.send(self.commit_last());
        // One that failed before it joined need not join in order to leave.
        leave::leave(&self.consumer, self.membership, asked, deadline);
        dismiss(self.consumer);
    }

    fn turn(&mut self) -> Result<(), Stop> {
        self.pulse.beat(Instant::now());
        self.handle_commands()?;
        self.wait_for_room()?;
        self.regulate()?;
        self.poll()?;
        self.commit_when_due()?;
        self.look_for_brokers()?;
        self.report_lag()
    }

    /// Takes what is there, and waits only if that is nothing.
    fn poll(&mut self) -> Result<(), Stop> {
        let mut wait = if self.flow == Flow::Paused { POLL_PAUSED } else { POLL };
        let mut together = Together::default();
        for _ in 0..self.high_water.events.saturating_sub(self.backlog.events()).clamp(1, together::MOST) {
            // Copied out immediately: a message borrows the consumer.
            let polled = self
                .consumer
                .poll(wait)
                .map(|polled| polled.map(|message| together.add(&message, &self.assignment, &self.topics)));
            let polled = match polled {
                Some(Ok(before)) => Some(Ok(self.hand_out(before)?)),
                Some(Err(error)) => Some(Err(error)),
                None => None,
            };
            wait = Duration::ZERO;
            let mut reason = None;
            while let Ok(notice) = self.notices.try_recv() {
                self.hand_out(together.take())?;
                match notice {
                    Notice::Assign(list) => self.assigned(list)?,
                    Notice::Revoke(list) => self.revoked(&list)?,
                    Notice::Committed(result) => {
                        let outcome = self.committer.answered(result);
                        self.tell(ports::Notice::Commit(outcome))?;
                    }
                    Notice::Error(text) => reason = Some(text),
                }
            }
            match polled {
                Some(Ok(())) => self.answered()?,
                Some(Err(KafkaError::PartitionEOF(number))) => self.ended(number),
                Some(Err(error)) => {
                    self.hand_out(together.take())?;
                    self.handle_error(&error, reason.unwrap_or_default())?;
                }
                None => break,
            }
        }
        self.hand_out(together.take())
    }

    /// Passes events on to the source.
    fn hand_out(&mut self, events: Option<Vec<Event>>) -> Result<(), Stop> {
        let Some(events) = events else { return Ok(()) };
        if let Some(first) = events.first() {
            self.committer.handed_out(&first.id.partition, first.id.position);
        }
        if let Some(last) = events.last() {
            self.lag.handed_out(&last.id.partition, last.id.position);
        }
        self.backlog.add(&events);
        self.events.send(events).map_err(|_| Stop::Asked)
    }

    /// Handles what the source asked for so far.
    fn handle_commands(&mut self) -> Result<(), Stop> {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Settle { partition, generation, below }) => self.settle(&partition, generation, below),
                Ok(Command::Close) | Err(mpsc::TryRecvError::Disconnected) => return Err(Stop::Asked),
                Err(mpsc::TryRecvError::Empty) => return Ok(()),
            }
        }
    }

    /// Notes a settlement made under `generation`; one of an earlier assignment changes nothing.
    fn settle(&mut self, partition: &Partition, generation: Generation, below: Next) {
        if self.assignment.generation(partition) == Some(generation) {
            self.committer.settle(partition, below);
        } else {
            self.backlog.stale.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(source = %self.name, %partition, generation = generation.0, "settled too late, ignored");
        }
    }

    /// While the backlog is full, polls nothing for a moment: what librdkafka has fetched stays where it is.
    fn wait_for_room(&mut self) -> Result<(), Stop> {
        let begun = Instant::now();
        while self.flow == Flow::Running
            && self.backlog.backpressure(self.flow, self.high_water) == Backpressure::Pause
            && begun.elapsed() < BEFORE_PAUSE
        {
            self.handle_commands()?;
            self.commit_when_due()?;
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Pauses or resumes all partitions, depending on the backlog.
    fn regulate(&mut self) -> Result<(), Stop> {
        let (flow, done) = match self.backlog.backpressure(self.flow, self.high_water) {
            Backpressure::Leave => return Ok(()),
            Backpressure::Pause => (Flow::Paused, self.consumer.pause(&self.assignment.list())),
            Backpressure::Resume => (Flow::Running, self.consumer.resume(&self.assignment.list())),
        };
        tracing::debug!(source = %self.name, ?flow, "back-pressure changed");
        self.flow = flow;
        done.context("cannot pause or resume partitions").map_err(Stop::Failed)
    }

    /// Partitions were assigned to us: looks up where to begin, accepts them, and only then reports them to the flow.
    fn assigned(&mut self, mut list: TopicPartitionList) -> Result<(), Stop> {
        let found = start::find(&self.consumer, &mut list, self.start, &self.topics, &mut self.pulse);
        reports::assign(&self.consumer, &list)
            .context("cannot accept the assigned partitions")
            .map_err(Stop::Failed)?;
        // Only now, because the group waits for an answer to every rebalance, also from a member about to leave.
        let found = found.map_err(Stop::Failed)?;
        if self.flow == Flow::Paused {
            self.consumer.pause(&list).context("cannot pause new partitions").map_err(Stop::Failed)?;
        }
        let was_joining = self.standing == Standing::Joining;
        self.standing = Standing::Accepted;
        let partitions = self.partitions(&list);
        let generation = self.assignment.begin(&partitions);
        start::commit(&self.consumer, &mut self.committer, found.ends, &mut self.pulse).map_err(Stop::Failed)?;
        for (partition, committed) in found.committed {
            self.lag.begin(partition, committed);
        }
        tracing::info!(source = %self.name, partitions = partitions.len(), generation = generation.0, "assigned");
        // That it is a member is news, even if others have everything.
        if partitions.is_empty() && !was_joining {
            return Ok(());
        }
        let all = self.extent.count(&self.consumer).unwrap_or(partitions.len());
        self.send(Control::Assigned { partitions, generation, all })
    }

    /// Partitions are being revoked. The order matters: first the work on them ends, then what it settled is committed,
    /// then their generation ends, and only then the group may assign them to someone else.
    fn revoked(&mut self, list: &TopicPartitionList) -> Result<(), Stop> {
        let mut partitions = self.partitions(list);
        partitions.retain(|partition| self.assignment.generation(partition).is_some());
        let lost = self.consumer.assignment_lost();
        let mut stop = Ok(());
        if !partitions.is_empty() {
            let (ack, done) = oneshot::channel();
            // Nothing of a lost partition can be committed any more: someone else may have it.
            let done = (!lost).then_some(done);
            stop = self.send(Control::Revoked { partitions: partitions.clone(), ack });
            if let Some(done) = done {
                stop = stop.and_then(|()| self.drain(done));
                // A failure is no reason to stop.
                if let Err(error) = self.committer.commit_now(&self.consumer) {
                    tracing::warn!(source = %self.name, %error, "the commit before a revocation failed");
                }
            }
        }
        self.release(&partitions);
        if self.flow == Flow::Paused {
            // A pause outlives the assignment in librdkafka: without this they would come back paused.
            self.consumer.resume(list).context("cannot resume revoked partitions").map_err(Stop::Failed)?;
        }
        reports::unassign(&self.consumer, list).context("cannot release partitions").map_err(Stop::Failed)?;
        tracing::info!(source = %self.name, partitions = partitions.len(), lost, "revoked");
        stop
    }

    /// Ends the generation of these partitions.
    fn release(&mut self, partitions: &[Partition]) {
        self.assignment.end(partitions);
        for partition in partitions {
            self.committer.forget(partition);
            self.lag.forget(partition);
        }
    }

    /// Joins the group with a new consumer. The old one is out of the group, so what it had is lost, not drained.
    fn rejoin(&mut self) -> Result<(), Stop> {
        let partitions: Vec<Partition> = self.assignment.partitions().cloned().collect();
        if !partitions.is_empty() {
            let (ack, _) = oneshot::channel();
            self.send(Control::Revoked { partitions: partitions.clone(), ack })?;
        }
        self.release(&partitions);
        let (consumer, notices) = self.group.join().context("cannot join the group again").map_err(Stop::Failed)?;
        self.assignment.replace(Arc::clone(&consumer));
        self.consumer.context().leave();
        dismiss(std::mem::replace(&mut self.consumer, consumer));
        self.notices = notices;
        self.standing = Standing::Joining;
        self.committer = Committer::new(self.name.clone(), Instant::now());
        self.flow = Flow::Running;
        Ok(())
    }

    /// Waits until the flow is done with the revoked partitions, has ended, or the timeout passes; handles its
    /// settlements in the meantime. Heartbeats continue: librdkafka sends them from a thread of its own.
    fn drain(&mut self, mut done: oneshot::Receiver<()>) -> Result<(), Stop> {
        let deadline = Instant::now() + self.drain_timeout;
        while matches!(done.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
            self.pulse.beat(Instant::now());
            if Instant::now() >= deadline {
                let waited = self.drain_timeout.as_secs_f64();
                tracing::warn!(source = %self.name, waited, "revoked partitions were not drained in time");
                return Ok(());
            }
            match self.commands.recv_timeout(ACK_CHECK) {
                Ok(Command::Settle { partition, generation, below }) => self.settle(&partition, generation, below),
                Ok(Command::Close) | Err(mpsc::RecvTimeoutError::Disconnected) => return Err(Stop::Asked),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
        }
        // What was sent before the acknowledgement has arrived by now.
        self.handle_commands()
    }

    fn commit_when_due(&mut self) -> Result<(), Stop> {
        self.committer.commit_when_due(&self.consumer).map_err(Stop::Failed)
    }

    /// The last commit, which gets half of the time that closing has. From here on every rebalance is accepted.
    fn commit_last(&mut self) -> anyhow::Result<()> {
        self.consumer.context().leave();
        // That the source is closing is known.
        let _ = self.handle_commands();
        self.committer.commit_last(&self.consumer, &self.notices, self.close_timeout / 2)
    }

    pub(super) fn send(&self, control: Control) -> Result<(), Stop> {
        self.control.send(control).map_err(|_| Stop::Asked)
    }

    fn partitions(&self, list: &TopicPartitionList) -> Vec<Partition> {
        let named = |topic: &str, number| offsets::partition(topic, number, &self.topics);
        list.elements().iter().map(|element| named(element.topic(), element.partition())).collect()
    }

    /// Most errors are transient and librdkafka retries by itself. Some are final.
    fn handle_error(&mut self, error: &KafkaError, reason: String) -> Result<(), Stop> {
        let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                Err(Stop::Failed(anyhow!(reason).context(
                    "records that the group has not read are gone from the broker; reset the group's offsets, or set the \
                     Kafka property auto.offset.reset to \"earliest\" to continue with the oldest record that is left",
                )))
            }
            Some(RDKafkaErrorCode::FencedInstanceId | RDKafkaErrorCode::UnreleasedInstanceId) => {
                Err(Stop::Failed(anyhow!(reason).context(
                    "another member of the group has the same group.instance.id; give each host its own",
                )))
            }
            Some(_) if self.standing.allows_rejoin(error) => {
                tracing::warn!(source = %self.name, %error, reason, "the group rejected the Kafka consumer; joining anew");
                self.rejoin()
            }
            Some(RDKafkaErrorCode::AllBrokersDown) => self.lost(reason),
            Some(code) if fatal || is_final(code) => Err(Stop::Failed(anyhow!(reason).context(error.clone()))),
            _ => {
                tracing::warn!(source = %self.name, %error, reason, "the Kafka consumer reports an error");
                Ok(())
            }
        }
    }
}

/// Drops a consumer, which waits until the group knows. It must be accepting every rebalance, because that involves some.
fn dismiss(consumer: Arc<Member>) {
    // A transaction may be using it right now, and this thread must be the one that drops it.
    let deadline = Instant::now() + LAST_LOOKUP;
    while Arc::strong_count(&consumer) > 1 && Instant::now() < deadline {
        thread::sleep(LOOK);
    }
    drop(consumer);
}
