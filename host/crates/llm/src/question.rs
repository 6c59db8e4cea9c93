//! What a target can be asked for: an answer, or vectors.

use std::time::Duration;

use async_trait::async_trait;
use gristmill_core::model::{ChatRequest, ChatResponse, EmbedRequest, EmbedResponse, Usage};
use gristmill_core::ports::{Caller, Exchange, Keys};

use crate::answered::{Answered, Unanswered};
use crate::embedding::no_vectors;
use crate::load;
use crate::provider::Provider;

/// A question, whatever it is about.
#[async_trait]
pub(crate) trait Question: Send + Sync {
    /// What answers it.
    type Answer: Send;

    /// The question with its answer, as observers see them.
    fn exchange<'a>(&'a self, answer: Option<&'a Self::Answer>, keys: Keys<'a>) -> Exchange<'a>;

    /// Asks a provider, which has this much time.
    async fn put(
        &self,
        to: &dyn Provider,
        caller: &Caller,
        time: Duration,
    ) -> Result<Answered<Self::Answer>, Unanswered>;

    /// Its text, in bytes.
    fn size(&self) -> usize;

    /// The most tokens that its answer may have, if it says so.
    fn most_output(&self) -> Option<u32>;

    /// What an answer took.
    fn usage(answer: &Self::Answer) -> Usage;

    /// The same, to add to it.
    fn usage_mut(answer: &mut Self::Answer) -> &mut Usage;
}

#[async_trait]
impl Question for ChatRequest {
    type Answer = ChatResponse;

    fn exchange<'a>(&'a self, answer: Option<&'a ChatResponse>, keys: Keys<'a>) -> Exchange<'a> {
        Exchange::Chat { request: self, response: answer, keys }
    }

    async fn put(
        &self,
        to: &dyn Provider,
        caller: &Caller,
        time: Duration,
    ) -> Result<Answered<ChatResponse>, Unanswered> {
        to.chat(caller, &Self { timeout: Some(time), ..self.clone() }).await
    }

    fn size(&self) -> usize {
        load::size(self)
    }

    fn most_output(&self) -> Option<u32> {
        self.max_output_tokens
    }

    fn usage(answer: &ChatResponse) -> Usage {
        answer.usage
    }

    fn usage_mut(answer: &mut ChatResponse) -> &mut Usage {
        &mut answer.usage
    }
}

#[async_trait]
impl Question for EmbedRequest {
    type Answer = EmbedResponse;

    fn exchange<'a>(&'a self, _: Option<&'a EmbedResponse>, _: Keys<'a>) -> Exchange<'a> {
        Exchange::Embed { request: self }
    }

    async fn put(
        &self,
        to: &dyn Provider,
        caller: &Caller,
        time: Duration,
    ) -> Result<Answered<EmbedResponse>, Unanswered> {
        match to.embeds() {
            Some(embeds) => embeds.embed(caller, &Self { timeout: Some(time), ..self.clone() }).await,
            None => Err(no_vectors("this target").into()),
        }
    }

    fn size(&self) -> usize {
        self.inputs.iter().map(|text| text.len()).sum()
    }

    fn most_output(&self) -> Option<u32> {
        Some(0)
    }

    fn usage(answer: &EmbedResponse) -> Usage {
        answer.usage
    }

    fn usage_mut(answer: &mut EmbedResponse) -> &mut Usage {
        &mut answer.usage
    }
}
