//! The part before the "@".

use super::domain::{is_letter, is_unspaced};

/// The longest local part, in bytes, with some room for other scripts.
const LONGEST: usize = 128;

/// Where the local part begins that ends at `end` and not before `from`.
pub(super) fn start(text: &str, from: usize, end: usize) -> Option<usize> {
    let from = from.max(text.floor_char_boundary(end.saturating_sub(LONGEST)));
    let before = &text[from..end];
    let last = before.chars().next_back()?;
    if last == '"' {
        return quoted(before).map(|start| from + start);
    }
    if is_unspaced(last) {
        let rest = before.trim_end_matches(|c: char| is_unspaced(c) || c.is_ascii_digit());
        return Some(from + rest.len());
    }
    let core = run(before, is_core)?;
    let whole = run(before, |c| is_core(c) || is_special(c)).unwrap_or(core);
    let whole = if whole < core && belongs(before, whole, core) { whole } else { core };
    Some(from + whole)
}

/// The start of `"any text"` at the end.
fn quoted(before: &str) -> Option<usize> {
    let open = before[..before.len() - 1].rfind('"')?;
    let inner = &before[open + 1..before.len() - 1];
    let opens = !before[..open].ends_with(is_letter);
    (opens && !inner.is_empty() && !inner.contains('\n')).then_some(open)
}

/// The start of the run of such characters at the end, at its first letter or digit.
fn run(before: &str, belongs: impl Fn(char) -> bool) -> Option<usize> {
    let mut start = None;
    for (at, c) in before.char_indices().rev() {
        if !belongs(c) {
            break;
        }
        if is_letter(c) {
            start = Some(at);
        }
    }

    start
}

fn is_core(c: char) -> bool {
    is_letter(c) || matches!(c, '.' | '%' | '+' | '-' | '\'')
}

/// What RFC 5322 allows beside, and what mostly stands around an address instead.
fn is_special(c: char) -> bool {
    matches!(c, '!' | '#' | '$' | '*' | '/' | '=' | '?' | '^' | '`' | '{' | '|' | '}' | '~' | '&')
}

/// Whether the special characters from `whole` to `core` are part of the address: not those of a URL, a query, a path, a
/// row of fields or Markdown.
fn belongs(before: &str, whole: usize, core: usize) -> bool {
    let part = &before[whole..core];
    let is_url = before[..whole].ends_with('/') || part.contains('?') || part.contains("//");
    let is_query = part.contains('=') && part.contains('&');
    let is_field = part.rsplit_once('=').is_some_and(|(key, value)| {
        !value.contains(is_letter) && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    });
    let is_row = part.contains('|') && !part.contains(['{', '}']);
    let is_markup = part.contains("**") || part.contains('`') || part.ends_with(['*', '~', '^', '&']);
    !(is_url || is_query || is_field || is_row || is_markup)
}
