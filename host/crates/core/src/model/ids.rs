//! The positions of events, and the ids of jobs and items.

use std::fmt;
use std::sync::Arc;

/// A part of a topic whose events are settled in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The topic's (or stream's) name.
    pub topic: Arc<str>,
    /// Its number; 0 where the broker has no partitions.
    pub index: u32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.index)
    }
}

/// The position of one event in its partition: a Kafka offset, or a Redis entry id as `milliseconds << 64 | sequence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(pub u128);

impl Position {
    /// The first position after this one.
    #[must_use]
    pub fn next(self) -> Next {
        Next(self.0.saturating_add(1))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 >> 64 {
            0 => write!(f, "{}", self.0),
            milliseconds => write!(f, "{milliseconds}-{}", self.0 & u128::from(u64::MAX)),
        }
    }
}

/// The first position of a partition that is not settled yet: what a broker stores as "committed". It has its own type
/// because "the last one done" and "the first one not done" are both numbers and differ by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Next(pub u128);

/// Identifies an event by its position; the same after every redelivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventId {
    /// Its partition.
    pub partition: Partition,
    /// Its position there.
    pub position: Position,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.position)
    }
}

/// Numbers the assignments of partitions. Events started under an earlier one must not be settled under a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Generation(pub u64);

/// Names one job by pipeline and event, so it is the same after every redelivery. Consumers deduplicate outputs by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(Arc<str>);

impl JobId {
    /// The job of this event in this pipeline. Do not change the format: consumers deduplicate by it.
    #[must_use]
    pub fn new(pipeline: &str, event: &EventId) -> Self {
        Self(format!("{pipeline}/{event}").into())
    }

    /// The job that a replayed event says it continues, if that job belongs to this pipeline.
    #[must_use]
    pub fn replayed(pipeline: &str, id: &str) -> Option<Self> {
        let place = id.strip_prefix(pipeline)?.strip_prefix('/')?;
        let legal = id.len() <= LONGEST_ID && place.bytes().all(|byte| byte.is_ascii_graphic());
        (legal && place.split('/').count() == 3).then(|| Self(id.into()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Longer than any pipeline's name, topic and position together.
const LONGEST_ID: usize = 512;

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names one item: the job's id for the event itself, otherwise parent, stage and ordinal. The same on every replay.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ItemId(Arc<str>);

impl ItemId {
    /// The item that is the event itself.
    #[must_use]
    pub fn root(job: &JobId) -> Self {
        Self(Arc::clone(&job.0))
    }

    /// The `ordinal`-th output of `stage` for this item.
    #[must_use]
    pub fn child(&self, stage: &str, ordinal: usize) -> Self {
        Self(format!("{}/{stage}.{ordinal}", self.0).into())
    }

    /// The common parent of the outputs of the gathering `stage`: all items of the job that it receives.
    #[must_use]
    pub fn gathered(job: &JobId, stage: &str) -> Self {
        Self(format!("{job}/{stage}.all").into())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
