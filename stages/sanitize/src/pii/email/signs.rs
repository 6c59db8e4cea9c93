//! What stands for "@" and "." in an address.

use std::ops::Range;

/// How openly an address is written. Only an address that hides its "@" may hide its dots in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    /// `[at]`
    Brackets,
    /// `at`
    Words,
}

/// What stands for an "@", with the spaces around it.
#[derive(Debug, Clone)]
pub(super) struct At {
    pub(super) range: Range<usize>,
    pub(super) style: Style,
}

const ENCODED_AT: [&str; 11] =
    ["%40", "%2540", "=40", "&commat;", "&#64;", "&#x40;", "&#X40;", "&#064;", "&#0064;", "\\u0040", "\\x40"];
const ENCODED_DOT: [&str; 7] = [".", "%2E", "%2e", "&period;", "&#46;", "&#x2e;", "&#x2E;"];
const AT_WORDS: [&str; 6] = ["@", "at", "ät", "arroba", "aet", "собака"];
const DOT_WORDS: [&str; 7] = [".", "dot", "punkt", "point", "punto", "ponto", "точка"];
/// The most bytes of a sign in brackets.
const LONGEST_WORD: usize = 24;
/// The top-level domains that are known where a line breaks before them or everything else is spelled in words.
pub(super) const COMMON: [&str; 22] = [
    "com", "org", "net", "edu", "gov", "info", "biz", "de", "fr", "uk", "es", "it", "nl", "pl", "ch", "at", "eu", "io",
    "ru", "br", "us", "ca",
];

/// Reads the sign that begins at `place`.
pub(super) fn at(text: &str, place: usize) -> Option<At> {
    let rest = &text[place..];
    if let Some(after) = rest.strip_prefix('@') {
        return Some(At { range: place..place + 1 + line_break(after), style: Style::Plain });
    }
    if let Some(sign) = ENCODED_AT.iter().find(|sign| rest.starts_with(**sign)) {
        return Some(At { range: place..place + sign.len(), style: Style::Plain });
    }
    let (length, style) = match bracketed(rest, &AT_WORDS) {
        Some(length) => (length, Style::Brackets),
        // So short that the rest must be beyond doubt.
        None if rest.starts_with("(a)") && text[..place].ends_with(char::is_alphanumeric) => (3, Style::Words),
        None => return None,
    };
    let before = text[..place].len() - text[..place].trim_end_matches(' ').len();
    let after = rest[length..].len() - rest[length..].trim_start_matches(' ').len();
    let range = place - before.min(2)..place + length + after.min(2);
    Some(At { range, style })
}

/// The length of the dot at the start of `rest`.
pub(super) fn dot(rest: &str, style: Style) -> Option<usize> {
    if let Some(sign) = ENCODED_DOT.iter().find(|sign| rest.starts_with(**sign)) {
        let wrap = line_break(&rest[sign.len()..]);
        let after = &rest[sign.len() + wrap..];
        let word = after.bytes().take_while(u8::is_ascii_alphanumeric).count();
        return match wrap {
            0 => Some(sign.len()),
            _ if COMMON.contains(&&after[..word]) => Some(sign.len() + wrap),
            _ => None,
        };
    }
    let bare = rest.trim_start_matches(' ');
    let before = rest.len() - bare.len();
    if before > 2 {
        return None;
    }
    if let Some(length) = bracketed(bare, &DOT_WORDS) {
        let after = bare[length..].len() - bare[length..].trim_start_matches(' ').len();
        return (after <= 2).then_some(before + length + after);
    }
    let spelled = style != Style::Plain && before > 0;
    let word = DOT_WORDS[1..]
        .iter()
        .find(|word| bare.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))?;
    (spelled && bare[word.len()..].starts_with(' ')).then_some(before + word.len() + 1)
}

/// The length of one of the words in brackets.
fn bracketed(rest: &str, words: &[&str]) -> Option<usize> {
    let close = match rest.chars().next()? {
        '(' => ')',
        '[' => ']',
        '{' => '}',
        '<' => '>',
        _ => return None,
    };
    // No further than the longest word with its spaces.
    let rest = &rest[..rest.floor_char_boundary(LONGEST_WORD)];
    let inner = rest[1..].trim_start_matches(' ');
    let length = inner.find(close)?;
    let word = inner[..length].trim_end_matches(' ').to_lowercase();
    words.contains(&word.as_str()).then_some(rest.len() - inner.len() + length + 1)
}

/// The length of a line break within an address, with the "=" of a long line in a message.
fn line_break(rest: &str) -> usize {
    ["\n", "\r\n", "=\n", "=\r\n"].iter().find(|sign| rest.starts_with(**sign)).map_or(0, |sign| sign.len())
}
