//! Whether a fallback helps against a failure.

use gristmill_core::model::{BudgetScope, ChatFailure};

/// Whether another target may succeed: this one is busy, away or too slow, has no money, turns the key or the model away,
/// or is too small. Never for what a provider's filter or the model refused: a fallback must not be the way around that.
pub(super) fn passes(failure: &ChatFailure) -> bool {
    match failure {
        ChatFailure::RateLimited { .. }
        | ChatFailure::Unavailable { .. }
        | ChatFailure::Timeout(_)
        | ChatFailure::ContextLengthExceeded { .. }
        | ChatFailure::BudgetExhausted { scope: BudgetScope::Account, .. }
        | ChatFailure::Misconfigured(_) => true,
        ChatFailure::ContentFiltered(_)
        | ChatFailure::InvalidOutput { .. }
        | ChatFailure::InvalidRequest(_)
        | ChatFailure::Denied(_)
        | ChatFailure::BudgetExhausted { .. } => false,
    }
}

/// Whether the target turns everybody away until somebody acts: no money, a wrong key, no such model.
pub(super) fn turns_away(failure: &ChatFailure) -> bool {
    matches!(failure, ChatFailure::BudgetExhausted { scope: BudgetScope::Account, .. } | ChatFailure::Misconfigured(_))
}
