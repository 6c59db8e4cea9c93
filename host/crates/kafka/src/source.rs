//! A member of a consumer group, as the flow sees it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use async_trait::async_trait;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

use super::backlog::{Backlog, Flow};
use super::commit::Commit;
use super::fence::Fence;
use super::offsets::Settled;
use super::poll::{Control, Order, Poller};
use super::rebalance::{Assignment, Reports};
use super::settings::{Settings, SettingsError, SourceSettings, refusal};
use gristmill_core::model::{Event, EventId, Generation, Next, Partition, Size};
use gristmill_core::ports::{Demand, Signal, Source, SourceError};

/// A [`Source`] on Kafka topics. Dropping it without [`close`](Source::close) leaves the group too, later and unobserved.
///
/// Events and control arrive by two channels, so that a revocation overtakes the events before it. What keeps them in
/// order are generations: an event waits for its assignment, and one of a revoked partition is dropped.
pub struct KafkaSource {
    name: String,
    control: UnboundedReceiver<Control>,
    events: UnboundedReceiver<Event>,
    /// An event that was received, but not handed out yet.
    held: Option<Event>,
    owned: BTreeMap<Partition, Tenure>,
    newest: Generation,
    backlog: Arc<Backlog>,
    fence: Arc<Fence>,
    orders: mpsc::Sender<Order>,
    end: Option<End>,
}

/// How the flow owns a partition. After a revocation it may still settle what it has, until the generation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tenure {
    Ours(Generation),
    Leaving(Generation),
}

/// What closing waits for.
struct End {
    committed: oneshot::Receiver<anyhow::Result<()>>,
    left: oneshot::Receiver<()>,
    timeout: Duration,
}

impl KafkaSource {
    /// Joins the group, without waiting for it: the first signal tells. Whether the topics exist and the brokers answer
    /// is [`check_topics`](super::check_topics)' to find out; otherwise the first signals are an error, or none.
    pub fn open(settings: &Settings, source: SourceSettings) -> Result<Self, SettingsError> {
        let config = settings.member(&source)?;
        let (notice_sender, notices) = mpsc::channel();
        let consumer: BaseConsumer<Reports> =
            config.create_with_context(Reports::new(notice_sender)).map_err(refusal)?;
        let consumer = Arc::new(consumer);
        let fence = Arc::new(Fence::new(&source.group, Arc::clone(&consumer)));
        let topics: Vec<&str> = source.topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(SettingsError::Client)?;

        let name = format!("{} (group {})", topics.join(", "), source.group);
        let topics = topics.iter().map(|topic| Arc::from(*topic)).collect();
        let (control_sender, control) = unbounded_channel();
        let (event_sender, events) = unbounded_channel();
        let (orders, order_receiver) = mpsc::channel();
        let (committed_sender, committed) = oneshot::channel();
        let (left_sender, left) = oneshot::channel();
        let backlog = Arc::new(Backlog::default());
        let poller = Poller {
            name: name.clone(),
            consumer,
            fence: Arc::clone(&fence),
            notices,
            orders: order_receiver,
            control: control_sender,
            events: event_sender,
            backlog: Arc::clone(&backlog),
            topics,
            start: source.start,
            high_water: source.high_water,
            drain_timeout: source.drain_timeout,
            close_timeout: source.close_timeout,
            assignment: Assignment::default(),
            settled: Settled::default(),
            flow: Flow::Running,
            commit: Commit::new(Instant::now()),
        };
        thread::Builder::new()
            .name("kafka-poll".into())
            .spawn(move || {
                poller.run(committed_sender);
                // Nobody waits any more when closing took too long.
                let _ = left_sender.send(());
            })
            .map_err(SettingsError::Thread)?;
        Ok(Self {
            name,
            control,
            events,
            held: None,
            owned: BTreeMap::new(),
            newest: Generation::default(),
            backlog,
            fence,
            orders,
            end: Some(End { committed, left, timeout: source.close_timeout }),
        })
    }

    /// How many events were read from the broker and wait to be received.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.backlog.events()
    }

    /// How many settlements came too late and were ignored: their partition had been taken away before.
    #[must_use]
    pub fn late_settlements(&self) -> u64 {
        self.backlog.stale.load(Ordering::Relaxed)
    }

    /// What a transaction has to know of the group.
    pub(super) fn fence(&self) -> Arc<Fence> {
        Arc::clone(&self.fence)
    }

    /// Takes note of a control message and makes it the flow's.
    fn signal(&mut self, control: Option<Control>) -> Result<Signal, SourceError> {
        match control {
            Some(Control::Assigned { partitions, generation }) => {
                self.newest = generation;
                for partition in &partitions {
                    self.owned.insert(partition.clone(), Tenure::Ours(generation));
                }
                Ok(Signal::Assigned { partitions, generation })
            }
            Some(Control::Revoked { partitions, ack }) => {
                for partition in &partitions {
                    if let Some(tenure) = self.owned.get_mut(partition) {
                        *tenure = Tenure::Leaving(tenure.generation());
                    }
                }
                Ok(Signal::Revoked { partitions, ack })
            }
            Some(Control::Ended(error)) => Err(self.error(error)),
            None => Err(self.error(anyhow!("it has ended already"))),
        }
    }

    /// The held event, if the flow may have it. One of a generation the flow has not heard of stays: its assignment
    /// is in the other channel already. One of a generation that ended is dropped.
    fn admit(&mut self) -> Option<Event> {
        let event = self.held.take_if(|event| event.generation <= self.newest)?;
        self.backlog.remove(event.size());
        let current = self.owned.get(&event.id.partition) == Some(&Tenure::Ours(event.generation));
        current.then_some(event)
    }

    fn error(&self, source: anyhow::Error) -> SourceError {
        SourceError { name: self.name.clone(), source }
    }
}

impl Tenure {
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
            // Control overtakes, the held event included.
            if let Ok(control) = self.control.try_recv() {
                return self.signal(Some(control));
            }
            if demand == Demand::ControlOnly {
                let control = self.control.recv().await;
                return self.signal(control);
            }
            if let Some(event) = self.admit() {
                return Ok(Signal::Event(event));
            }
            tokio::select! {
                biased;
                control = self.control.recv() => return self.signal(control),
                Some(event) = self.events.recv(), if self.held.is_none() => self.held = Some(event),
            }
        }
    }

    fn settle(&mut self, event: &EventId, below: Option<Next>) -> Result<(), SourceError> {
        let (Some(below), Some(tenure)) = (below, self.owned.get(&event.partition)) else {
            return Ok(());
        };
        let order = Order::Settle { partition: event.partition.clone(), generation: tenure.generation(), below };
        self.orders.send(order).map_err(|_| self.error(anyhow!("it has ended already")))
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        let Some(End { committed, left, timeout }) = self.end.take() else {
            return Ok(());
        };
        let deadline = tokio::time::Instant::now() + timeout;
        // A source that ended by itself is past all orders; its last commit still counts.
        let _ = self.orders.send(Order::Close);
        match tokio::time::timeout_at(deadline, committed).await {
            Ok(Ok(result)) => result.map_err(|error| self.error(error))?,
            Ok(Err(_)) => return Err(self.error(anyhow!("its thread died"))),
            Err(_) => return Err(self.error(anyhow!("its last commit was not confirmed within {timeout:?}"))),
        }
        // Leaving is politeness: the group finds out by itself after the session's time.
        if tokio::time::timeout_at(deadline, left).await.is_err() {
            tracing::warn!(source = %self.name, ?timeout, "did not leave the group in time");
        }
        Ok(())
    }
}
