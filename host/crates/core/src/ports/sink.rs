//! Where records go: one by one, or in transactions that settle their events too.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::{Generation, Header, Next, Partition, Position, Size, Timestamp};

/// One record to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where to.
    pub topic: Arc<str>,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value; `None` is a tombstone.
    pub payload: Option<Bytes>,
    /// Its headers, in order.
    pub headers: Vec<Header>,
    /// Its time.
    pub timestamp: Timestamp,
}

impl Size for Record {
    fn size(&self) -> usize {
        let Self { topic: _, key, payload, headers, timestamp: _ } = self;
        key.size() + payload.size() + headers.size()
    }
}

/// Why records were not written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The broker will never take this record: it is too large, say. The job goes to the dead letters.
    #[error("topic {topic} rejects a record: {reason}")]
    Refused {
        /// Where it should have gone.
        topic: Arc<str>,
        /// Why, in the broker's words.
        reason: String,
    },
    /// The broker cannot be reached or does not confirm. The flow stops.
    #[error("records for topic {topic} are not confirmed")]
    Unavailable {
        /// Where they should have gone.
        topic: Arc<str>,
        /// Why.
        source: anyhow::Error,
    },
}

/// Where records go.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Writes all records, in order per topic, and returns when every one is acknowledged by the broker with the
    /// durability it was configured for. After an error some may have been written; the caller's job id identifies
    /// repeats. Not cancel-safe in that sense: a dropped call may write too.
    async fn deliver(&self, records: Vec<Record>) -> Result<(), SinkError>;
}

/// What a transaction writes and settles as one.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The records, in order.
    pub records: Vec<Record>,
    /// What is settled with them; each partition once.
    pub settled: Vec<Settlement>,
}

/// What is settled in one partition, by who owns it in this generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The partition.
    pub partition: Partition,
    /// The span of ownership in which the events were read.
    pub generation: Generation,
    /// The first place that is not settled: for brokers that commit an offset.
    pub below: Next,
    /// The events, in order: for brokers that acknowledge entries.
    pub events: Vec<Position>,
}

/// Why a transaction was not committed.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// The broker will never take the record with this index. Nothing of the batch was written.
    #[error("topic {topic} rejects a record: {reason}")]
    Refused {
        /// Which of the batch's records.
        record: usize,
        /// Where it should have gone.
        topic: Arc<str>,
        /// Why, in the broker's words.
        reason: String,
    },
    /// Nothing of the batch was written: a rebalance came between, or the brokers aborted it. What of it is still ours
    /// may be tried again.
    #[error("a transaction was aborted: {0}")]
    Aborted(String),
    /// It cannot be known whether the batch was written, or no further one can be. The flow stops; what the group has
    /// committed decides at the next start.
    #[error("transactions cannot be committed")]
    Unavailable(#[source] anyhow::Error),
}

/// Writes outputs and settles their events in one step: readers of committed records see both or neither.
#[async_trait]
pub trait Transactor: Send + Sync {
    /// Writes and settles the batch. Rejects it as aborted when one of its partitions is no longer owned in the
    /// generation it names. One call at a time. Not cancel-safe: a dropped call may have been committed.
    async fn commit(&self, batch: Batch) -> Result<(), TransactionError>;
}
