//! What the polling thread tells observers: how far behind the group is, and whether a broker can be reached.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;

use super::lag::Report;
use super::poll::{Control, Poller, Stop};
use super::reach::Change;
use super::{commit, offsets};
use gristmill_core::ports::{Notice, Reach};

/// How long a broker may take to say that it is back. Nothing is polled meanwhile, and nothing would come.
const ASK: Duration = Duration::from_millis(300);

impl Poller {
    /// Reports how far behind the group is, every few seconds and where it changed.
    pub(super) fn report_lag(&mut self) -> Result<(), Stop> {
        if !self.lag.is_due(Instant::now()) {
            return Ok(());
        }
        for partition in self.assignment.partitions() {
            let ends = commit::watermarks(&self.consumer, partition);
            let settled = self.committer.below(partition).max(self.assignment.settled_by_transactions(partition));
            let Report { lag, backlog } = self.lag.changed(partition, ends, settled);
            if let Some(records) = lag {
                self.send(Control::Lag { partition: partition.clone(), records })?;
            }
            if let Some(records) = backlog {
                self.tell(Notice::Backlog { partition: partition.clone(), records })?;
            }
        }
        Ok(())
    }

    /// Everything that a partition has now was read. One that several topics have cannot be told apart.
    pub(super) fn ended(&mut self, number: i32) {
        let index = offsets::index(number);
        let mut ended = self.assignment.partitions().filter(|partition| partition.index == index);
        if let (Some(partition), None) = (ended.next(), ended.next()) {
            let (_, high) = commit::watermarks(&self.consumer, partition);
            self.lag.ended(partition, high);
        }
    }

    /// Notes that a broker answered.
    pub(super) fn answered(&mut self) -> Result<(), Stop> {
        match self.reachable.answered() {
            Change::New => {
                tracing::info!(source = %self.name, "a broker answers again");
                self.tell(Notice::Broker(Reach::Back))
            }
            Change::Known => Ok(()),
        }
    }

    /// Asks a broker whether it is back, once in a while as long as all are lost.
    pub(super) fn look_for_brokers(&mut self) -> Result<(), Stop> {
        if !self.reachable.is_due(Instant::now()) {
            return Ok(());
        }
        match self.consumer.fetch_metadata(self.topics.first().map(|topic| &**topic), ASK) {
            Ok(_) => self.answered(),
            Err(_) => Ok(()),
        }
    }

    pub(super) fn tell(&self, notice: Notice) -> Result<(), Stop> {
        self.send(Control::Notice(notice))
    }

    /// Notes that no broker can be reached.
    pub(super) fn lost(&mut self, reason: String) -> Result<(), Stop> {
        match self.reachable.lost(Instant::now()) {
            Change::New => {
                tracing::warn!(source = %self.name, reason, "no broker can be reached; trying again");
                self.tell(Notice::Broker(Reach::Lost(reason)))
            }
            Change::Known => Ok(()),
        }
    }
}
