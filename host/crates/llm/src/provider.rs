//! What answers behind the journal: an alias, or one of its targets.

use async_trait::async_trait;
use gristmill_core::model::{ChatFailure, ChatRequest, ChatResponse};
use gristmill_core::ports::Caller;

/// Answers requests and remembers nothing.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Answers a request within its `timeout` or the provider's own. A dropped call stops, but may have been paid for.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ChatFailure>;
}
