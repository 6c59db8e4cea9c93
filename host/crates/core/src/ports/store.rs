//! What jobs keep for a later attempt.

use async_trait::async_trait;

use crate::model::{ChatResponse, Embedding, HttpResponse, JobId, Outcome};

/// Identifies something kept for a job: a digest of the request that produced it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub [u8; 32]);

/// What is kept for a job after the process has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// A model's answer, which was paid for.
    Answer(ChatResponse),
    /// The vector of one text, which was paid for.
    Embedding(Embedding),
    /// What a service answered to a call that must not be made twice.
    Http(HttpResponse),
    /// A stage's outcome: its checkpoint.
    Outcome(Outcome),
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Its outputs are in the sink.
    Emitted,
    /// It was filtered out.
    Dropped,
    /// It is in the dead letters.
    DeadLettered,
}

/// Why a state store failed. Each variant stands for how the caller reacts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It will recover on its own, and nothing it acknowledged is lost. Wait and ask again, and settle nothing in the
    /// meantime.
    #[error("the state store {store} does not answer for now: {reason}")]
    Transient {
        /// What the operator calls it.
        store: String,
        /// The reason.
        reason: String,
    },
    /// It no longer works. The flow stops, because continuing would acknowledge what is not safe, or pay twice.
    #[error("the state store {store} does not work: {reason}")]
    Broken {
        /// What the operator calls it.
        store: String,
        /// The reason, and how to fix it.
        reason: String,
    },
}

/// A value that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// The job that it is kept of.
    pub job: JobId,
    /// Under this key.
    pub key: Key,
    /// The value.
    pub kept: Kept,
}

/// What is remembered of jobs, within this process or after a crash: the journal of paid answers and the checkpoints
/// of stages.
#[async_trait]
pub trait Store: Send + Sync {
    /// Returns what is kept under the key, if anything. Cancel-safe.
    async fn recall(&self, job: &JobId, key: Key) -> Result<Option<Kept>, StoreError>;

    /// The keys under which something is kept of each of these jobs, in their order: an empty list for a new job, 32 bytes
    /// for each value otherwise. Cancel-safe.
    async fn keys(&self, jobs: &[JobId]) -> Result<Vec<Vec<Key>>, StoreError>;

    /// Keeps each of these values, in one write, unless one is already kept under its key: the first one wins, so that two
    /// hosts doing the same work agree on one result. Returns the earlier value for each, in order, which the caller must
    /// use instead of its own. Once this has returned, the kept values survive a crash of the process or the machine. After
    /// an error, and after a dropped call, some of them might be kept.
    async fn keep_all(&self, new: &[Keep]) -> Result<Vec<Option<Kept>>, StoreError>;

    /// Notes that the job has ended: what is kept for it may be deleted some time later. Does not wait. If this is
    /// never called, the job's data is kept longer, which does no harm.
    ///
    /// # Errors
    /// If the store has already failed: nothing may be acknowledged any more.
    fn ended(&self, job: &JobId, state: JobState) -> Result<(), StoreError>;
}

/// Keeps one value at a time.
pub trait KeepOne: Store {
    /// Keeps a value as [`Store::keep_all`] does. Returns the earlier value, if there is one.
    fn keep(
        &self,
        job: &JobId,
        key: Key,
        kept: &Kept,
    ) -> impl Future<Output = Result<Option<Kept>, StoreError>> + Send {
        let new = Keep { job: job.clone(), key, kept: kept.clone() };
        async move { Ok(self.keep_all(&[new]).await?.into_iter().next().flatten()) }
    }
}

impl<S: Store + ?Sized> KeepOne for S {}
