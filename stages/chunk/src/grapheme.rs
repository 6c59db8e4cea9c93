//! Graphemes: what a reader sees as one character is never cut.

use unicode_segmentation::GraphemeCursor;

/// Whether `at` is a grapheme boundary. `start` must be one too; the nearer it is, the faster.
pub(crate) fn is_grapheme_boundary(text: &str, start: usize, at: usize) -> bool {
    let text = &text[start..];
    let at = at - start;
    match text.as_bytes()[..at].last().zip(text.as_bytes().get(at)) {
        // Of ASCII, only this is ever joined.
        Some((before, after)) if before.is_ascii() && after.is_ascii() => (*before, *after) != (b'\r', b'\n'),
        _ => GraphemeCursor::new(at, text.len(), true).is_boundary(text, 0).unwrap_or(false),
    }
}

/// The last grapheme boundary at or before `at`, but never `start`: a first grapheme that is too large stays whole.
/// `start` must be a grapheme boundary.
pub(crate) fn last_whole_grapheme(text: &str, start: usize, at: usize) -> usize {
    if is_grapheme_boundary(text, start, at) && at > start {
        return at;
    }
    let text = &text[start..];
    let before = GraphemeCursor::new(at - start, text.len(), true).prev_boundary(text, 0);
    match before {
        Ok(Some(end)) if end > 0 => start + end,
        _ => start + first_grapheme(text),
    }
}

/// The length of the first grapheme.
fn first_grapheme(text: &str) -> usize {
    match GraphemeCursor::new(0, text.len(), true).next_boundary(text, 0) {
        Ok(Some(end)) => end,
        _ => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAMILY: &str = "👨‍👩‍👧‍👦";

    #[test]
    fn the_last_whole_grapheme_ends_at_or_before_the_position() {
        let text = format!("ab{FAMILY}c");
        let after = 2 + FAMILY.len();
        assert_eq!(last_whole_grapheme(&text, 0, 2), 2);
        assert_eq!(last_whole_grapheme(&text, 0, 6), 2);
        assert_eq!(last_whole_grapheme(&text, 0, after), after);
    }

    #[test]
    fn a_first_grapheme_that_is_too_large_stays_whole() {
        assert_eq!(last_whole_grapheme(&format!("{FAMILY}c"), 0, 4), FAMILY.len());
        assert_eq!(last_whole_grapheme("e\u{301}", 0, 0), 3);
    }

    #[test]
    fn windows_line_endings_and_flags_are_one_grapheme() {
        assert!(!is_grapheme_boundary("a\r\nb", 0, 2));
        let flags = "🇩🇪🇫🇷";
        assert!(!is_grapheme_boundary(flags, 0, 4));
        assert!(is_grapheme_boundary(flags, 0, 8));
    }
}
