//! A member of a consumer group, as the flow sees it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use async_trait::async_trait;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

use super::assignment::Assignment;
use super::backlog::{Backlog, Flow};
use super::commit::Committer;
use super::extent::Extent;
use super::fence::Fence;
use super::join::{Group, Standing};
use super::lag::Lag;
use super::leave::Membership;
use super::poll::{Command, Control, Poller};
use super::pulse::Pulse;
use super::reach::Reachable;
use super::settings::{Settings, SettingsError, SourceSettings};
use gristmill_core::model::{Event, Generation, Next, Partition, Position};
use gristmill_core::ports::{Demand, Notice, Signal, Source, SourceError};

/// A [`Source`] on Kafka topics. Dropping it without [`close`](Source::close) leaves the group too, in the background
/// and without reporting errors.
///
/// Events and control messages arrive on two channels, so that a revocation overtakes the events before it. Generations
/// keep them in order: an event waits for its assignment, and one of a revoked partition is dropped.
pub struct KafkaSource {
    name: String,
    control: UnboundedReceiver<Control>,
    /// Events of one partition and generation that arrived together.
    events: UnboundedReceiver<Vec<Event>>,
    /// Those that were received but not handed out yet.
    held: Vec<Event>,
    owned: BTreeMap<Partition, Ownership>,
    newest: Generation,
    backlog: Arc<Backlog>,
    fence: Arc<Fence>,
    commands: mpsc::Sender<Command>,
    ending: Option<Ending>,
}

/// How the flow owns a partition. After a revocation it may still settle what it has, until the generation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ownership {
    Ours(Generation),
    Leaving(Generation),
}

/// What closing waits for.
struct Ending {
    committed: oneshot::Receiver<anyhow::Result<()>>,
    left: oneshot::Receiver<()>,
    timeout: Duration,
}

impl KafkaSource {
    /// Joins the group without waiting for it: the first signal reports the assignment. Does not check that the topics
    /// exist and the brokers answer, which [`check_topics`](super::check_topics) does; without that, the first signal
    /// may be an error or never arrive.
    pub fn open(settings: &Settings, source: SourceSettings) -> Result<Self, SettingsError> {
        let config = settings.member(&source)?;
        let name = format!("{} (group {})", source.topics.join(", "), source.group);
        let topics: Vec<Arc<str>> = source.topics.iter().map(|topic| Arc::from(topic.as_str())).collect();
        let group = Group { config, topics: source.topics };
        let (consumer, notices) = group.join()?;
        let fence = Arc::new(Fence::new(&source.group, Arc::clone(&consumer)));

        let (control_sender, control) = unbounded_channel();
        let (event_sender, events) = unbounded_channel();
        let (commands, command_receiver) = mpsc::channel();
        let (committed_sender, committed) = oneshot::channel();
        let (left_sender, left) = oneshot::channel();
        let backlog = Arc::new(Backlog::default());
        let beats = control_sender.clone();
        let beat = move |notice: Notice| {
            // Nobody listens when the source was dropped, which the thread sees by itself.
            let _ = beats.send(Control::Notice(notice));
        };
        let poller = Poller {
            name: name.clone(),
            group,
            standing: Standing::Joining,
            consumer,
            notices,
            commands: command_receiver,
            control: control_sender,
            events: event_sender,
            backlog: Arc::clone(&backlog),
            extent: Extent::of(&topics),
            topics,
            start: source.start,
            high_water: source.high_water,
            drain_timeout: source.drain_timeout,
            close_timeout: source.close_timeout,
            assignment: Assignment::new(Arc::clone(&fence)),
            committer: Committer::new(name.clone(), Instant::now()),
            lag: Lag::new(Instant::now()),
            reachable: Reachable::default(),
            flow: Flow::Running,
            membership: Membership::of(settings),
            pulse: Pulse::new(Instant::now(), Arc::clone(&backlog), beat),
        };
        thread::Builder::new()
            .name("kafka-poll".into())
            .spawn(move || {
                poller.run(committed_sender);
                // Nobody is waiting if closing took too long.
                let _ = left_sender.send(());
            })
            .map_err(SettingsError::Thread)?;
        Ok(Self {
            name,
            control,
            events,
            held: Vec::new(),
            owned: BTreeMap::new(),
            newest: Generation::default(),
            backlog,
            fence,
            commands,
            ending: Some(Ending { committed, left, timeout: source.close_timeout }),
        })
    }

    /// How many events were read from the broker and wait to be received.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.backlog.events()
    }

    /// How many settlements came too late and were ignored: their partition had been revoked before.
    #[must_use]
    pub fn late_settlements(&self) -> u64 {
        self.backlog.stale.load(Ordering::Relaxed)
    }

    /// What a transaction has to know about the group.
    pub(super) fn fence(&self) -> Arc<Fence> {
        Arc::clone(&self.fence)
    }

    /// Handles a control message and turns it into the flow's signal.
    fn signal(&mut self, control: Option<Control>) -> Result<Signal, SourceError> {
        match control {
            Some(Control::Assigned { partitions, generation, all }) => {
                self.newest = generation;
                for partition in &partitions {
                    self.owned.insert(partition.clone(), Ownership::Ours(generation));
                }
                Ok(Signal::Assigned { partitions, generation, all })
            }
            Some(Control::Revoked { partitions, ack }) => {
                for partition in &partitions {
                    if let Some(ownership) = self.owned.get_mut(partition) {
                        *ownership = Ownership::Leaving(ownership.generation());
                    }
                }
                Ok(Signal::Revoked { partitions, ack })
            }
            Some(Control::Lag { partition, records }) => Ok(Signal::Lag { partition, records }),
            Some(Control::Notice(notice)) => Ok(Signal::Notice(notice)),
            Some(Control::Ended(error)) => Err(self.error(error)),
            None => Err(self.error(anyhow!("the source has already ended"))),
        }
    }

    /// Held events, if the flow may have them. Those of a generation that was not reported yet stay: its assignment is in
    /// the other channel already. Those of a generation that ended are dropped.
    fn admit(&mut self, most: NonZeroUsize) -> Option<Vec<Event>> {
        let first = self.held.first().filter(|first| first.generation <= self.newest)?;
        let is_current = self.owned.get(&first.id.partition) == Some(&Ownership::Ours(first.generation));
        let now = if is_current { most.get().min(self.held.len()) } else { self.held.len() };
        let later = self.held.split_off(now);
        let events = std::mem::replace(&mut self.held, later);
        self.backlog.remove(&events);
        is_current.then_some(events)
    }

    fn error(&self, source: anyhow::Error) -> SourceError {
        SourceError { name: self.name.clone(), source }
    }
}

impl Ownership {
    fn generation(self) -> Generation {
        match self {
            Self::Ours(generation) | Self::Leaving(generation) => generation,
        }
    }
}

#[async_trait]
impl Source for KafkaSource {
    async fn recv(&mut self, demand: Demand) -> Result<Signal, SourceError> {
        loop {
            // Control overtakes, held events included.
            if let Ok(control) = self.control.try_recv() {
                return self.signal(Some(control));
            }
            let Demand::Events(most) = demand else {
                let control = self.control.recv().await;
                return self.signal(control);
            };
            if let Some(events) = self.admit(most) {
                return Ok(Signal::Events(events));
            }
            tokio::select! {
                biased;
                control = self.control.recv() => return self.signal(control),
                Some(events) = self.events.recv(), if self.held.is_empty() => self.held = events,
            }
        }
    }

    fn settle(&mut self, partition: &Partition, _: &[Position], below: Option<Next>) -> Result<(), SourceError> {
        let (Some(below), Some(ownership)) = (below, self.owned.get(partition)) else {
            return Ok(());
        };
        let command = Command::Settle { partition: partition.clone(), generation: ownership.generation(), below };
        self.commands.send(command).map_err(|_| self.error(anyhow!("the source has already ended")))
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        let Some(Ending { committed, left, timeout }) = self.ending.take() else {
            return Ok(());
        };
        let deadline = tokio::time::Instant::now() + timeout;
        // A source that ended by itself handles no commands any more; its last commit still counts.
        let _ = self.commands.send(Command::Close);
        match tokio::time::timeout_at(deadline, committed).await {
            Ok(Ok(result)) => result.map_err(|error| self.error(error))?,
            Ok(Err(_)) => return Err(self.error(anyhow!("its thread has died"))),
            Err(_) => return Err(self.error(anyhow!("its last commit was not confirmed within {timeout:?}"))),
        }
        // Not leaving is harmless: the group notices after the session timeout.
        if tokio::time::timeout_at(deadline, left).await.is_err() {
            tracing::warn!(source = %self.name, ?timeout, "could not leave the group in time");
        }
        Ok(())
    }
}
