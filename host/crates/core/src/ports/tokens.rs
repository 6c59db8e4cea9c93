//! Counting tokens.

use std::fmt::Debug;

/// Tables by which models split text into tokens. The answers depend on the arguments only.
pub trait Tokens: Debug + Send + Sync {
    /// The names of the encodings there are, such as "o200k_base".
    fn encodings(&self) -> &'static [&'static str];

    /// How many tokens a text has in an encoding; `None` if there is no such encoding. What looks like a special token is
    /// text. Takes time in proportion to the text, and the first count in an encoding that of making its table.
    fn count(&self, encoding: &str, text: &str) -> Option<usize>;
}
