//! Servers that the caller named instead of having one started.

/// The address in this variable.
pub(crate) fn server(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|address| !address.is_empty())
}

/// Reports that a test is skipped because it would kill the server in this variable.
#[allow(clippy::print_stderr, reason = "a test says that it is skipped")]
pub(crate) fn skip(variable: &str) {
    eprintln!("skipped: this test kills its server, and {variable} names one that is not the test's own");
}
