//! How partitions come and go: what librdkafka reports, and the order of steps when some are taken away.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::backlog::Flow;
use super::poll::{Control, Order, Poller, Stop, is_final};
use super::{log, offsets};
use gristmill_core::model::{Generation, Next, Partition};
use gristmill_core::ports::Start;

/// How long a lookup before an assignment may take, how often it is tried, and the wait in between. Together less than
/// the broker waits for a member at its default of five minutes.
const LOOKUP: Duration = Duration::from_secs(10);
pub(super) const LOOKUPS: u32 = 10;
pub(super) const LOOKUP_WAIT: Duration = Duration::from_secs(1);
/// How often a drain looks whether the flow has acknowledged.
const ACK_CHECK: Duration = Duration::from_millis(5);

/// What librdkafka reports during a poll.
pub(super) enum Notice {
    Assign(TopicPartitionList),
    Revoke(TopicPartitionList),
    Committed(KafkaResult<()>),
    /// The words that go with the error that the poll is about to return.
    Error(String),
}

/// Passes on to the polling thread what arrives during its own polls, so that all state is that thread's alone. A
/// rebalance may be answered after the callback: the group waits for the assign or unassign, not for its return.
pub(super) struct Reports {
    notices: mpsc::Sender<Notice>,
    leaving: AtomicBool,
}

impl Reports {
    pub(super) fn new(notices: mpsc::Sender<Notice>) -> Self {
        Self { notices, leaving: AtomicBool::new(false) }
    }

    /// From now on every rebalance is agreed to at once: nobody reads the notices while the consumer closes.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    fn notice(&self, notice: Notice) {
        // The receiver lives as long as the polls that lead here, except while closing.
        let _ = self.notices.send(notice);
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log::line(level, facility, message);
    }

    fn error(&self, _: KafkaError, reason: &str) {
        self.notice(Notice::Error(reason.into()));
    }
}

impl ConsumerContext for Reports {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let assigned = what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.leaving.load(Ordering::Relaxed) {
            let agreed = if assigned { take(consumer, partitions) } else { give_back(consumer, partitions) };
            if let Err(error) = agreed {
                tracing::warn!(%error, "a rebalance while leaving the group failed");
            }
        } else if assigned {
            self.notice(Notice::Assign(partitions.clone()));
        } else {
            self.notice(Notice::Revoke(partitions.clone()));
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        self.notice(Notice::Committed(result));
    }
}

/// The partitions that are ours, each with the generation it came in.
#[derive(Debug, Default)]
pub(super) struct Assignment {
    newest: Generation,
    owned: BTreeMap<Partition, Generation>,
}

impl Assignment {
    pub(super) fn generation(&self, partition: &Partition) -> Option<Generation> {
        self.owned.get(partition).copied()
    }

    /// All of them, as librdkafka wants them.
    pub(super) fn list(&self) -> TopicPartitionList {
        list(self.owned.keys())
    }
}

impl Poller {
    /// Partitions were given to us: looks up where to begin, takes them, and only then tells the flow.
    pub(super) fn assigned(&mut self, mut list: TopicPartitionList) -> Result<(), Stop> {
        let found = self.first_offsets(&mut list);
        take(&self.consumer, &list).context("cannot take the assigned partitions").map_err(Stop::Failed)?;
        // Only now, because the group waits for an answer to every rebalance, also from one who is about to leave.
        let ends = found.map_err(Stop::Failed)?;
        if self.flow == Flow::Paused {
            self.consumer.pause(&list).context("cannot pause new partitions").map_err(Stop::Failed)?;
        }
        let partitions = self.partitions(&list);
        self.assignment.newest.0 += 1;
        let generation = self.assignment.newest;
        for partition in &partitions {
            self.assignment.owned.insert(partition.clone(), generation);
        }
        self.fence.assign(&partitions, generation);
        self.commit_beginnings(ends).map_err(Stop::Failed)?;
        tracing::info!(source = %self.name, partitions = partitions.len(), generation = generation.0, "assigned");
        match partitions.is_empty() {
            true => Ok(()),
            false => self.tell(Control::Assigned { partitions, generation }),
        }
    }

    /// Partitions are being taken from us. The order matters: first the work on them ends, then what it settled is
    /// committed, then their generation ends, and only then the group may give them to someone else.
    pub(super) fn revoked(&mut self, list: TopicPartitionList) -> Result<(), Stop> {
        let mut partitions = self.partitions(&list);
        partitions.retain(|partition| self.assignment.owned.contains_key(partition));
        let lost = self.consumer.assignment_lost();
        let mut stop = Ok(());
        if !partitions.is_empty() {
            let (ack, done) = oneshot::channel();
            // Of a lost partition nothing can be committed any more: someone else may have it.
            let done = (!lost).then_some(done);
            stop = self.tell(Control::Revoked { partitions: partitions.clone(), ack });
            if let Some(done) = done {
                stop = stop.and_then(|()| self.drain(done));
                self.commit_now();
            }
        }
        // Before anything else, and long before the group hears of it: see `Fence`.
        self.fence.revoke(&partitions);
        for partition in &partitions {
            self.assignment.owned.remove(partition);
            self.settled.forget(partition);
        }
        if self.flow == Flow::Paused {
            // A pause outlives the assignment in librdkafka: without this they would come back paused.
            self.consumer.resume(&list).context("cannot resume revoked partitions").map_err(Stop::Failed)?;
        }
        give_back(&self.consumer, &list).context("cannot give partitions back").map_err(Stop::Failed)?;
        tracing::info!(source = %self.name, partitions = partitions.len(), lost, "revoked");
        stop
    }

    /// Waits until the flow is done with the revoked partitions, is gone, or the time is up; takes its settlements in
    /// the meantime. Heartbeats go on: librdkafka sends them from a thread of its own.
    fn drain(&mut self, mut done: oneshot::Receiver<()>) -> Result<(), Stop> {
        let deadline = Instant::now() + self.drain_timeout;
        while matches!(done.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
            if Instant::now() >= deadline {
                let waited = self.drain_timeout.as_secs_f64();
                tracing::warn!(source = %self.name, waited, "revoked partitions were not drained in time");
                return Ok(());
            }
            match self.orders.recv_timeout(ACK_CHECK) {
                Ok(Order::Settle { partition, generation, below }) => self.settle(&partition, generation, below),
                Ok(Order::Close) | Err(mpsc::RecvTimeoutError::Disconnected) => return Err(Stop::Asked),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
        }
        // What was sent before the acknowledgement is here by now.
        self.take_orders()
    }

    /// Finds where to begin in partitions of which the group has committed nothing, and enters it into the list. The
    /// ends found for [`Start::Latest`] are returned: to be committed, so that they stay the beginning. Brokers may be
    /// moving just now, so it is tried for a while.
    fn first_offsets(&self, list: &mut TopicPartitionList) -> anyhow::Result<Vec<(Partition, Next)>> {
        let mut tried = 0;
        loop {
            let error = match self.look_up(list) {
                Ok(ends) => return Ok(ends),
                Err(error) => error,
            };
            tried += 1;
            let hopeless = error.rdkafka_error_code().is_some_and(is_final);
            if hopeless || tried == LOOKUPS || self.consumer.assignment_lost() {
                return Err(error).context("cannot look up where the group is");
            }
            tracing::warn!(source = %self.name, %error, tried, "cannot look up where the group is, trying again");
            thread::sleep(LOOKUP_WAIT);
        }
    }

    fn look_up(&self, list: &mut TopicPartitionList) -> KafkaResult<Vec<(Partition, Next)>> {
        let mut ends = Vec::new();
        if list.count() == 0 {
            return Ok(ends);
        }
        for element in self.consumer.committed_offsets(list.clone(), LOOKUP)?.elements() {
            element.error()?;
            if element.offset() != Offset::Invalid {
                continue;
            }
            let (topic, number) = (element.topic(), element.partition());
            match self.start {
                Start::Earliest => list.set_partition_offset(topic, number, Offset::Beginning)?,
                Start::Latest => {
                    let (_, end) = self.consumer.fetch_watermarks(topic, number, LOOKUP)?;
                    list.set_partition_offset(topic, number, Offset::Offset(end))?;
                    ends.push((self.partition(topic, number), Next(offsets::position(end).0)));
                }
            }
        }
        Ok(ends)
    }

    fn partitions(&self, list: &TopicPartitionList) -> Vec<Partition> {
        list.elements().iter().map(|element| self.partition(element.topic(), element.partition())).collect()
    }
}

fn list<'a>(partitions: impl Iterator<Item = &'a Partition>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(&partition.topic, offsets::number(partition));
    }
    list
}

fn take(consumer: &BaseConsumer<Reports>, list: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(list),
    }
}

fn give_back(consumer: &BaseConsumer<Reports>, list: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
    }
}
