//! What an alias asks: one target, behind its API.

use std::sync::Arc;

use async_trait::async_trait;
use gristmill_core::model::{ChatFailure, ChatRequest, ChatResponse};
use gristmill_core::ports::Caller;
use serde_json::Value;

use crate::answered::{Answered, Unanswered};
use crate::embedding::{Embedder, Embeds};
use crate::headers::Sent;
use crate::quote::Quote;
use crate::room::Room;
use crate::server::{Question, Reply, Server};
use crate::status::{self, Asked};
use crate::stream::Gathering;

/// Answers requests and remembers nothing.
#[async_trait]
pub(crate) trait Provider: Send + Sync {
    /// Answers a request within its `timeout` or the provider's own. A dropped call stops, but may have been paid for.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<Answered<ChatResponse>, Unanswered>;

    /// The headers that were sent last, with the secrets in them, if there are any.
    fn sent(&self) -> Option<Arc<Sent>> {
        None
    }

    /// What makes vectors here, if anything does.
    fn embeds(&self) -> Option<&dyn Embeds> {
        None
    }
}

/// The API of a model server: how a request becomes a body, and a reply an answer. Pure.
pub(crate) trait Api: Send + Sync {
    /// The body of a request, or why it cannot be asked here.
    fn encode(&self, request: &ChatRequest) -> Result<Value, ChatFailure>;

    /// What puts the answer together, should it come as a stream, whether or not one was asked for.
    fn gathering(&self) -> Gathering;

    /// The answer in a reply to this request; `target` names its sender in messages and in the answer.
    fn decode(
        &self,
        target: &str,
        request: &ChatRequest,
        reply: &Reply,
        quote: &Quote<'_>,
    ) -> Result<ChatResponse, Unanswered>;

    /// What the operator asked for that not every server with this API takes. A refusal of it is not the request's fault.
    fn asked(&self) -> Vec<Asked>;
}

/// A model server that is asked over HTTP. Asks once per call: retries are up to the flow.
pub(crate) struct Http<A> {
    pub(crate) server: Server,
    pub(crate) api: A,
    /// What makes vectors there, if it can.
    pub(crate) embedder: Option<Embedder>,
}

#[async_trait]
impl<A: Api> Provider for Http<A> {
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<Answered<ChatResponse>, Unanswered> {
        let body = self.api.encode(request)?.to_string();
        let question = Question { timeout: request.timeout, body, gathering: self.api.gathering() };
        let sent = self.server.sent().await;
        let reply = self.server.ask(caller, &sent, question).await?;
        let quote = Quote { key: sent.secrets.as_ref(), request };
        let response = match self.api.decode(self.server.name(), request, &reply, &quote) {
            Err(Unanswered { failure: failure @ ChatFailure::InvalidRequest(_), .. }) => {
                return Err(status::of_settings(failure, reply.text(), &self.api.asked()).into());
            }
            decoded => decoded.map_err(|unanswered| self.server.unanswered(&reply, unanswered))?,
        };
        let model = if caller.trace.is_sampled() { reply.model(&quote) } else { None };
        Ok(Answered { response, room: Room::read(&reply.headers), model })
    }

    fn sent(&self) -> Option<Arc<Sent>> {
        Some(self.server.last_sent())
    }

    fn embeds(&self) -> Option<&dyn Embeds> {
        self.embedder.as_ref().map(|embedder| embedder as &dyn Embeds)
    }
}
