//! What jobs leave behind for a later attempt.

use async_trait::async_trait;

use crate::model::{ChatResponse, JobId, Outcome};

/// Names something kept for a job: a digest of what asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub [u8; 32]);

/// What is kept of a job beyond the life of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// What a model answered: paid for.
    Answer(ChatResponse),
    /// What a stage decided: its checkpoint.
    Outcome(Outcome),
}

/// How a job was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Its outputs are in the sink.
    Emitted,
    /// It was filtered.
    Dropped,
    /// It is in the dead letters.
    DeadLettered,
}

/// Why a state store did not do what it was asked. The variants are what the caller does about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It will work again by itself, and nothing it acknowledged is lost: wait and ask again, and settle nothing
    /// meanwhile.
    #[error("the state store {store} does not answer for now: {reason}")]
    Transient {
        /// What the operator calls it.
        store: String,
        /// Why.
        reason: String,
    },
    /// It does not work any more. The flow stops, because going on would acknowledge what is not safe, or pay twice.
    #[error("the state store {store} does not work: {reason}")]
    Broken {
        /// What the operator calls it.
        store: String,
        /// Why, and how to fix it.
        reason: String,
    },
}

/// The memory of jobs, in this process or after a crash: the journal of what was paid, and checkpoints of stages.
#[async_trait]
pub trait Store: Send + Sync {
    /// What is kept under the key, if anything. Cancel-safe.
    async fn recall(&self, job: &JobId, key: Key) -> Result<Option<Kept>, StoreError>;

    /// Keeps it, unless something is kept under the key already: the first one wins, so that two hosts that do the same
    /// work agree on one result. Gives back the earlier one, which the caller must use in place of its own. Once this
    /// returned, what is kept survives the end of the process and of the machine. A dropped call may keep it too.
    async fn keep(&self, job: &JobId, key: Key, kept: &Kept) -> Result<Option<Kept>, StoreError>;

    /// Notes that the job has ended: what is kept of it may be deleted some time after. Does not wait. Without it the
    /// job's things are kept longer, no harm is done.
    ///
    /// # Errors
    /// When the store has failed before: nothing may be acknowledged any more.
    fn ended(&self, job: &JobId, state: JobState) -> Result<(), StoreError>;
}
