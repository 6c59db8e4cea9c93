//! A broker as a whole: what a pipeline or a command does with it before and beside the flow of events.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Record, Sink, Source, Transactor};
use crate::model::Event;

/// A topic (or stream) of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// What it is there for.
    pub role: Role,
}

/// What a topic is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Events are read from it.
    Source,
    /// Outputs are written to it.
    Sink,
    /// Dead letters are written to it.
    DeadLetters,
}

/// What a check found that does not keep a pipeline from starting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Where the broker is, as the operator would write it.
    pub address: String,
    /// The topics that were missing and exist now.
    pub created: Vec<String>,
    /// What the operator should know, a sentence each.
    pub warnings: Vec<String>,
}

/// Whose events are read, and how they are settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The topic.
    pub topic: Arc<str>,
    /// The consumer group.
    pub group: Arc<str>,
    /// Where a group begins that has settled nothing yet.
    pub start: Start,
    /// How long the flow may take to give up a partition; the source waits a little longer.
    pub drain_timeout: Duration,
    /// How outputs are written.
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
    /// Outputs first, their event later: after a crash in between they are written again.
    AtLeastOnce,
    /// Both in one transaction,
    ExactlyOnce {
        /// which begins at the latest when so many jobs wait for one,
        most: NonZeroUsize,
        /// or when the first of them has waited so long.
        every: Duration,
    },
}

/// A member of a group, and where its outputs go.
pub struct Connection {
    /// Where events come from.
    pub source: Box<dyn Source>,
    /// Where outputs go.
    pub outlet: Outlet,
}

/// Where the outputs of one source go.
#[derive(Clone)]
pub enum Outlet {
    /// Each on its own.
    Sink(Arc<dyn Sink>),
    /// Together with what they settle.
    Transactor(Arc<dyn Transactor>),
}

/// What is read of a topic without a group: nothing is settled, nobody is disturbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browse {
    /// The topic.
    pub topic: Arc<str>,
    /// Where to begin.
    pub from: From,
    /// When to stop.
    pub until: Until,
}

/// Where to begin in each partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With the oldest record.
    Start,
    /// With what comes from now on.
    End,
    /// With so many records before the end.
    Last(u32),
}

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Never; drop it.
    Dropped,
    /// When the end of every partition was reached once.
    End,
}

/// The records of a topic as they come. Dropping it ends the reading.
#[async_trait]
pub trait Records: Send {
    /// The next record; `None` at the end. Cancel-safe. Records have no generation.
    async fn next(&mut self) -> Option<anyhow::Result<Event>>;
}

/// Records that are written all or none, by brokers that can: an event that is replayed and the marks that say so.
pub type Group = Vec<Record>;

/// Why not everything was written.
#[derive(Debug, thiserror::Error)]
#[error("{written} were written, then it stopped")]
pub struct WriteError {
    /// How many groups were confirmed, from the first. Of those after them some may have arrived too.
    pub written: u64,
    /// What happened.
    #[source]
    pub reason: anyhow::Error,
}

/// One broker, with the credentials it was configured with.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Checks that it answers and that all these topics can be used; creates missing ones where it was configured so.
    /// Bounded in time. One error names everything that is wrong.
    async fn check(&self, topics: &[Topic]) -> anyhow::Result<Checked>;

    /// Joins a group, without waiting for it: the first signal tells.
    async fn connect(&self, subscription: Subscription) -> anyhow::Result<Connection>;

    /// Reads a topic from outside any group. Fails if it does not exist.
    async fn browse(&self, what: Browse) -> anyhow::Result<Box<dyn Records>>;

    /// Writes from outside a pipeline, in order, and returns when all is confirmed. `progress` gets the number of
    /// groups confirmed so far. `reader` is the group that will read the records, if one is known: a broker in memory
    /// refuses what that group could not read in time.
    async fn write(
        &self,
        groups: Vec<Group>,
        reader: Option<&str>,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, WriteError>;
}
