//! Where records go: on their own, or in transactions that also settle their events.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::{Generation, Header, Next, Partition, Position, Size, Timestamp};

/// One record to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The topic it is written to.
    pub topic: Arc<str>,
    /// The partition it is written to; `None` leaves that to its key.
    pub partition: Option<u32>,
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
        let Self { topic: _, partition: _, key, payload, headers, timestamp: _ } = self;
        key.size() + payload.size() + headers.size()
    }
}

/// Why records were not written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The broker will never accept this record, for example because it is too large. The job is dead-lettered.
    #[error("topic {topic} rejects a record: {reason}")]
    Refused {
        /// The topic.
        topic: Arc<str>,
        /// The broker's reason.
        reason: String,
    },
    /// The broker cannot be reached or does not confirm the records. The flow stops.
    #[error("records for topic {topic} are not confirmed")]
    Unavailable {
        /// The topic.
        topic: Arc<str>,
        /// The cause.
        source: anyhow::Error,
    },
}

/// Where records go.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Writes all records, in order per topic, and returns once the broker has acknowledged every one with the
    /// configured durability. After an error some might have been written; the caller's job id identifies repeats. Not
    /// cancel-safe for the same reason: a dropped call might still write.
    async fn deliver(&self, records: Vec<Record>) -> Result<(), SinkError>;
}

/// What a transaction writes and settles atomically.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The records, in order.
    pub records: Vec<Record>,
    /// What is settled with them. Each partition appears once.
    pub settled: Vec<Settlement>,
}

/// What is settled in one partition, by its owner in this generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The partition.
    pub partition: Partition,
    /// The span of ownership in which the events were read.
    pub generation: Generation,
    /// The first position that is not settled: for brokers that commit an offset.
    pub below: Next,
    /// The events, in order: for brokers that acknowledge entries.
    pub events: Vec<Position>,
}

/// Why a transaction was not committed.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// The broker will never accept the record with this index. Nothing in the batch was written.
    #[error("topic {topic} rejects a record: {reason}")]
    Refused {
        /// The index of the record in the batch.
        record: usize,
        /// The topic.
        topic: Arc<str>,
        /// The broker's reason.
        reason: String,
    },
    /// Nothing in the batch was written: a rebalance intervened, or the brokers aborted the transaction. The part whose
    /// partitions we still own may be tried again.
    #[error("a transaction was aborted: {0}")]
    Aborted(String),
    /// It is unknown whether the batch was written, or no more batches can be. The flow stops; the next start resumes
    /// from what the group has committed.
    #[error("transactions cannot be committed")]
    Unavailable(#[source] anyhow::Error),
}

/// Writes outputs and settles their events atomically: readers of committed records see both or neither.
#[async_trait]
pub trait Transactor: Send + Sync {
    /// Writes and settles the batch. Rejects it as aborted if one of its partitions is no longer owned in the
    /// generation that it names. One call at a time. Not cancel-safe: a dropped call might still be committed.
    async fn commit(&self, batch: Batch) -> Result<(), TransactionError>;
}
