//! The names of failures, and whether a fallback helps against them.

use gristmill_core::model::ChatFailure;

/// The failure's stable name in logs.
pub(super) fn kind(failure: &ChatFailure) -> &'static str {
    match failure {
        ChatFailure::RateLimited { .. } => "rate-limited",
        ChatFailure::Unavailable { .. } => "unavailable",
        ChatFailure::Timeout(_) => "timeout",
        ChatFailure::ContextLengthExceeded(_) => "context-length-exceeded",
        ChatFailure::ContentFiltered(_) => "content-filtered",
        ChatFailure::InvalidOutput { .. } => "invalid-output",
        ChatFailure::InvalidRequest(_) => "invalid-request",
        ChatFailure::Denied(_) => "denied",
        ChatFailure::BudgetExhausted(_) => "budget-exhausted",
        ChatFailure::Misconfigured(_) => "misconfigured",
    }
}

/// Whether the failure is about the target's current state, not the request: another target may succeed.
pub(super) fn passes(failure: &ChatFailure) -> bool {
    match failure {
        ChatFailure::RateLimited { .. } | ChatFailure::Unavailable { .. } | ChatFailure::Timeout(_) => true,
        ChatFailure::ContextLengthExceeded(_)
        | ChatFailure::ContentFiltered(_)
        | ChatFailure::InvalidOutput { .. }
        | ChatFailure::InvalidRequest(_)
        | ChatFailure::Denied(_)
        | ChatFailure::BudgetExhausted(_)
        | ChatFailure::Misconfigured(_) => false,
    }
}
