//! String literals of JSON.

use std::borrow::Cow;

/// The content of a string literal.
pub(crate) fn decoded(literal: &str) -> Option<Cow<'_, str>> {
    if memchr::memchr(b'\\', literal.as_bytes()).is_none() {
        return literal.get(1..literal.len() - 1).map(Cow::Borrowed);
    }
    serde_json::from_str(literal).ok().map(Cow::Owned)
}

/// The end of the string literal that begins at `start`, after its closing quote.
pub(crate) fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at..]) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}
