//! Why something failed.

use std::fmt;

use super::text;

/// The longest message, in bytes.
const LONGEST_MESSAGE: usize = 4 << 10;
/// The longest details, in bytes. Longer ones are left out, because truncated JSON is invalid.
const LONGEST_DETAILS: usize = 4 << 10;

/// Why something failed. Guests write most of them, so [`Failure::new`] cleans and bounds what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable, at most 64 of a-z, 0-9 and "-": the `failure_reason` of a dead letter and a metric label.
    pub code: String,
    /// For people, one line of at most 4 KiB; contains no secrets and no document text.
    pub message: String,
    /// Further details as a JSON document of at most 4 KiB.
    pub details: Option<String>,
}

impl Failure {
    /// A failure without details.
    #[must_use]
    pub fn new(code: impl AsRef<str>, message: impl AsRef<str>) -> Self {
        let code = text::code(code.as_ref()).into_owned();
        Self { code, message: text::line(message.as_ref(), LONGEST_MESSAGE), details: None }
    }

    /// The failure with details, unless they are too long.
    #[must_use]
    pub fn with_details(self, details: Option<&str>) -> Self {
        let details = details.filter(|details| details.len() <= LONGEST_DETAILS).map(text::printable);
        Self { details, ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_guest_reports_is_one_short_line() {
        let long = "x\n\x1b[31m".repeat(1_000_000);
        let failure = Failure::new(&long, &long).with_details(Some(&long));
        assert_eq!((failure.code.len(), failure.details.clone()), (64, None));
        let shown = failure.to_string();
        assert!(shown.len() < 20_000 && !shown.contains(char::is_control), "{} bytes", shown.len());
        let details = Failure::new("c", "m").with_details(Some("{\n}")).details;
        assert_eq!(details.as_deref(), Some("{ }"));
    }
}
