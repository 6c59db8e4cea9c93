//! What is asked of the writer of a store.

use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::records::{Change, DeliveryChange, Done};
use gristmill_core::model::{DocumentId, JobId, RecordGeneration, Spent, SpentOn, StateWrite, Wrote};
use gristmill_core::ports::{JobState, Kept, Key, Placed};

/// The approximate size of a row of what a stage keeps, besides its key and value.
const STATE_BYTES: usize = 256;

/// The approximate size of a change of what a stage keeps.
pub(super) fn state_bytes(write: &StateWrite) -> usize {
    write.key.len() + write.value.as_ref().map_or(0, bytes::Bytes::len) + STATE_BYTES
}

/// The approximate size of a change of deliveries.
pub(super) const DELIVERY_BYTES: usize = 1_024;

/// An encoded value that is to be kept of a job.
pub(super) struct Row {
    pub(super) job: JobId,
    pub(super) key: Key,
    pub(super) value: Vec<u8>,
}

/// A write request. Each holds its share of the queue until it is written.
pub(super) enum Request {
    Keep {
        /// At least one.
        rows: Vec<Row>,
        /// Answered once the values are safe, with the earlier value for each, if any, which stays; or with the reason of a
        /// transient failure. Dropped if the store is broken.
        kept: oneshot::Sender<Result<Vec<Option<Kept>>, String>>,
        _room: OwnedSemaphorePermit,
    },
    /// An answer that any job may reuse.
    Answer {
        key: Key,
        value: Vec<u8>,
        keep: Duration,
        /// Like `kept` above, without a value.
        noted: oneshot::Sender<Result<(), String>>,
        _room: OwnedSemaphorePermit,
    },
    Ended {
        job: JobId,
        state: JobState,
        _room: OwnedSemaphorePermit,
    },
    Intend {
        document: DocumentId,
        begun: RecordGeneration,
        items: Vec<Placed>,
        /// The approximate size of the items, in bytes.
        bytes: usize,
        /// Like `kept` above, without a value.
        noted: oneshot::Sender<Result<(), String>>,
        _room: OwnedSemaphorePermit,
    },
    /// There are no more of these than jobs, and each job waited for its `Intend`: so they need no bound.
    Finish {
        document: DocumentId,
        last: RecordGeneration,
    },
    /// Each call of a model waits for its answer to be kept, so these need no bound either.
    Spent {
        on: SpentOn,
        spent: Spent,
        /// Given by the writer, in order, from 1: so what may have been added is not added twice.
        number: u64,
    },
    /// A change of what a stage keeps.
    State {
        stage: String,
        write: StateWrite,
        /// Like `kept` above, with what became of it.
        wrote: oneshot::Sender<Result<Wrote, String>>,
        _room: OwnedSemaphorePermit,
    },
    /// A change of records of jobs.
    Change {
        change: Change,
        /// Like `kept` above, with what became of it.
        done: oneshot::Sender<Result<Done, String>>,
        _room: OwnedSemaphorePermit,
    },
    /// A change of records that nobody waits for.
    Note {
        change: Change,
        _room: OwnedSemaphorePermit,
    },
    /// A change of deliveries.
    Deliver {
        change: DeliveryChange,
        /// Like `done` above.
        done: oneshot::Sender<Result<Done, String>>,
        _room: OwnedSemaphorePermit,
    },
}

/// The changes of records in a batch, in order. They come before its deliveries.
pub(super) fn changes(batch: &[Request]) -> impl Iterator<Item = &Change> {
    batch.iter().filter_map(|request| match request {
        Request::Change { change, .. } | Request::Note { change, .. } => Some(change),
        _ => None,
    })
}

/// The changes of deliveries in a batch, in order.
pub(super) fn deliveries(batch: &[Request]) -> impl Iterator<Item = &DeliveryChange> {
    batch.iter().filter_map(|request| match request {
        Request::Deliver { change, .. } => Some(change),
        _ => None,
    })
}

impl Request {
    /// How many rows it writes, or about as many.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Keep { rows, .. } => rows.len(),
            _ => 1,
        }
    }

    /// The approximate size of what it writes, in bytes, if somebody waits for it; `None` for notes.
    pub(super) fn awaited(&self) -> Option<usize> {
        match self {
            Self::Keep { rows, .. } => Some(rows.iter().map(|row| row.value.len()).sum()),
            Self::Answer { value, .. } => Some(value.len()),
            Self::Intend { bytes, .. } => Some(*bytes),
            Self::Change { change, .. } => Some(change.weight()),
            Self::State { write, .. } => Some(state_bytes(write)),
            Self::Deliver { .. } => Some(DELIVERY_BYTES),
            Self::Ended { .. } | Self::Finish { .. } | Self::Spent { .. } | Self::Note { .. } => None,
        }
    }
}
