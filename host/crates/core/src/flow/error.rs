//! Why a pipeline stopped by itself.

use std::sync::Arc;

use crate::model::JobId;
use crate::ports::{SinkError, SourceError, StoreError};

/// Why a pipeline stopped by itself. Whatever was not settled is delivered again at the next start.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// The source cannot go on.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Outputs cannot be written.
    #[error("the outputs of job {job} cannot be written; nothing of it was committed")]
    Sink {
        /// Whose outputs.
        job: JobId,
        /// Why.
        source: SinkError,
    },
    /// Dead letters cannot be written. Going on would mean to skip the event, so the pipeline stops.
    #[error(
        "job {job} failed and its dead letter cannot be written; its event was not committed and will be redelivered"
    )]
    DeadLetter {
        /// Whose dead letter.
        job: JobId,
        /// Why.
        source: SinkError,
    },
    /// The broker rejects a dead letter for good. Going on would mean to skip the event, so the pipeline stops.
    #[error(
        "job {job} failed and its dead letter is rejected ({reason}); its event was not committed and will be redelivered"
    )]
    DeadLetterRefused {
        /// Whose dead letter.
        job: JobId,
        /// Why.
        reason: String,
    },
    /// Transactions cannot be committed.
    #[error(
        "outputs and offsets cannot be committed in a transaction; the next start resumes at the last committed offsets"
    )]
    Transaction(#[source] anyhow::Error),
    /// The state store is broken.
    #[error("the progress of job {job} cannot be saved or restored; nothing of it was committed")]
    Store {
        /// Whose.
        job: JobId,
        /// Why.
        source: StoreError,
    },
    /// So many jobs fail that the events cannot be at fault.
    #[error(
        "{reason}, so the pipeline stopped by its own policy before it could move its whole topic to the dead letters; fix \
         the cause and start it again, or change max_dead_letter_rate and max_dead_letters_in_a_row under limits"
    )]
    TooManyDeadLetters {
        /// How many.
        reason: String,
    },
    /// The host cannot run a stage, whatever the item.
    #[error("stage {stage} cannot run on this host")]
    Stage {
        /// Which stage.
        stage: Arc<str>,
        /// Why.
        source: anyhow::Error,
    },
    /// A bug in the host.
    #[error("a task of the host panicked")]
    Panic(#[source] tokio::task::JoinError),
}
