//! What a fallback does about a failure.

use gristmill_core::model::ChatFailure;

/// Whether it says nothing about the request, only about the target at this moment: another one may do better.
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
