//! Text that others wrote, made safe to show. Everything that a guest says of itself or of a failure passes here.

use std::borrow::Cow;

/// The longest code of a failure, in bytes.
const LONGEST_CODE: usize = 64;

/// The text on one line, without characters that a terminal would act on: line breaks become spaces, and control
/// characters and those that change the direction of writing become the replacement character. Tabs are kept.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '\t' => '\t',
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => ' ',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
            char if char.is_control() => char::REPLACEMENT_CHARACTER,
            char => char,
        })
        .collect()
}

/// [`printable`], and at most `most` bytes of the text; a longer one ends in "…".
#[must_use]
pub fn line(text: &str, most: usize) -> String {
    let kept = &text[..text.floor_char_boundary(most)];
    let mut line = printable(kept);
    if kept.len() < text.len() {
        line.push('…');
    }
    line
}

/// The text as a code: 1 to 64 of a-z, 0-9 and "-", as a metric label or a `failure_reason` must be. Capital letters
/// become small ones, and any other character a "-".
#[must_use]
pub fn code(text: &str) -> Cow<'_, str> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=LONGEST_CODE).contains(&text.len()) && text.bytes().all(legal) {
        return Cow::Borrowed(text);
    }
    let clean = |char: char| match char.to_ascii_lowercase() {
        char @ ('a'..='z' | '0'..='9') => char,
        _ => '-',
    };
    match text.chars().take(LONGEST_CODE).map(clean).collect::<String>() {
        code if code.is_empty() => Cow::Borrowed("unnamed"),
        code => Cow::Owned(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing() {
        assert_eq!(printable("a\tb\x1b[2Jc\nd\u{9b}e"), "a\tb\u{fffd}[2Jc d\u{fffd}e");
        assert_eq!(printable("a\u{2028}b\u{202e}c\u{2066}d"), "a b\u{fffd}c\u{fffd}d");
    }

    #[test]
    fn a_line_is_cut_between_characters_and_says_so() {
        assert_eq!(line("äöü", 6), "äöü");
        assert_eq!(line("äöü", 5), "äö…");
        assert_eq!(line("one\ntwo", 5), "one t…");
        assert!(line(&"x".repeat(10_000_000), 512).len() < 520);
    }

    #[test]
    fn a_code_is_a_label_whatever_was_written() {
        assert_eq!(code("pdf-no-text"), "pdf-no-text");
        assert_eq!(code("PDF_Encrypted: \n1"), "pdf-encrypted---1");
        assert_eq!(code(""), "unnamed");
        assert_eq!(code("äö"), "--");
        assert_eq!(code(&"x".repeat(6_300_000)).len(), 64);
    }
}
