//! Why something failed.

use std::fmt;

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable and kebab-case: the `failure_reason` of a dead letter and a metric label.
    pub code: String,
    /// For people; contains no secrets and no document text.
    pub message: String,
    /// Further details as a JSON document.
    pub details: Option<String>,
}

impl Failure {
    /// A failure without details.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), details: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}
