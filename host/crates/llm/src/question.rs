//! What a target can be asked for: an answer, or vectors.

use std::time::Duration;

use async_trait::async_trait;
use gristmill_core::model::{ChatRequest, ChatResponse, EmbedRequest, EmbedResponse, Usage};
use gristmill_core::ports::Caller;

use crate::embedding::no_vectors;
use crate::provider::{Provider, Unanswered};

/// A question, whatever it is about.
#[async_trait]
pub(crate) trait Question: Send + Sync {
    /// What answers it.
    type Answer: Send;

    /// Asks a provider, which has this much time.
    async fn put(&self, to: &dyn Provider, caller: &Caller, time: Duration) -> Result<Self::Answer, Unanswered>;

    /// What an answer took.
    fn usage(answer: &Self::Answer) -> Usage;
}

#[async_trait]
impl Question for ChatRequest {
    type Answer = ChatResponse;

    async fn put(&self, to: &dyn Provider, caller: &Caller, time: Duration) -> Result<ChatResponse, Unanswered> {
        to.chat(caller, &Self { timeout: Some(time), ..self.clone() }).await
    }

    fn usage(answer: &ChatResponse) -> Usage {
        answer.usage
    }
}

#[async_trait]
impl Question for EmbedRequest {
    type Answer = EmbedResponse;

    async fn put(&self, to: &dyn Provider, caller: &Caller, time: Duration) -> Result<EmbedResponse, Unanswered> {
        match to.embeds() {
            Some(embeds) => embeds.embed(caller, &Self { timeout: Some(time), ..self.clone() }).await,
            None => Err(no_vectors("this target").into()),
        }
    }

    fn usage(answer: &EmbedResponse) -> Usage {
        answer.usage
    }
}
