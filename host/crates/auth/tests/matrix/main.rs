//! Tokens, good and bad: each row says what is wrong with one, and the exact answer.

mod claims;
mod form;
mod issuer;
mod tokens;
