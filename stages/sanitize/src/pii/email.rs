//! E-mail addresses, including those with "%40" for "@", as in a query string.

use std::ops::Range;

use super::boundary::is_word;
use crate::kind::Kind;
use crate::sweep::Sweep;

/// Reports the addresses. Every "@" is a candidate: the text to its left and right is read as far as it fits.
pub(super) fn scan(text: &str, report: &mut dyn FnMut(Kind, Range<usize>)) {
    let bytes = text.as_bytes();
    let mut from = 0;
    for at in Sweep::new(bytes, |eight| eight.equal(b'@').or(eight.equal(b'%'))) {
        if at < from {
            continue;
        }
        let domain = match &bytes[at..] {
            [b'@', ..] => at + 1,
            [b'%', b'4', b'0', ..] => at + 3,
            _ => continue,
        };
        let Some(end) = domain_end(text, domain) else { continue };
        let start = from + local_start(&text[from..at]);
        if start < at && !is_scaled_image(&text[domain..end]) {
            report(Kind::Email, start..end);
            from = end;
        }
    }
}

/// Where the part before the "@" begins; the length of the text if there is none.
fn local_start(before: &str) -> usize {
    let is_local = |c: char| is_word(c) || matches!(c, '.' | '%' | '+' | '-' | '\'');
    let mut start = before.len();
    for (at, c) in before.char_indices().rev() {
        if !is_local(c) {
            break;
        }
        if is_word(c) {
            start = at;
        }
    }
    start
}

/// The end of the longest domain name that begins at `start`: labels separated by dots, the last one all letters.
fn domain_end(text: &str, start: usize) -> Option<usize> {
    let mut end = None;
    let mut label_start = start;
    loop {
        let rest = &text[label_start..];
        let label = &rest[..label_length(rest)];
        if label.is_empty() || label.starts_with('-') {
            return end;
        }
        if label_start > start {
            end = top_level(label).map(|length| label_start + length).or(end);
        }
        label_start += label.len();
        if label.ends_with('-') || !text[label_start..].starts_with('.') {
            return end;
        }
        label_start += 1;
    }
}

/// The length of the label at the start of `rest`. Few labels have anything but ASCII.
fn label_length(rest: &str) -> usize {
    let ascii = rest.bytes().take_while(|byte| byte.is_ascii() && is_label(char::from(*byte))).count();
    match rest.as_bytes().get(ascii) {
        Some(byte) if !byte.is_ascii() => ascii + rest[ascii..].find(|c| !is_label(c)).unwrap_or(rest.len() - ascii),
        _ => ascii,
    }
}

fn is_label(c: char) -> bool {
    c == '-' || (is_word(c) && c != '_')
}

/// The length of the top-level domain that a label is or begins with, as in `com-like`.
fn top_level(label: &str) -> Option<usize> {
    if label.starts_with("xn--") {
        return Some(label.trim_end_matches('-').len());
    }
    let letters = label.split('-').next().unwrap_or_default();
    let fits = letters.chars().nth(1).is_some() && letters.chars().all(char::is_alphabetic);
    fits.then_some(letters.len())
}

/// Whether the match is a file name such as `icon@2x.png`.
fn is_scaled_image(domain: &str) -> bool {
    let bytes = domain.as_bytes();
    bytes.len() > 3 && bytes[0].is_ascii_digit() && bytes[1] == b'x' && bytes[2] == b'.'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut all = Vec::new();
        scan(text, &mut |_, range| all.push(&text[range]));
        all
    }

    #[test]
    fn addresses_are_found_in_all_forms() {
        for address in [
            "info@presidio.site",
            "first.last+tag@mail.example.co.uk",
            "o'brien@example.ie",
            "x_y-z%n@sub-domain.example.museum",
            "4711@example.com",
            "müller@bücher.example",
            "почта@пример.рф",
            "joe@xn--bcher-kva.xn--p1ai",
            "joe%40example.com",
            "JOE@EXAMPLE.COM",
        ] {
            assert_eq!(found(address), [address]);
            assert_eq!(found(&format!("to <{address}>, or {address}.")), [address, address]);
        }
    }

    #[test]
    fn the_text_around_an_address_is_not_part_of_it() {
        assert_eq!(found("mailto:joe@example.com?subject=x"), ["joe@example.com"]);
        assert_eq!(found("email='joe@example.com'"), ["joe@example.com"]);
        assert_eq!(found("..joe@example.com..."), ["joe@example.com"]);
        assert_eq!(found("joe@example.com-or-so"), ["joe@example.com"]);
        assert_eq!(found("joe@example.com_x"), ["joe@example.com"]);
        assert_eq!(found("请联系joe@example.com谢谢"), ["joe@example.com"]);
        assert_eq!(found("a@b.de,c@d.de;e@f.de"), ["a@b.de", "c@d.de", "e@f.de"]);
    }

    #[test]
    fn text_that_only_has_an_at_sign_is_not_found() {
        for text in [
            "info@presidio.",
            "@handle",
            "@scope/package@1.2.3",
            "react@18.2.0",
            "user@localhost",
            "joe@192.168.0.1",
            "icon@2x.png",
            "a @ b.de",
            "a@b.c",
            "joe@.com",
            "joe@-x.com",
            "3 @ 4.50",
            "100%40 of",
            "@@@@",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
