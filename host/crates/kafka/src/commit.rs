//! Commits: every second while things run, before a revocation, and last of all. Always of what librdkafka has stored
//! for our own assignment, never a list of our own making: by such a list a member that was thrown out could set back
//! the offsets of another.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::bindings::{rd_kafka_commit_queue, rd_kafka_queue_destroy, rd_kafka_queue_get_consumer};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{IsError, KafkaError, KafkaResult, RDKafkaErrorCode};

use super::poll::{POLL_PAUSED, Poller, Stop};
use super::rebalance::{LOOKUP_WAIT, LOOKUPS, Notice, Reports};
use gristmill_core::model::{Next, Partition};

/// How often what is settled is committed.
const INTERVAL: Duration = Duration::from_secs(1);

/// Where committing stands.
pub(super) struct Commit {
    due: Instant,
    unanswered: u32,
    last: KafkaResult<()>,
}

impl Commit {
    pub(super) fn new(now: Instant) -> Self {
        Self { due: now + INTERVAL, unanswered: 0, last: Ok(()) }
    }

    /// Takes the answer to a commit that was not waited for.
    pub(super) fn answered(&mut self, result: KafkaResult<()>) {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.last = committed(result);
        if let Err(error) = &self.last {
            tracing::warn!(%error, "a commit failed, the next one repeats it");
        }
    }

    /// Whether the last commit failed only because the group is being divided anew.
    fn met_a_rebalance(&self) -> bool {
        use RDKafkaErrorCode as Code;
        let code = self.last.as_ref().err().and_then(KafkaError::rdkafka_error_code);
        matches!(code, Some(Code::IllegalGeneration | Code::RebalanceInProgress | Code::UnknownMemberId))
    }
}

impl Poller {
    /// Commits what was settled since the last time, without waiting. A failed commit is repeated: what is not
    /// committed comes again, nothing is lost.
    pub(super) fn commit_when_due(&mut self) -> Result<(), Stop> {
        let now = Instant::now();
        if now < self.commit.due || self.commit.unanswered > 0 {
            return Ok(());
        }
        self.commit.due = now + INTERVAL;
        self.begin_commit().map_err(Stop::Failed)
    }

    fn begin_commit(&mut self) -> anyhow::Result<()> {
        let stored = self.settled.store(&self.consumer).context("cannot store offsets")?;
        if stored > 0 || self.commit.last.is_err() {
            request(&self.consumer).context("cannot commit")?;
            self.commit.unanswered += 1;
        }
        Ok(())
    }

    /// Commits and waits for it, as long as the session lasts at most. Failing is no reason to stop.
    pub(super) fn commit_now(&mut self) {
        let result = match self.settled.store(&self.consumer) {
            Ok(_) => committed(self.consumer.commit_consumer_state(CommitMode::Sync)),
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            tracing::warn!(source = %self.name, %error, "the commit before a revocation failed");
        }
    }

    /// Commits where the group begins in partitions that are new to it, and waits for that. Later it would be too late:
    /// the commit could set back what a transaction has committed in the meantime.
    pub(super) fn commit_beginnings(&mut self, beginnings: Vec<(Partition, Next)>) -> anyhow::Result<()> {
        if beginnings.is_empty() {
            return Ok(());
        }
        for (partition, begin) in beginnings {
            self.settled.pin(partition, begin);
        }
        self.settled.store(&self.consumer).context("cannot store offsets")?;
        let mut tried = 0;
        loop {
            let Err(error) = committed(self.consumer.commit_consumer_state(CommitMode::Sync)) else {
                return Ok(());
            };
            tried += 1;
            if self.consumer.assignment_lost() {
                // They are not ours any more; whoever gets them does the same.
                return Ok(());
            }
            if tried == LOOKUPS {
                return Err(error).context("cannot commit where the group begins");
            }
            tracing::warn!(source = %self.name, %error, tried, "cannot commit where the group begins, trying again");
            thread::sleep(LOOKUP_WAIT);
        }
    }

    /// Commits what is settled and waits for that, half of the time that closing has. From here on every rebalance is
    /// agreed to. A commit that meets a rebalance is repeated: it is good again as soon as the member is told of its new
    /// generation.
    pub(super) fn last_commit(&mut self) -> anyhow::Result<()> {
        self.consumer.context().leave();
        // That it was asked to stop is known.
        let _ = self.take_orders();
        self.begin_commit()?;
        let longest = self.close_timeout / 2;
        let deadline = Instant::now() + longest;
        while self.commit.unanswered > 0 {
            if Instant::now() >= deadline {
                bail!("the last commit was not confirmed within {longest:?}");
            }
            // Records that still arrive are nobody's: they come again.
            drop(self.consumer.poll(POLL_PAUSED));
            while let Ok(notice) = self.notices.try_recv() {
                if let Notice::Committed(result) = notice {
                    self.commit.answered(result);
                }
            }
            if self.commit.unanswered == 0 && self.commit.met_a_rebalance() {
                thread::sleep(POLL_PAUSED);
                self.begin_commit()?;
            }
        }
        self.commit.last.clone().context("the last commit failed")
    }
}

/// That there was nothing to commit is no failure.
fn committed(result: KafkaResult<()>) -> KafkaResult<()> {
    match result {
        Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
        result => result,
    }
}

/// Asks for a commit of what is stored; the answer comes as a notice. The safe asynchronous commit of rdkafka 0.39
/// never gives one: it polls events, and librdkafka makes no event of such a commit without a queue to put it in.
fn request(consumer: &BaseConsumer<Reports>) -> KafkaResult<()> {
    let client = consumer.client().native_ptr();
    // SAFETY: the client outlives this call. The queue is the one the consumer polls; the handle to it is given back,
    // and librdkafka keeps a reference of its own until the answer is in it. No list and no callback are passed.
    #[allow(unsafe_code)]
    let code = unsafe {
        let queue = rd_kafka_queue_get_consumer(client);
        let code = rd_kafka_commit_queue(client, std::ptr::null(), queue, None, std::ptr::null_mut());
        rd_kafka_queue_destroy(queue);
        code
    };
    match code.is_error() {
        true => Err(KafkaError::ConsumerCommit(code.into())),
        false => Ok(()),
    }
}
