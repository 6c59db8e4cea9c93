//! One scan for the kinds that begin with a digit, a letter (of a hexadecimal number or a country), "+", a bracket, "%" or ":".

use std::cell::OnceCell;
use std::ops::Range;

use super::groups::Groups;
use super::label::{self, Found};
use super::list::List;
use super::national::Countries;
use super::words::Label;
use super::{boundary, card, iban, ids, ip, mac, phone, ssn, starts};
use crate::kind::Kind;

/// Words that a number may follow without a space.
const GLUED: [&str; 15] = [
    "tel",
    "phone",
    "telephone",
    "telefon",
    "mob",
    "mobile",
    "mobil",
    "handy",
    "fax",
    "cell",
    "ssn",
    "card",
    "pan",
    "cpf",
    "call",
];

/// Reports the numbers. Only word starts are examined, so the cost does not depend on the content of the words.
pub(super) fn scan(text: &str, countries: &Countries, report: &mut dyn FnMut(Kind, Range<usize>)) {
    let mut search = Search { text, countries, fresh: 0, list: List::default(), report };
    search.examine(0);
    starts::each(text.as_bytes(), |start| {
        if start > search.fresh {
            search.examine(start);
        }
    });
}

struct Search<'t, 'r> {
    text: &'t str,
    countries: &'t Countries,
    /// The end of the last match, which will be replaced and is therefore not context for the next one.
    fresh: usize,
    list: List,
    report: &'r mut dyn FnMut(Kind, Range<usize>),
}

impl Search<'_, '_> {
    /// Reports the match that begins at `at`, and those that follow directly: a match can end within a word.
    fn examine(&mut self, at: usize) {
        let mut at = at;
        loop {
            let place =
                Place { text: &self.text[self.fresh..], at: at - self.fresh, listed: self.list.label(self.text, at) };
            let label = OnceCell::new();
            let found = recognise(&place, &label, self.countries);
            let end = found.map(|(_, end)| self.fresh + end);
            self.list.add(self.text, at, end, label.into_inner().flatten());
            let (Some((kind, _)), Some(end)) = (found, end) else { return };
            (self.report)(kind, at..end);
            self.fresh = end;
            at = end;
        }
    }
}

/// Where a number may begin.
struct Place<'t> {
    text: &'t str,
    at: usize,
    /// The label of the list that it would go on with.
    listed: Option<Found>,
}

/// The kind and the end of the match that begins at a place; stricter kinds are tried first.
fn recognise(place: &Place<'_>, found: &OnceCell<Option<Found>>, countries: &Countries) -> Option<(Kind, usize)> {
    let Place { text, at, listed } = *place;
    let first = *text.as_bytes().get(at)?;
    let found = || *found.get_or_init(|| label::before(text, at).or(listed));
    let label = || found().map(|found| found.label);
    if first.is_ascii_hexdigit() || first == b':' {
        if let Some(end) = mac::end(text, at, label) {
            return Some((Kind::Mac, end));
        }
        if let Some(end) = ip::end(text, at, found) {
            return Some((Kind::Ip, end));
        }
    }
    match first {
        b'a'..=b'z' => iban::end(text, at).map(|end| (Kind::Iban, end)),
        b'A'..=b'Z' => iban::end(text, at)
            .map(|end| (Kind::Iban, end))
            .or_else(|| ids::by_form(text, at, countries))
            .or_else(|| ids::announced(text, at, label)),
        b'+' | b'[' | b'%' => phone::international_end(text, at, label()).map(|end| (Kind::Phone, end)),
        b'(' if text[at..].starts_with("(+") => {
            phone::international_end(text, at, label()).map(|end| (Kind::Phone, end))
        }
        b'0'..=b'9' | b'(' => number(text, at, countries, label),
        _ => None,
    }
}

fn number(text: &str, at: usize, countries: &Countries, label: impl Fn() -> Option<Label>) -> Option<(Kind, usize)> {
    if !has_digits(&text.as_bytes()[at..]) {
        return None;
    }
    let run = text.as_bytes()[at..].iter().take(24).take_while(|byte| byte.is_ascii_digit()).count();
    if text.as_bytes().get(at + run).is_some_and(|byte| byte.is_ascii_alphabetic() && *byte != b'x') {
        // Only an identity number has letters within; after "x" an extension may follow.
        let opens = boundary::opens(text, at);
        let id = ids::by_form(text, at, countries).or_else(|| ids::announced(text, at, &label));
        return id.filter(|_| opens);
    }
    if let Some(end) = card::end(text, at, &label) {
        return Some((Kind::Card, end));
    }
    if !boundary::opens(text, at) && !is_glued(text, at) {
        return None;
    }
    let groups = Groups::read(text, at);
    let groups = groups.as_slice();
    // The date of a log needs no word before it.
    if phone::is_timestamp(text, groups) {
        return None;
    }
    let label = label();
    let is_phone = label == Some(Label::Phone);
    let id = || ids::by_form(text, at, countries).or_else(|| ids::announced(text, at, || label));
    if let Some(found) = id().filter(|_| !is_phone) {
        return Some(found);
    }
    ssn::end(text, groups, label)
        .map(|end| (Kind::Ssn, end))
        .or_else(|| phone::national_end(text, at, groups, label, countries).map(|end| (Kind::Phone, end)))
}

/// Whether six digits come before the next word: whatever is a number at all has them close together.
fn has_digits(bytes: &[u8]) -> bool {
    let mut digits = 0;
    for byte in bytes.iter().take(40) {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'A'..=b'Z' => {}
            b'a'..=b'z' | b'=' | b',' | b';' | b'"' | b'<' => return digits > 5,
            _ => {}
        }
        if digits > 5 {
            return true;
        }
    }
    false
}

/// Whether a word such as "Tel" stands directly before.
fn is_glued(text: &str, at: usize) -> bool {
    let bytes = &text.as_bytes()[..at];
    let letters = bytes.iter().rev().take(10).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let word = &text[at - letters..at];
    let is_whole = !text[..at - letters].ends_with(boundary::is_word);
    letters > 2 && is_whole && GLUED.iter().any(|glued| glued.eq_ignore_ascii_case(word))
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
            let place = Place { text: &text[fresh..], at: at - fresh, listed: None };
            match recognise(&place, &OnceCell::new(), &Countries::default()) {
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
            "Tel",
            "IBAN",
            "(+49) 30 901820",
            "[+49] 30 901820",
            "+ 49 30 901820",
            "%2B49 30 901820",
            "DE 89 3704 0044 0532 0130 00",
            "AB 12 34 56 C",
            "RSSMRA85T10A562S",
            "X1234567L",
            "MAC ",
            "%B",
            "card_",
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
            scan(&text, &Countries::default(), &mut |kind, range| found.push((kind, range)));
            prop_assert_eq!(found, everywhere(&text));
        }
    }
}
