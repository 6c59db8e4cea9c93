//! Language models, and models that make vectors of texts.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Edition, StoreError};
use crate::model::{
    Blame, ChatFailure, ChatRequest, ChatResponse, EmbedRequest, EmbedResponse, JobId, Portion, TraceContext,
};

/// Who calls a model: for limits, logs, traces and the journal of paid answers.
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
    /// The span that the call is made in, passed on to the provider: that of the stage's attempt.
    pub trace: TraceContext,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelError {
    /// The model gave no answer. The stage decides what to do.
    Chat {
        /// Why.
        failure: ChatFailure,
        /// Whose fault that is, as far as what others get leaves it open. `None` if the failure alone tells.
        blame: Option<Blame>,
    },
    /// The answer could not be recalled or kept. Ask again when the store answers: a paid answer is not paid for again.
    /// Never reported to a stage.
    Store(StoreError),
}

impl From<ChatFailure> for ModelError {
    fn from(failure: ChatFailure) -> Self {
        Self::Chat { failure, blame: None }
    }
}

impl From<StoreError> for ModelError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The models of a pipeline, by alias, as stages ask them.
#[async_trait]
pub trait Model: Send + Sync {
    /// Answers a request within its `timeout` or the model's own. A dropped call is abandoned, but might have been paid
    /// for.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError>;

    /// Makes the vectors of texts, within the request's `timeout` or the model's own. All vectors of an alias are of one
    /// model, whichever target answers: those of two models must not be in one index. A dropped call is abandoned, but
    /// might have been paid for.
    async fn embed(&self, caller: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError>;
}

#[async_trait]
impl<M: Model + ?Sized> Model for Arc<M> {
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        (**self).chat(caller, request).await
    }

    async fn embed(&self, caller: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        (**self).embed(caller, request).await
    }
}

/// The models of a pipeline, as the flow knows them: it asks none, but tells them what changes for all of them. Both return at
/// once.
pub trait Models: Send + Sync {
    /// Forgets a job: its answers will not be needed again.
    fn forget(&self, job: &JobId);

    /// How much of its group's work this pipeline does here from now on: limits of a provider are divided by it. Without a
    /// call the whole.
    fn share(&self, portion: Portion);
}
