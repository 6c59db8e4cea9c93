//! One scan for the kinds that begin with a digit, a letter (of a hexadecimal number or a country), "+", "(" or ":".

use std::ops::Range;

use super::groups::Groups;
use super::{boundary, card, iban, ip, mac, phone, ssn};
use crate::kind::Kind;

/// Reports the numbers. Only word starts are examined, so the cost does not depend on the content of the words.
pub(super) fn scan(text: &str, report: &mut dyn FnMut(Kind, Range<usize>)) {
    let bytes = text.as_bytes();
    // The end of the last match, which will be replaced and is therefore not context for the next one.
    let mut fresh = 0;
    let mut at = 0;
    while at < bytes.len() {
        let within_word = at > fresh && bytes[at - 1].is_ascii_alphanumeric();
        if within_word || !may_begin(bytes[at]) {
            at += 1;
            continue;
        }
        match recognise(&text[fresh..], at - fresh) {
            Some((kind, end)) => {
                report(kind, at..fresh + end);
                fresh += end;
                at = fresh;
            }
            None => at += 1,
        }
    }
}

fn may_begin(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'(' | b':')
}

/// The kind and the end of the match that begins at `at`; stricter kinds are tried first.
fn recognise(text: &str, at: usize) -> Option<(Kind, usize)> {
    let first = text.as_bytes()[at];
    if first.is_ascii_hexdigit() || first == b':' {
        if let Some(end) = mac::end(text, at) {
            return Some((Kind::Mac, end));
        }
        if let Some(end) = ip::end(text, at) {
            return Some((Kind::Ip, end));
        }
    }
    match first {
        b'a'..=b'z' | b'A'..=b'Z' => iban::end(text, at).map(|end| (Kind::Iban, end)),
        b'+' => phone::international_end(text, at).map(|end| (Kind::Phone, end)),
        b'0'..=b'9' | b'(' if boundary::opens(text, at) => {
            let groups = Groups::read(text, at);
            let groups = groups.as_slice();
            card::end(text, groups)
                .map(|end| (Kind::Card, end))
                .or_else(|| ssn::end(text, at, groups).map(|end| (Kind::Ssn, end)))
                .or_else(|| phone::national_end(text, at, groups).map(|end| (Kind::Phone, end)))
        }
        _ => None,
    }
}
