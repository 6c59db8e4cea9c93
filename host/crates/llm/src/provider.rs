//! Who answers behind the journal: an alias, or one target of it.

use async_trait::async_trait;
use gristmill_core::model::{ChatFailure, ChatRequest, ChatResponse};
use gristmill_core::ports::Caller;

/// Answers requests, without any memory.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Answers a request within its `timeout` or the provider's own. A dropped call is given up, but may have been paid.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ChatFailure>;
}
