//! A language model.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Edition, StoreError};
use crate::model::{ChatFailure, ChatRequest, ChatResponse, JobId, TraceContext};

/// Who asks a model: for limits, logs, traces and the memory of what was paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The job.
    pub job: JobId,
    /// The stage.
    pub stage: Arc<str>,
    /// The item, as text.
    pub item: Arc<str>,
    /// How many equal requests this call of the stage has made before this one.
    pub repeat: u32,
    /// How often the job was restarted from some stage.
    pub edition: Edition,
    /// The trace that the job belongs to; handed on to the provider.
    pub trace: TraceContext,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelError {
    /// The model gave none: the stage decides what becomes of it.
    Chat(ChatFailure),
    /// The answer could not be recalled or kept. What was paid already is not paid again: ask again when the store
    /// answers. Never told to a stage.
    Store(StoreError),
}

impl From<ChatFailure> for ModelError {
    fn from(failure: ChatFailure) -> Self {
        Self::Chat(failure)
    }
}

impl From<StoreError> for ModelError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The models of a pipeline, by alias, with the memory of what was paid.
#[async_trait]
pub trait Model: Send + Sync {
    /// Answers a request within its `timeout` or the model's own. A dropped call is given up, but may have been paid.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError>;

    /// Ends the memory of a job: its answers will not be asked for again.
    fn forget(&self, _job: &JobId) {}
}
