//! Payloads that are too large for a record.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::model::{ObjectName, StoredPayload, Timestamp};

/// Bytes as they come.
pub type Chunks = BoxStream<'static, Result<Bytes, std::io::Error>>;

/// Why there is no object.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// It is not there: never written, or too old.
    #[error("the object {name} is not there; objects are deleted after objects.keep")]
    Missing {
        /// Its name.
        name: String,
    },
    /// It is not what its reference says.
    #[error("the object {name} is not the one that was stored: {difference}")]
    Other {
        /// Its name.
        name: String,
        /// In what: size or digest.
        difference: &'static str,
    },
    /// The bytes to be stored are more than they may be.
    #[error("more than {most} bytes")]
    TooLarge {
        /// The bound.
        most: u64,
    },
    /// The bytes to be stored stopped coming.
    #[error("the bytes stopped coming")]
    Source(#[source] std::io::Error),
    /// The store does not answer for now. Ask again.
    #[error("the object store does not answer for now: {reason}")]
    Transient {
        /// The reason.
        reason: String,
    },
    /// It does not let us.
    #[error("the object store refuses: {reason}")]
    Refused {
        /// The reason, and how to fix it.
        reason: String,
    },
}

/// Where large payloads are kept. Constant memory: some MiB for each call, however large the object.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Stores an object; one of that name is replaced. It is there, synced, when this returns, and not before: readers see it
    /// whole or not at all. A dropped call leaves nothing that is not swept.
    async fn put(&self, name: ObjectName, bytes: Chunks, most: u64) -> Result<StoredPayload, ObjectError>;

    /// The bytes of an object. The size is compared at once, the digest at the end: the last item of the stream is an error if it
    /// differs.
    async fn get(&self, stored: &StoredPayload) -> Result<Chunks, ObjectError>;

    /// Deletes what was stored before this moment, and what broken uploads left. Returns how many. May be repeated, and run
    /// on several hosts at the same time.
    async fn sweep(&self, before: Timestamp) -> Result<u64, ObjectError>;
}
