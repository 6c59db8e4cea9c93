//! Why a stage gave no outcome, and what the errors of other things become.

use std::fmt;
use std::str::Utf8Error;

use crate::bindings::gristmill::stage::types;
use crate::llm::{Budget, BudgetScope};
use crate::prompt::TemplateError;
use crate::{Failure, Outcome, Retry, json, llm, tokens};

/// Why a stage could not decide about an item. Each variant stands for what the host does next.
///
/// Errors of models, of token counts and of templates become one by `?`, each the variant that fits:
///
/// ```
/// use gristmill_sdk::{Item, Outcome, Output, StageError, llm};
///
/// fn summarise(item: &Item) -> Result<Outcome, StageError> {
///     let summary = llm::chat("smart").system("Summarise in one sentence.").user(item.utf8()?).ask()?;
///     Ok(Outcome::one(Output::from(item).payload(summary)))
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum StageError {
    /// The data is bad and no retry will help. The same as returning [`Outcome::Reject`], for use with `?`.
    Reject(Failure),
    /// A transient failure of this item: it is tried again, as often as the pipeline's retry policy says.
    Retryable(Retry),
    /// A transient failure that other items will meet too: the pipeline slows down, then this item is tried again, which does
    /// not count as an attempt.
    RateLimited(Retry),
    /// It will fail the same way every time.
    Permanent(Failure),
}

impl StageError {
    /// The data is bad. `code` is stable and kebab-case; the message may reach logs and the dead-letter topic.
    #[must_use]
    pub fn reject(code: &str, message: impl Into<String>) -> Self {
        Self::Reject(Failure::new(code, message))
    }

    /// A failure that will be the same on every attempt.
    #[must_use]
    pub fn permanent(code: &str, message: impl Into<String>) -> Self {
        Self::Permanent(Failure::new(code, message))
    }

    /// A transient failure of this item; the host retries after at least `after` milliseconds, or its own backoff.
    #[must_use]
    pub fn retryable(code: &str, message: impl Into<String>, after: Option<u64>) -> Self {
        Self::Retryable(Retry { cause: Failure::new(code, message), after })
    }

    /// A transient failure that other items will meet too: the host slows the whole pipeline down.
    #[must_use]
    pub fn rate_limited(code: &str, message: impl Into<String>, after: Option<u64>) -> Self {
        Self::RateLimited(Retry { cause: Failure::new(code, message), after })
    }

    /// What failed.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        match self {
            Self::Reject(failure) | Self::Permanent(failure) => failure,
            Self::Retryable(retry) | Self::RateLimited(retry) => &retry.cause,
        }
    }
}

impl fmt::Display for StageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { code, message, .. } = self.failure();
        write!(f, "{code}: {message}")
    }
}

impl std::error::Error for StageError {}

/// What the host is told: a rejection is an outcome in the contract.
#[doc(hidden)]
pub fn to_host(result: Result<Outcome, StageError>) -> Result<Outcome, types::StageError> {
    result.or_else(|error| match error {
        StageError::Reject(failure) => Ok(Outcome::Reject(failure)),
        StageError::Retryable(retry) => Err(types::StageError::Retryable(retry)),
        StageError::RateLimited(retry) => Err(types::StageError::RateLimited(retry)),
        StageError::Permanent(failure) => Err(types::StageError::Permanent(failure)),
    })
}

impl From<llm::Error> for StageError {
    /// Converts each case as `llm-types.error` documents it.
    fn from(error: llm::Error) -> Self {
        match error {
            llm::Error::RateLimited(busy) => Self::rate_limited("llm-rate-limited", busy.message, busy.retry_after),
            llm::Error::BudgetExhausted(Budget { scope: BudgetScope::Job, message }) => {
                Self::permanent("llm-budget-exhausted", message)
            }
            llm::Error::BudgetExhausted(Budget { message, .. }) => {
                Self::rate_limited("llm-budget-exhausted", message, None)
            }
            llm::Error::Unavailable(busy) => Self::retryable("llm-unavailable", busy.message, busy.retry_after),
            llm::Error::Timeout(message) => Self::retryable("llm-timeout", message, None),
            llm::Error::Misconfigured(message) => Self::rate_limited("llm-misconfigured", message, None),
            llm::Error::Other(message) => Self::retryable("llm-failed", message, None),
            llm::Error::ContextLengthExceeded(long) => Self::permanent("llm-context-length-exceeded", long.message),
            llm::Error::ContentFiltered(message) => Self::permanent("llm-content-filtered", message),
            llm::Error::InvalidOutput(bad) => Self::permanent("llm-invalid-output", bad.problems.join("; ")),
            llm::Error::InvalidRequest(message) => Self::permanent("llm-invalid-request", message),
            llm::Error::Denied(message) => Self::permanent("llm-denied", message),
        }
    }
}

impl From<tokens::Error> for StageError {
    /// Permanent: the encoding stays unknown and the text stays too long.
    fn from(error: tokens::Error) -> Self {
        Self::permanent("tokens-not-counted", tokens::reason(&error))
    }
}

impl From<TemplateError> for StageError {
    /// Permanent: the template stays as it is.
    fn from(error: TemplateError) -> Self {
        Self::permanent("bad-template", error.to_string())
    }
}

impl From<serde_json::Error> for StageError {
    /// Permanent, without the words of the data. What is wrong with an item's own payload is a rejection:
    /// [`Item::json`](crate::Item::json).
    fn from(error: serde_json::Error) -> Self {
        Self::permanent("invalid-json", json::reason(&error))
    }
}

impl From<Utf8Error> for StageError {
    /// Permanent. What is wrong with an item's own payload is a rejection: [`Item::utf8`](crate::Item::utf8).
    fn from(error: Utf8Error) -> Self {
        Self::permanent("not-utf8", format!("not UTF-8 after {} bytes", error.valid_up_to()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_budget_of_the_job_is_the_items_own() {
        for (scope, pauses) in [
            (BudgetScope::Job, false),
            (BudgetScope::Stage, true),
            (BudgetScope::Pipeline, true),
            (BudgetScope::Day, true),
            (BudgetScope::Account, true),
        ] {
            let error: StageError = llm::Error::BudgetExhausted(Budget { scope, message: String::new() }).into();
            assert_eq!(matches!(error, StageError::RateLimited(_)), pauses, "{scope:?}");
            assert_eq!(matches!(error, StageError::Permanent(_)), !pauses, "{scope:?}");
        }
    }

    #[test]
    fn a_rejection_is_an_outcome_for_the_host() {
        let told = to_host(Err(StageError::reject("empty", "there is no text")));
        assert_eq!(told, Ok(Outcome::reject("empty", "there is no text")));
        let told = to_host(Err(StageError::permanent("broken", "always")));
        assert_eq!(told, Err(types::StageError::Permanent(Failure::new("broken", "always"))));
    }
}
