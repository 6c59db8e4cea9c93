//! A whole broker: what a pipeline or a command does with it before and alongside the flow of events.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Letters, Record, Sink, Source, Transactor};
use crate::model::Event;

/// A topic (or stream) of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// What the pipeline uses it for.
    pub role: Role,
}

/// What a pipeline uses a topic for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Events are read from it.
    Source,
    /// Outputs are written to it.
    Sink,
    /// Dead letters are written to it.
    DeadLetters,
}

/// The findings of a check that do not prevent a pipeline from starting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// The address of the broker, as the operator would write it.
    pub address: String,
    /// The topics that were missing and have been created.
    pub created: Vec<String>,
    /// What the operator should know, one sentence each.
    pub warnings: Vec<String>,
}

/// Which events are read, and how they are settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The topic.
    pub topic: Arc<str>,
    /// Where the pipeline's dead letters are.
    pub dead_letters: Arc<str>,
    /// The consumer group.
    pub group: Arc<str>,
    /// Where a group that has settled nothing yet begins.
    pub start: Start,
    /// How long the flow may take to give up a partition. The source waits a little longer.
    pub drain_timeout: Duration,
    /// How outputs are written and events settled.
    pub guarantee: Guarantee,
}

/// Where a group begins that has settled nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, extend("x-noun" = "start"))]
pub enum Start {
    /// At the oldest record.
    #[default]
    Earliest,
    /// At what arrives from now on. The place is committed immediately: what arrives before the first event is settled
    /// is not lost in a crash.
    Latest,
}

/// How outputs are written and events settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    /// Outputs are written first and their event is settled afterwards. A crash in between writes them again.
    AtLeastOnce,
    /// Outputs are written and events settled in one transaction.
    ExactlyOnce {
        /// A transaction begins at the latest when this many jobs wait for one,
        most: NonZeroUsize,
        /// or when the first of them has waited this long.
        every: Duration,
    },
}

/// A member of a group, where its outputs go, and what has gone to the dead letters.
pub struct Connection {
    /// Where events come from.
    pub source: Box<dyn Source>,
    /// Where outputs go.
    pub outlet: Outlet,
    /// The dead letters, to be read back.
    pub letters: Arc<dyn Letters>,
    /// The events, to be written and read back from outside the flow.
    pub inlet: Inlet,
}

/// Where events are handed in while a pipeline runs. Outlives nothing: it ends with its connection.
#[derive(Clone)]
pub struct Inlet {
    /// Writes events, one by one, for many callers at a time. Not part of any transaction of the flow.
    pub sink: Arc<dyn Sink>,
    /// Reads single events back.
    pub events: Arc<dyn Letters>,
}

/// Where the outputs of one source go.
#[derive(Clone)]
pub enum Outlet {
    /// Outputs are written on their own.
    Sink(Arc<dyn Sink>),
    /// Outputs are written together with the settlement of their events.
    Transactor(Arc<dyn Transactor>),
}

/// How to read a topic without a group: nothing is settled, and no consumer is affected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browse {
    /// The topic.
    pub topic: Arc<str>,
    /// Where to start.
    pub from: From,
    /// When to stop.
    pub until: Until,
}

/// Where to start in each partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// At the oldest record.
    Start,
    /// At the end: only records that arrive from now on.
    End,
    /// This many records before the end.
    Last(u32),
}

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Never, until the reader is dropped.
    Dropped,
    /// Once the end of every partition has been reached.
    End,
}

/// The records of a topic as they arrive. Dropping it stops reading.
#[async_trait]
pub trait Records: Send {
    /// Waits for the next record. `None` at the end. Cancel-safe. Records have no generation.
    async fn next(&mut self) -> Option<anyhow::Result<Event>>;
}

/// Records that are written all or none, if the broker can do that: a replayed event and the markers that say so.
pub type Group = Vec<Record>;

/// Why some groups were not written.
#[derive(Debug, thiserror::Error)]
#[error("{written} were written, then it stopped")]
pub struct WriteError {
    /// How many groups were confirmed, counted from the first. Some of the later ones might have arrived too.
    pub written: u64,
    /// The cause.
    #[source]
    pub reason: anyhow::Error,
}

/// One broker, with the credentials it was configured with.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Checks that the broker answers and that all these topics can be used. Creates missing ones if configured to.
    /// Bounded in time. One error lists everything that is wrong.
    async fn check(&self, topics: &[Topic]) -> anyhow::Result<Checked>;

    /// Joins a group without waiting for the assignment, which arrives as the first signal.
    async fn connect(&self, subscription: Subscription) -> anyhow::Result<Connection>;

    /// Reads a topic from outside any group. Fails if it does not exist.
    async fn browse(&self, what: Browse) -> anyhow::Result<Box<dyn Records>>;

    /// Writes from outside a pipeline, in order, and returns once everything is confirmed. `progress` gets the number
    /// of groups confirmed so far. `reader` is the group that will read the records, if known: an in-memory broker
    /// refuses records that the group could not read in time.
    async fn write(
        &self,
        groups: Vec<Group>,
        reader: Option<&str>,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, WriteError>;
}
