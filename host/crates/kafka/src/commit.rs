//! Commits: every second while things run, before a revocation, and a last one. A commit always covers what librdkafka
//! has stored for our own assignment, never a list of our own making: with such a list a member that was removed from
//! the group could set back the offsets of another.

use std::ffi::CString;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::bindings::{
    rd_kafka_commit_queue, rd_kafka_get_watermark_offsets, rd_kafka_queue_destroy, rd_kafka_queue_get_consumer,
};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{IsError, KafkaError, KafkaResult, RDKafkaErrorCode};

use super::offsets::{self, Settled};
use super::reports::{self, Member, Notice};
use gristmill_core::model::{Next, Partition, Position};
use gristmill_core::ports::CommitOutcome;

/// How often settled events are committed.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the last commit waits for its answer before it looks again.
const LOOK: Duration = Duration::from_millis(20);

/// What is settled, how much of it is committed, and when the next commit is due.
pub(super) struct Committer {
    source: String,
    due: Instant,
    unanswered: u32,
    last: KafkaResult<()>,
    settled: Settled,
}

impl Committer {
    /// `source` is its name in the log.
    pub(super) fn new(source: String, now: Instant) -> Self {
        Self { source, due: now + INTERVAL, unanswered: 0, last: Ok(()), settled: Settled::default() }
    }

    /// Notes an event that is handed out: nothing below the first of its partition can be settled under this
    /// assignment.
    pub(super) fn handed_out(&mut self, partition: &Partition, position: Position) {
        self.settled.begin(partition, position);
    }

    /// Notes that everything below is settled.
    pub(super) fn settle(&mut self, partition: &Partition, below: Next) {
        self.settled.note(partition, below);
    }

    /// Up to where a partition is settled, if anything of it was handed out.
    pub(super) fn below(&self, partition: &Partition) -> Option<Next> {
        self.settled.below(partition)
    }

    /// Stores these as the places where the group begins, before any event of their partitions.
    pub(super) fn pin(&mut self, consumer: &Member, places: Vec<(Partition, Next)>) -> anyhow::Result<()> {
        for (partition, begin) in places {
            self.settled.pin(partition, begin);
        }
        self.settled.store(consumer).context("cannot store offsets")?;
        Ok(())
    }

    /// Ends the record of a partition that is no longer ours.
    pub(super) fn forget(&mut self, partition: &Partition) {
        self.settled.forget(partition);
    }

    /// Handles the answer to a commit requested without waiting. Returns what it was, for observers.
    pub(super) fn answered(&mut self, result: KafkaResult<()>) -> CommitOutcome {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.last = committed(result);
        match &self.last {
            Ok(()) => CommitOutcome::Done,
            Err(error) => {
                tracing::warn!(source = %self.source, %error, "a commit failed; the next one repeats it");
                CommitOutcome::Failed
            }
        }
    }

    /// Commits what was settled since the last time, without waiting. A failed commit is repeated: what is not
    /// committed is delivered again, nothing is lost.
    pub(super) fn commit_when_due(&mut self, consumer: &Member) -> anyhow::Result<()> {
        let now = Instant::now();
        if now < self.due || self.unanswered > 0 {
            return Ok(());
        }
        self.due = now + INTERVAL;
        self.begin(consumer)
    }

    fn begin(&mut self, consumer: &Member) -> anyhow::Result<()> {
        let stored = self.settled.store(consumer).context("cannot store offsets")?;
        if stored > 0 || self.last.is_err() {
            request(consumer).context("cannot commit")?;
            self.unanswered += 1;
        }
        Ok(())
    }

    /// Commits and waits for the answer, at most as long as the session lasts.
    pub(super) fn commit_now(&mut self, consumer: &Member) -> KafkaResult<()> {
        self.settled.store(consumer)?;
        committed(consumer.commit_consumer_state(CommitMode::Sync))
    }

    /// Commits what is settled and waits for the answer, up to `longest`. The consumer must be accepting every
    /// rebalance; those it reported before are accepted here. A commit that meets a rebalance is repeated: it is valid again as soon as the member knows its new
    /// generation.
    pub(super) fn commit_last(
        &mut self,
        consumer: &Member,
        notices: &mpsc::Receiver<Notice>,
        longest: Duration,
    ) -> anyhow::Result<()> {
        self.begin(consumer)?;
        let deadline = Instant::now() + longest;
        while self.unanswered > 0 {
            if Instant::now() >= deadline {
                self.take(consumer, notices);
                bail!("the last commit was not confirmed within {longest:?}");
            }
            // Records that still arrive are dropped: they are delivered again.
            drop(consumer.poll(LOOK));
            self.take(consumer, notices);
            if self.unanswered == 0 && self.met_a_rebalance() {
                thread::sleep(LOOK);
                self.begin(consumer)?;
            }
        }
        self.take(consumer, notices);
        self.last.clone().context("the last commit failed")
    }

    /// Accepts what was reported and not handled: the group, and closing, wait for an answer to every rebalance.
    fn take(&mut self, consumer: &Member, notices: &mpsc::Receiver<Notice>) {
        while let Ok(notice) = notices.try_recv() {
            let accepted = match notice {
                Notice::Assign(list) => reports::assign(consumer, &list),
                Notice::Revoke(list) => reports::unassign(consumer, &list),
                Notice::Committed(result) => {
                    self.answered(result);
                    Ok(())
                }
                Notice::Error(_) => Ok(()),
            };
            if let Err(error) = accepted {
                tracing::warn!(source = %self.source, %error, "a rebalance failed while leaving the group");
            }
        }
    }

    /// Whether the last commit failed only because of a rebalance.
    fn met_a_rebalance(&self) -> bool {
        use RDKafkaErrorCode as Code;
        let code = self.last.as_ref().err().and_then(KafkaError::rdkafka_error_code);
        matches!(code, Some(Code::IllegalGeneration | Code::RebalanceInProgress | Code::UnknownMemberId))
    }
}

/// Having nothing to commit is no failure.
fn committed(result: KafkaResult<()>) -> KafkaResult<()> {
    match result {
        Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
        result => result,
    }
}

/// Requests a commit of what is stored; the answer arrives as a notice. The safe asynchronous commit of rdkafka 0.39
/// never returns one: it polls events, and librdkafka creates no event for such a commit without a queue to put it in.
fn request(consumer: &Member) -> KafkaResult<()> {
    let client = consumer.client().native_ptr();
    // SAFETY: the client outlives this call. The queue is the one the consumer polls; the handle to it is released
    // again, and librdkafka keeps a reference of its own until the answer is in it. No list and no callback are passed.
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

/// The first offset of a partition and the one after its last, as the last fetch reported them; `None` where that is
/// unknown. Does not contact the broker, unlike the safe lookup of rdkafka 0.39.
pub(super) fn watermarks(consumer: &Member, partition: &Partition) -> (Option<Next>, Option<Next>) {
    let Ok(topic) = CString::new(&*partition.topic) else { return (None, None) };
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client outlives this call and the topic is a C string that does too; both numbers are written before
    // it returns, or left as they are.
    #[allow(unsafe_code)]
    let code = unsafe {
        rd_kafka_get_watermark_offsets(
            consumer.client().native_ptr(),
            topic.as_ptr(),
            offsets::number(partition),
            &raw mut low,
            &raw mut high,
        )
    };
    // What is not known is negative.
    let known = |offset: i64| (!code.is_error() && offset >= 0).then(|| Next(offsets::position(offset).0));
    (known(low), known(high))
}
