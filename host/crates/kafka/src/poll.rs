//! The thread that owns the consumer and never stops polling: a member that does not poll is thrown out of its group,
//! however busy the pipeline is.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::backlog::{Backlog, Flow, Valve};
use super::commit::Commit;
use super::fence::Fence;
use super::message;
use super::offsets::{self, Settled};
use super::rebalance::{Assignment, Notice, Reports};
use super::settings::HighWater;
use gristmill_core::model::{Event, Generation, Next, Partition, Size};
use gristmill_core::ports::Start;

/// The longest a poll waits for a record: how late an order may be seen.
const POLL: Duration = Duration::from_millis(100);
/// How long a full backlog is left to drain before partitions are paused. A pause throws away what was fetched, so a
/// pipeline that is only a little slower than its topic must never come to it; it is short against every time-out of
/// the group.
const BEFORE_PAUSE: Duration = Duration::from_secs(1);
/// How often a full backlog is looked at.
const LOOK: Duration = Duration::from_millis(1);
/// How long leaving waits for a question that a transaction asks of the group.
const LAST_QUESTION: Duration = Duration::from_secs(1);
/// The same as [`POLL`] while partitions are paused: how late a resume may be.
pub(super) const POLL_PAUSED: Duration = Duration::from_millis(20);

/// What the source is told ahead of all events.
pub(super) enum Control {
    Assigned { partitions: Vec<Partition>, generation: Generation },
    Revoked { partitions: Vec<Partition>, ack: oneshot::Sender<()> },
    Ended(anyhow::Error),
}

/// What the source asks for.
pub(super) enum Order {
    Settle { partition: Partition, generation: Generation, below: Next },
    Close,
}

/// Why polling ends.
pub(super) enum Stop {
    /// The source was closed or dropped.
    Asked,
    /// It cannot go on.
    Failed(anyhow::Error),
}

/// Everything the thread owns.
pub(super) struct Poller {
    pub(super) name: String,
    /// Others hold it for the length of a question, see [`Fence`].
    pub(super) consumer: Arc<BaseConsumer<Reports>>,
    pub(super) fence: Arc<Fence>,
    pub(super) notices: mpsc::Receiver<Notice>,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) control: UnboundedSender<Control>,
    pub(super) events: UnboundedSender<Event>,
    pub(super) backlog: Arc<Backlog>,
    pub(super) topics: Vec<Arc<str>>,
    pub(super) start: Start,
    pub(super) high_water: HighWater,
    pub(super) drain_timeout: Duration,
    pub(super) close_timeout: Duration,
    pub(super) assignment: Assignment,
    pub(super) settled: Settled,
    pub(super) flow: Flow,
    pub(super) commit: Commit,
}

impl Poller {
    /// Polls until the source is closed or cannot go on, then leaves the group. `committed` gets the fate of the last
    /// commit; it may be sent long before this returns, because leaving can hang while brokers are away.
    pub(super) fn run(mut self, committed: oneshot::Sender<anyhow::Result<()>>) {
        let stop = loop {
            if let Err(stop) = self.turn() {
                break stop;
            }
        };
        if let Stop::Failed(error) = stop {
            // Nobody listens when the source was dropped.
            let _ = self.control.send(Control::Ended(error));
        }
        // From here on rebalances are agreed to without a word to the flow.
        self.fence.close();
        // Dropped by its caller, who does not ask for the result.
        let _ = committed.send(self.last_commit());
        // A transaction may be asking the group something just now, and the end of the consumer is this thread's.
        let deadline = Instant::now() + LAST_QUESTION;
        while Arc::strong_count(&self.consumer) > 1 && Instant::now() < deadline {
            thread::sleep(LOOK);
        }
        // The end of the consumer leaves the group; `leave` made it agree to everything that takes.
        drop(self.consumer);
    }

    fn turn(&mut self) -> Result<(), Stop> {
        self.take_orders()?;
        self.wait_for_room()?;
        self.regulate()?;
        let wait = if self.flow == Flow::Paused { POLL_PAUSED } else { POLL };
        // Copied out at once: a message borrows the consumer.
        let polled = match self.consumer.poll(wait) {
            Some(Ok(message)) => {
                let partition = message::partition(&message, &self.topics);
                let generation = self.assignment.generation(&partition);
                Ok(generation.map(|generation| message::event(&message, partition, generation)))
            }
            Some(Err(error)) => Err(error),
            None => Ok(None),
        };
        let mut words = None;
        while let Ok(notice) = self.notices.try_recv() {
            match notice {
                Notice::Assign(list) => self.assigned(list)?,
                Notice::Revoke(list) => self.revoked(list)?,
                Notice::Committed(result) => self.commit.answered(result),
                Notice::Error(reason) => words = Some(reason),
            }
        }
        match polled {
            Ok(Some(event)) => {
                self.settled.begin(&event.id.partition, event.id.position);
                self.backlog.add(event.size());
                self.events.send(event).map_err(|_| Stop::Asked)?;
            }
            Ok(None) => {}
            Err(error) => self.judge(&error, words.unwrap_or_default())?,
        }
        self.commit_when_due()
    }

    /// While the backlog is full, takes nothing for a moment: what librdkafka has fetched stays where it is.
    fn wait_for_room(&mut self) -> Result<(), Stop> {
        let begun = Instant::now();
        while self.flow == Flow::Running
            && self.backlog.valve(self.flow, self.high_water) == Valve::Pause
            && begun.elapsed() < BEFORE_PAUSE
        {
            self.take_orders()?;
            self.commit_when_due()?;
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Does what the source asked for so far.
    pub(super) fn take_orders(&mut self) -> Result<(), Stop> {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Settle { partition, generation, below }) => self.settle(&partition, generation, below),
                Ok(Order::Close) | Err(mpsc::TryRecvError::Disconnected) => return Err(Stop::Asked),
                Err(mpsc::TryRecvError::Empty) => return Ok(()),
            }
        }
    }

    /// Notes a settlement made under `generation`; one of an earlier assignment changes nothing.
    pub(super) fn settle(&mut self, partition: &Partition, generation: Generation, below: Next) {
        if self.assignment.generation(partition) == Some(generation) {
            self.settled.note(partition, below);
        } else {
            self.backlog.stale.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(source = %self.name, %partition, generation = generation.0, "settled too late, ignored");
        }
    }

    pub(super) fn tell(&self, control: Control) -> Result<(), Stop> {
        self.control.send(control).map_err(|_| Stop::Asked)
    }

    pub(super) fn partition(&self, topic: &str, number: i32) -> Partition {
        let known = self.topics.iter().find(|known| ***known == *topic);
        Partition { topic: known.map_or_else(|| topic.into(), Arc::clone), index: offsets::index(number) }
    }

    /// Pauses or resumes all partitions by the backlog.
    fn regulate(&mut self) -> Result<(), Stop> {
        let (flow, done) = match self.backlog.valve(self.flow, self.high_water) {
            Valve::Leave => return Ok(()),
            Valve::Pause => (Flow::Paused, self.consumer.pause(&self.assignment.list())),
            Valve::Resume => (Flow::Running, self.consumer.resume(&self.assignment.list())),
        };
        tracing::debug!(source = %self.name, ?flow, "the backlog moved the valve");
        self.flow = flow;
        done.context("cannot pause or resume partitions").map_err(Stop::Failed)
    }

    /// Most errors pass, librdkafka tries again by itself. Some never do.
    fn judge(&self, error: &KafkaError, words: String) -> Result<(), Stop> {
        let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                Err(Stop::Failed(anyhow!(words).context(
                    "records the group has not read are gone from the broker; reset the group's offsets, or set the Kafka \
                     property auto.offset.reset to \"earliest\" to go on with the oldest record that is left",
                )))
            }
            Some(RDKafkaErrorCode::FencedInstanceId | RDKafkaErrorCode::UnreleasedInstanceId) => {
                Err(Stop::Failed(anyhow!(words).context(
                    "another member of the group has the same group.instance.id; give each host one of its own",
                )))
            }
            Some(code) if fatal || is_final(code) => Err(Stop::Failed(anyhow!(words).context(error.clone()))),
            _ => {
                tracing::warn!(source = %self.name, %error, reason = words, "the brokers have trouble");
                Ok(())
            }
        }
    }
}

/// Whether trying again cannot help: someone has to change a setting, a topic or a permission.
pub(super) fn is_final(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::Fatal
            | Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::InvalidTopic
            | Code::InvalidGroupId
            | Code::InconsistentGroupProtocol
            | Code::InvalidSessionTimeout
            | Code::UnsupportedVersion
            | Code::UnsupportedAssignor
            | Code::UnreleasedInstanceId
            | Code::FencedInstanceId
    )
}
