//! Whether a fallback helps against a failure.

use gristmill_core::model::ChatFailure;

/// Whether the failure is about the target's current state, not the request: another target may succeed.
pub(super) fn passes(failure: &ChatFailure) -> bool {
    match failure {
        ChatFailure::RateLimited { .. } | ChatFailure::Unavailable { .. } | ChatFailure::Timeout(_) => true,
        ChatFailure::ContextLengthExceeded { .. }
        | ChatFailure::ContentFiltered(_)
        | ChatFailure::InvalidOutput { .. }
        | ChatFailure::InvalidRequest(_)
        | ChatFailure::Denied(_)
        | ChatFailure::BudgetExhausted { .. }
        | ChatFailure::Misconfigured(_) => false,
    }
}
