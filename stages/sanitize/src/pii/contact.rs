//! Cards of contacts: `M: 612345678`. One letter says what a number is where another way to reach someone is next to it.

use std::ops::Range;

use super::boundary::is_word;
use super::groups::{Groups, digit_count};
use super::national::Countries;
use super::phone;
use super::words::Label;
use crate::kind::Kind;

/// Telephone, phone, mobile, fax, cell, home, work, direct and office.
const LETTERS: &[u8] = b"TPMFCHWDO";

/// Words for a way to reach someone.
const WAYS: [&str; 18] = [
    "tel",
    "telephone",
    "telefon",
    "phone",
    "mobile",
    "mobil",
    "fax",
    "telefax",
    "mail",
    "email",
    "web",
    "website",
    "www",
    "linkedin",
    "skype",
    "whatsapp",
    "http",
    "https",
];

/// How far from a number to look for another way, in bytes.
const REACH: usize = 160;
/// How many digits a number has without its country.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=12;

/// Reports the numbers in a part of a text; what is around them may be outside of it.
pub(super) fn scan(text: &str, part: Range<usize>, countries: &Countries, report: &mut dyn FnMut(Kind, Range<usize>)) {
    let inner = &text[part.clone()];
    let mut from = 0;
    for colon in memchr::memchr_iter(b':', inner.as_bytes()) {
        let Some(letter) = colon.checked_sub(1).filter(|at| *at >= from) else { continue };
        if !LETTERS.contains(&inner.as_bytes()[letter].to_ascii_uppercase()) {
            continue;
        }
        let rest = &inner[colon + 1..];
        let at = inner.len() - rest.trim_start_matches(' ').len();
        let is_number = inner[at..].starts_with(|c: char| c == '(' || c.is_ascii_digit());
        let opens = !text[..part.start + letter].ends_with(|c| is_word(c) || matches!(c, '-' | '.' | '/' | ':'));
        if !is_number || !opens {
            continue;
        }
        let groups = Groups::read(inner, at);
        let groups = groups.as_slice();
        if !DIGITS.contains(&digit_count(groups)) {
            continue;
        }
        let Some(end) = phone::national_end(inner, at, groups, Some(Label::Phone), countries) else { continue };
        let before = &text[text.floor_char_boundary((part.start + letter).saturating_sub(REACH))..part.start + letter];
        let after = &text[part.start + end..text.floor_char_boundary(part.start + end + REACH)];
        if has_way(before) || has_way(after) {
            report(Kind::Phone, at..end);
            from = end;
        }
    }
}

/// Whether a text next to a number has another way to reach someone.
fn has_way(text: &str) -> bool {
    let has_address = text.match_indices('@').any(|(at, _)| {
        text[..at].ends_with(char::is_alphanumeric) && text[at + 1..].starts_with(char::is_alphanumeric)
    });
    let words = || text.split(|c: char| !c.is_alphanumeric());
    has_address || words().any(|word| WAYS.iter().any(|way| way.eq_ignore_ascii_case(word))) || has_other_letter(text)
}

/// Whether a number with its country or an area stands behind a letter: `T: +49 30 901820`.
fn has_other_letter(text: &str) -> bool {
    text.match_indices(':').any(|(colon, _)| {
        let letter = text[..colon].bytes().last().is_some_and(|byte| LETTERS.contains(&byte));
        let opens = letter && !text[..colon - 1].ends_with(char::is_alphanumeric);
        opens && text[colon + 1..].trim_start_matches(' ').starts_with(['+', '(', '0'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut all = Vec::new();
        scan(text, 0..text.len(), &Countries::default(), &mut |_, range| all.push(&text[range]));
        all
    }

    #[test]
    fn a_letter_counts_next_to_another_way() {
        for text in [
            "Mia Lund\nM: 612345678\nE: mia@example.com",
            "T: +34 912 345 678 | M: 612345678",
            "www.example.com | m: 612345678",
            "Fax 1, D: 612345678.",
        ] {
            assert_eq!(found(text), ["612345678"], "{text}");
        }
        assert_eq!(found("T: 612 345 678, M: 623 456 789, mia@example.com"), ["612 345 678", "623 456 789"]);
    }

    #[test]
    fn a_letter_alone_and_other_numbers_do_not() {
        for text in [
            "M: 612345678",
            "M: 612345678, F: 623456789",
            "size M: 612345678 pieces",
            "HTTP: 612345678 mia@example.com",
            "M: 12 mia@example.com",
            "D: 2024-01-02 mia@example.com",
            "1-M: 612345678 mia@example.com",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
