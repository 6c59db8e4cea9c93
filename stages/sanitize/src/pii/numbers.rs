//! One scan for the kinds that begin with a digit, a letter (of a hexadecimal number or a country), "+", "(" or ":".

use std::ops::Range;

use super::groups::Groups;
use super::{boundary, card, iban, ip, mac, phone, ssn, starts};
use crate::kind::Kind;

/// Reports the numbers. Only word starts are examined, so the cost does not depend on the content of the words.
pub(super) fn scan(text: &str, report: &mut dyn FnMut(Kind, Range<usize>)) {
    let mut search = Search { text, fresh: 0, report };
    search.examine(0);
    starts::each(text.as_bytes(), |start| {
        if start > search.fresh {
            search.examine(start);
        }
    });
}

struct Search<'t, 'r> {
    text: &'t str,
    /// The end of the last match, which will be replaced and is therefore not context for the next one.
    fresh: usize,
    report: &'r mut dyn FnMut(Kind, Range<usize>),
}

impl Search<'_, '_> {
    /// Reports the match that begins at `at`, and those that follow directly: a match can end within a word.
    fn examine(&mut self, at: usize) {
        let mut at = at;
        while let Some((kind, end)) = recognise(&self.text[self.fresh..], at - self.fresh) {
            let end = self.fresh + end;
            (self.report)(kind, at..end);
            self.fresh = end;
            at = end;
        }
    }
}

/// The kind and the end of the match that begins at `at`; stricter kinds are tried first.
fn recognise(text: &str, at: usize) -> Option<(Kind, usize)> {
    let first = *text.as_bytes().get(at)?;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is found by examining every position.
    fn everywhere(text: &str) -> Vec<(Kind, Range<usize>)> {
        let mut all = Vec::new();
        let mut fresh = 0;
        let mut at = 0;
        while at < text.len() {
            let within_word = at > fresh && text.as_bytes()[at - 1].is_ascii_alphanumeric();
            match recognise(&text[fresh..], at - fresh).filter(|_| !within_word) {
                Some((kind, end)) => {
                    all.push((kind, at..fresh + end));
                    fresh += end;
                    at = fresh;
                }
                None => at = text.ceil_char_boundary(at + 1),
            }
        }
        all
    }

    fn numbers() -> impl Strategy<Value = String> {
        let known = prop::sample::select(&[
            "DE89370400440532013000",
            "4111111111111111",
            "+49 30 901820",
            "+(49) 30 901820",
            "(415) 555-0132",
            "192.168.7.9",
            "2001:db8::8a2e:370:7334",
            "fe80::1",
            "::ffff:192.0.2.1",
            "aa:bb:cc:dd:ee:f0",
            "aa-bb-cc-dd-ee-ff",
            "a1b2.c3d4.e5f6",
            "078-05-1123",
            "Tel. ",
            "é",
        ]);
        let part = prop_oneof![2 => known.prop_map(str::to_owned), 3 => "[0-9a-fx:.+( )/-]{1,6}"];
        prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_begins_where_the_scan_does_not_look(text in numbers()) {
            let mut found = Vec::new();
            scan(&text, &mut |kind, range| found.push((kind, range)));
            prop_assert_eq!(found, everywhere(&text));
        }
    }
}
