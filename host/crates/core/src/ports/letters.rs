//! The dead letters of a pipeline, read back one by one: the proof of a replay.

use async_trait::async_trait;

use crate::model::{Event, EventId};

/// Why a dead letter could not be looked up. It will be possible later: wait and ask again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the dead letters cannot be read for now: {reason}")]
pub struct LettersError {
    /// The reason.
    pub reason: String,
}

/// The dead letters of a pipeline.
#[async_trait]
pub trait Letters: Send + Sync {
    /// The record at this place; `None` if there is none, if it is gone, or if we may not read it. Bounded in time.
    /// Cancel-safe. The record has no generation.
    async fn find(&self, place: &EventId) -> Result<Option<Event>, LettersError>;
}

/// Where dead letters cannot be read back: no event is a replay.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLetters;

#[async_trait]
impl Letters for NoLetters {
    async fn find(&self, _: &EventId) -> Result<Option<Event>, LettersError> {
        Ok(None)
    }
}
