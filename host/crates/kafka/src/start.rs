//! Where a group begins in the partitions that are assigned to it.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::commit::Committer;
use super::offsets;
use super::pulse::Pulse;
use super::reports::{Member, is_final};
use gristmill_core::model::{Next, Partition};
use gristmill_core::ports::Start;

/// How long a lookup before an assignment may take, how often it is tried, and the wait in between. Together less than
/// the broker waits for a member at its default of five minutes.
const LOOKUP: Duration = Duration::from_secs(10);
const TRIES: u32 = 10;
const WAIT: Duration = Duration::from_secs(1);

/// Where a group begins in newly assigned partitions, as far as there are offsets for it.
#[derive(Default)]
pub(super) struct Found {
    /// What it has committed before.
    pub(super) committed: Vec<(Partition, Next)>,
    /// The ends found for [`Start::Latest`]: to be committed, so that they stay the beginning.
    pub(super) ends: Vec<(Partition, Next)>,
}

/// Looks up where to begin and enters it into the list for partitions of which the group has committed nothing.
/// Retries for a while, because brokers may be moving; a final error is returned immediately.
pub(super) fn find(
    consumer: &Member,
    list: &mut TopicPartitionList,
    start: Start,
    topics: &[Arc<str>],
    pulse: &mut Pulse,
) -> anyhow::Result<Found> {
    let mut tried = 0;
    loop {
        let error = match look_up(consumer, list, start, topics, pulse) {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        tried += 1;
        let hopeless = error.rdkafka_error_code().is_some_and(is_final);
        if hopeless || tried == TRIES || consumer.assignment_lost() {
            return Err(error).context("cannot look up the committed offsets of the group");
        }
        tracing::warn!(%error, tried, "cannot look up the committed offsets of the group, retrying");
        thread::sleep(WAIT);
    }
}

fn look_up(
    consumer: &Member,
    list: &mut TopicPartitionList,
    start: Start,
    topics: &[Arc<str>],
    pulse: &mut Pulse,
) -> KafkaResult<Found> {
    let mut found = Found::default();
    if list.count() == 0 {
        return Ok(found);
    }
    pulse.beat(Instant::now());
    for element in consumer.committed_offsets(list.clone(), LOOKUP)?.elements() {
        element.error()?;
        let (topic, number) = (element.topic(), element.partition());
        let place = |offset| (offsets::partition(topic, number, topics), Next(offsets::position(offset).0));
        match (element.offset(), start) {
            (Offset::Invalid, Start::Earliest) => list.set_partition_offset(topic, number, Offset::Beginning)?,
            (Offset::Invalid, Start::Latest) => {
                pulse.beat(Instant::now());
                let (_, end) = consumer.fetch_watermarks(topic, number, LOOKUP)?;
                list.set_partition_offset(topic, number, Offset::Offset(end))?;
                found.ends.push(place(end));
            }
            (Offset::Offset(offset), _) => found.committed.push(place(offset)),
            _ => {}
        }
    }
    Ok(found)
}

/// Commits where the group begins in partitions that are new to it, and waits for that. Later would be too late: the
/// commit could set back what a transaction has committed in the meantime.
pub(super) fn commit(
    consumer: &Member,
    committer: &mut Committer,
    ends: Vec<(Partition, Next)>,
    pulse: &mut Pulse,
) -> anyhow::Result<()> {
    if ends.is_empty() {
        return Ok(());
    }
    committer.pin(consumer, ends)?;
    let mut tried = 0;
    loop {
        pulse.beat(Instant::now());
        let Err(error) = committer.commit_now(consumer) else { return Ok(()) };
        tried += 1;
        if consumer.assignment_lost() {
            // They are no longer ours; their next owner does the same.
            return Ok(());
        }
        if tried == TRIES {
            return Err(error).context("cannot commit where the group begins");
        }
        tracing::warn!(%error, tried, "cannot commit where the group begins, retrying");
        thread::sleep(WAIT);
    }
}
