//! What becomes of one call of one target.

use gristmill_core::model::{ChatFailure, Sign};

use crate::room::Room;

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

/// An answer, and what the provider says beside it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answered<A> {
    pub(crate) response: A,
    /// What is left of its limits.
    pub(crate) room: Room,
    /// The model that answered, as the server names it, if it was looked for.
    pub(crate) model: Option<String>,
}

impl<A> From<A> for Answered<A> {
    /// The answer of a provider that says nothing beside it.
    fn from(response: A) -> Self {
        Self { response, room: Room::default(), model: None }
    }
}
