//! Splits Rust source into tokens.

/// The words, `::` and other symbols of a source text, without comments, string literals and character literals.
pub(super) fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '/' if rest.starts_with("//") => Some(rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => rest.find("*/").map(|end| end + 2),
            '"' => string(rest),
            '\'' => character(rest),
            'r' | 'b' => raw_string(rest),
            _ if first.is_whitespace() => Some(first.len_utf8()),
            _ => None,
        };
        let length = skipped.unwrap_or_else(|| {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = match word {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                word => word,
            };
            tokens.push(&rest[..length]);
            length
        });
        rest = &rest[length..];
    }
    tokens
}

/// The length of the string literal that `text` begins with.
fn string(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The length of the raw string literal that `text` begins with, if it does.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let quote = hashes.trim_start_matches('#');
    let body = quote.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes.len() - quote.len()));
    Some(text.len() - body.len() + body.find(&end)? + end.len())
}

/// The length of the character literal that `text` begins with, if it is one: the quote may also begin a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    match (chars.next()?, chars.next()?) {
        ((_, '\\'), (escaped, _)) => text[escaped + 1..].find('\'').map(|end| escaped + end + 2),
        (_, (end, '\'')) => Some(end + 1),
        _ => None,
    }
}
