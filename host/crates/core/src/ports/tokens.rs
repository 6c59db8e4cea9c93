//! Counting tokens.

use std::fmt::Debug;

/// Tables by which models split text into tokens. The answers depend on the arguments only, and take time in proportion
/// to the text: some tens of milliseconds for 1 MiB.
pub trait Tokens: Debug + Send + Sync {
    /// The names of the encodings there are, such as "o200k_base".
    fn encodings(&self) -> &'static [&'static str];

    /// How many tokens a text has in an encoding; `None` if there is no such encoding. What looks like a special token is
    /// text.
    fn count(&self, encoding: &str, text: &str) -> Option<usize>;

    /// Where each token of the text ends, in bytes, in order. A token may end within a character. `None` if there is no
    /// such encoding.
    fn ends(&self, encoding: &str, text: &str) -> Option<Vec<usize>>;
}
