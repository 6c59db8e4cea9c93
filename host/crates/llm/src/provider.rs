//! What an alias asks: one target, behind its dialect.

use async_trait::async_trait;
use gristmill_core::model::{ChatFailure, ChatRequest, ChatResponse, Sign};
use gristmill_core::ports::Caller;

/// A call without an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unanswered {
    pub(crate) failure: ChatFailure,
    /// What it says about whose fault it is. `None` if the failure alone tells.
    pub(crate) sign: Option<Sign>,
}

impl From<ChatFailure> for Unanswered {
    /// The sign of most failures. A server that was not even reached is for the provider to tell.
    fn from(failure: ChatFailure) -> Self {
        let sign = match &failure {
            ChatFailure::RateLimited { .. } => Some(Sign::Limited),
            ChatFailure::Unavailable { .. } => Some(Sign::Broken),
            ChatFailure::BudgetExhausted { .. } | ChatFailure::Misconfigured(_) => Some(Sign::Refused),
            // A call that ran out of time may have been paid for, so it is not repeated without end.
            ChatFailure::Timeout(_)
            | ChatFailure::ContextLengthExceeded { .. }
            | ChatFailure::ContentFiltered(_)
            | ChatFailure::InvalidOutput { .. }
            | ChatFailure::InvalidRequest(_)
            | ChatFailure::Denied(_) => None,
        };
        Self { failure, sign }
    }
}

/// Answers requests and remembers nothing.
#[async_trait]
pub(crate) trait Provider: Send + Sync {
    /// Answers a request within its `timeout` or the provider's own. A dropped call stops, but may have been paid for.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, Unanswered>;
}
