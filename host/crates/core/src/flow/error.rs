//! Why a pipeline stopped on its own.

use std::sync::Arc;

use crate::model::JobId;
use crate::ports::{SinkError, SourceError, StoreError};

/// Why a pipeline stopped on its own. Whatever was not settled is redelivered at the next start.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// The source cannot continue.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Outputs cannot be written.
    #[error("the outputs of job {job} cannot be written; its event was not committed and will be redelivered")]
    Sink {
        /// The job.
        job: JobId,
        /// The cause.
        source: SinkError,
    },
    /// Dead letters cannot be written. Continuing would skip the event, so the pipeline stops.
    #[error(
        "job {job} failed and its dead letter cannot be written; its event was not committed and will be redelivered"
    )]
    DeadLetter {
        /// The job.
        job: JobId,
        /// The cause.
        source: SinkError,
    },
    /// The broker permanently rejects a dead letter. Continuing would skip the event, so the pipeline stops.
    #[error(
        "job {job} failed and its dead letter is rejected ({reason}); its event was not committed and will be \
         redelivered"
    )]
    DeadLetterRefused {
        /// The job.
        job: JobId,
        /// The broker's reason.
        reason: String,
    },
    /// Transactions cannot be committed.
    #[error(
        "outputs and offsets cannot be committed in a transaction; the next start resumes at the last committed offsets"
    )]
    Transaction(#[source] anyhow::Error),
    /// The state store is broken.
    #[error(
        "the progress of job {job} cannot be saved or restored; its event was not committed and will be redelivered"
    )]
    Store {
        /// The job.
        job: JobId,
        /// The cause.
        source: StoreError,
    },
    /// So many jobs fail that the events are unlikely to be the cause.
    #[error(
        "{reason}, so the pipeline stopped by its own policy before it dead-lettered its whole topic; fix the \
         cause and start it again, or change max_dead_letter_rate and max_dead_letters_in_a_row under limits"
    )]
    TooManyDeadLetters {
        /// How many dead letters there were.
        reason: String,
    },
    /// The host cannot run a stage, regardless of the item.
    #[error("stage {stage} cannot run on this host")]
    Stage {
        /// The stage.
        stage: Arc<str>,
        /// The cause.
        source: anyhow::Error,
    },
    /// A bug in the host.
    #[error("a task of the host panicked")]
    Panic(#[source] tokio::task::JoinError),
}
