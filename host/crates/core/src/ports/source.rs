//! Where events come from.

use std::num::NonZeroUsize;

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::model::{Event, Generation, Next, Partition, Position};

/// What the flow can take now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// Anything, but not more than this many events.
    Events(NonZeroUsize),
    /// Everything except events: a full pipeline must still learn of a revocation.
    ControlOnly,
}

/// What can happen at a source. This list is exhaustive.
#[derive(Debug)]
pub enum Signal {
    /// We own these partitions from now on. Their events follow.
    Assigned {
        /// The assigned partitions.
        partitions: Vec<Partition>,
        /// The span of ownership that begins, higher than all earlier ones. Its events carry it.
        generation: Generation,
        /// How many partitions there are in all, those of other members among them: of all topics of the source, as far as
        /// it knows. Where nothing is divided, the number of those assigned.
        all: usize,
    },
    /// These partitions are being taken away. All their events must be settled or given up before `ack` is sent; the
    /// source waits for it for a bounded time. If the partitions are already lost, it does not wait and `ack` is closed
    /// from the start: none of their events can be settled any more.
    Revoked {
        /// The revoked partitions.
        partitions: Vec<Partition>,
        /// Sent when the flow is done with them.
        ack: oneshot::Sender<()>,
    },
    /// Events of one partition and generation that arrived together, in order; at least one.
    Events(Vec<Event>),
    /// How far behind we are, as last reported by the broker. Sent from time to time, for observers.
    Lag {
        /// The partition.
        partition: Partition,
        /// How many of its records are not settled yet.
        records: u64,
    },
    /// Something else for observers. The flow goes on either way.
    Notice(Notice),
}

/// What a source, or a transaction, tells observers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Settled events were reported to the broker.
    Commit(CommitOutcome),
    /// Whether the broker can be reached, told when that changes. It can until something else is told.
    Broker(Reach),
    /// How many records of a partition wait to be settled: unlike lag without what no consumer will ever be given, such as
    /// the markers of transactions. Sent from time to time; a source that cannot tell sends none, and lag counts.
    Backlog {
        /// The partition.
        partition: Partition,
        /// How many records.
        records: u64,
    },
    /// The source's own thread or task has come round once more: it reads, or waits for something to read. Told every few
    /// seconds, whether events are asked for or not, and while it waits for the end of a revocation or for a lost broker.
    /// One that is not told any more hangs, whatever the flow says.
    Turn,
    /// How much was read and is not handed out yet. Told with a turn, when it has changed.
    ReadAhead {
        /// How many records.
        records: u64,
        /// Their keys, values and headers, in bytes.
        bytes: u64,
    },
    /// Records that a broker which acknowledges each by itself did not deliver as it should.
    Irregular {
        /// What became of them.
        fate: Fate,
        /// How many, at least one.
        records: u64,
    },
}

/// What became of records that went another way than from one delivery to one acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// The broker dropped them before they were settled. Their content is lost.
    Trimmed,
    /// Another member took them over while they were in work here: their outputs may be written twice.
    Taken,
    /// They had ceased to be pending, because their consumer or group was deleted, and are pending again.
    Restored,
    /// They were taken over here from a member that had fallen silent.
    Claimed,
}

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommitOutcome {
    /// The broker has it.
    Done,
    /// It was refused or not confirmed; a later one repeats it.
    Failed,
    /// It was the commit of a transaction, which was aborted and is tried again.
    Aborted,
}

/// Whether a broker can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// It answers again.
    Back,
    /// It does not answer, for this reason.
    Lost(String),
}

/// Why a source cannot continue. The flow stops. Nothing is lost: unsettled events are redelivered at the next start.
#[derive(Debug, thiserror::Error)]
#[error("the source {name} failed")]
pub struct SourceError {
    /// What the operator calls it.
    pub name: String,
    /// The cause.
    pub source: anyhow::Error,
}

/// A member of a consumer group.
///
/// An event is delivered under one generation of its partition's assignment. It is redelivered, to this or another
/// member, until it is settled.
#[async_trait]
pub trait Source: Send {
    /// Waits for the next signal. Cancel-safe: a dropped call loses no signal.
    async fn recv(&mut self, demand: Demand) -> Result<Signal, SourceError>;

    /// Notes that these events of a partition are settled, and, if `below` is given, everything below that position.
    /// Brokers that commit an offset use `below`; brokers that acknowledge entries use `events`. Does not wait for the
    /// broker. Does nothing for a partition that we no longer own.
    fn settle(&mut self, partition: &Partition, events: &[Position], below: Option<Next>) -> Result<(), SourceError>;

    /// Reports what was settled to the broker, waits for that for a bounded time, and leaves the group.
    async fn close(&mut self) -> Result<(), SourceError>;
}
