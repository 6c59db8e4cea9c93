//! Where events come from.

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::model::{Event, EventId, Generation, Next, Partition};

/// What the flow can take now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// Anything.
    Everything,
    /// No events, but everything else: a full pipeline must still hear of a revocation.
    ControlOnly,
}

/// What can happen at a source. The list is closed.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all signals are events, and a box would cost each an allocation")]
pub enum Signal {
    /// These partitions are ours from now on. Their events follow.
    Assigned {
        /// What is given.
        partitions: Vec<Partition>,
        /// The span of ownership that begins, higher than all before. Its events carry it.
        generation: Generation,
    },
    /// These partitions are being taken away. Everything of them must be settled or given up before `ack` is sent; the
    /// source waits for it a bounded time. If they are lost already it does not wait, and `ack` is closed from the
    /// beginning: nothing of them can be settled any more.
    Revoked {
        /// What is taken.
        partitions: Vec<Partition>,
        /// To be sent when the flow is done with them.
        ack: oneshot::Sender<()>,
    },
    /// One event.
    Event(Event),
    /// How far behind we are, as far as the broker has told. Sent now and then, for those who watch.
    Lag {
        /// The partition.
        partition: Partition,
        /// Its records that are not settled yet.
        records: u64,
    },
}

/// Why a source cannot go on. The flow stops; nothing is lost: what was not settled is delivered again at the next start.
#[derive(Debug, thiserror::Error)]
#[error("the source {name} failed")]
pub struct SourceError {
    /// What the operator calls it.
    pub name: String,
    /// Why.
    pub source: anyhow::Error,
}

/// A member of a consumer group.
///
/// An event is handed out under one generation of its partition's assignment. It comes again, to this or another
/// member, until it is settled.
#[async_trait]
pub trait Source: Send {
    /// The next signal; waits for one. Cancel-safe: a dropped call loses no signal.
    async fn recv(&mut self, demand: Demand) -> Result<Signal, SourceError>;

    /// Notes that this event is settled, and, when `below` is given, that everything in its partition below that place
    /// is. Brokers that commit an offset use `below`, brokers that acknowledge entries use `event`. Does not wait for
    /// the broker. Does nothing for a partition that is no longer ours.
    fn settle(&mut self, event: &EventId, below: Option<Next>) -> Result<(), SourceError>;

    /// Makes what was settled known to the broker, waits for that a bounded time, and leaves the group.
    async fn close(&mut self) -> Result<(), SourceError>;
}
