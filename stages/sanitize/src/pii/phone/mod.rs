//! Telephone numbers, precision before recall: international ones, national ones with a typical grouping, and others
//! only after a word such as "Tel." or where the configuration names their country.

mod shapes;

use super::boundary::{closes, opens};
use super::calling_codes;
use super::groups::{Bracket, Group, Groups, Separator, all_separated_by};
use super::national::Countries;
use super::words::Label;
use shapes::{is_announced_length, is_bracketed, is_date, is_mobile, is_north_american, is_trunk, is_years};

/// The longest number with its country code, and a little more to see that another is longer.
const MAX_DIGITS: usize = 20;

/// The end of the number that begins at `at` with "+", "(+", "[+" or "%2B".
pub(super) fn international_end(text: &str, at: usize, label: Option<Label>) -> Option<usize> {
    let (bracket, after) = match &text.as_bytes()[at..] {
        [b'+', ..] => (None, at + 1),
        [b'(', b'+', ..] => (Some(b')'), at + 2),
        [b'[', b'+', ..] => (Some(b']'), at + 2),
        [b'%', b'2', b'B' | b'b', ..] => (None, at + 3),
        _ => return None,
    };
    if !opens(text, at) || text[..at].ends_with('+') {
        return None;
    }
    let digits_at = after + usize::from(text[after..].starts_with(' '));
    if !text[digits_at..].starts_with(|c: char| c == '(' || ('1'..='9').contains(&c)) {
        return None;
    }
    let (country, rest) = match bracket {
        None => ("", digits_at),
        Some(close) => {
            let code = text[digits_at..].bytes().take(4).take_while(u8::is_ascii_digit).count();
            let end = digits_at + code;
            if code == 0 || text.as_bytes().get(end) != Some(&close) {
                return None;
            }
            let gap = usize::from(text[end + 1..].starts_with([' ', '-', '.', '/']));
            (&text[digits_at..end], end + 1 + gap)
        }
    };
    let groups = Groups::read(text, rest);
    let apart = digits_at > after;
    longest(text, groups.as_slice(), |number| {
        // `x + 4930231250` may be a sum.
        let grouped = !apart || number.len() > 1 || label == Some(Label::Phone);
        grouped && !is_quantity(number) && is_international(country, number, label)
    })
}

/// The end of the number that begins at `at` with these groups.
pub(super) fn national_end(
    text: &str,
    at: usize,
    groups: &[Group<'_>],
    label: Option<Label>,
    countries: &Countries,
) -> Option<usize> {
    if is_date(groups) || is_years(groups) || is_in_sequence(text, at, label) {
        return None;
    }
    // An area in brackets is a telephone number whatever the word before it.
    let bracketed = groups.first().is_some_and(|group| group.bracket == Bracket::Around);
    if !bracketed && matches!(label, Some(Label::Order | Label::Section | Label::MayBeSection | Label::Version)) {
        return None;
    }
    let typical = |number: &[Group<'_>]| {
        is_prefixed(number)
            || is_trunk(number)
            || is_north_american(text, number)
            || is_bracketed(number)
            || is_mobile(number)
    };
    longest(text, groups, typical)
        .or_else(|| longest(text, groups, |number| countries.dial(number)))
        .or_else(|| longest(text, groups, |number| label == Some(Label::Phone) && is_announced_length(number)))
}

/// Whether the groups are a date in the order of ISO 8601, with a time or a word character behind it.
pub(super) fn is_timestamp(text: &str, groups: &[Group<'_>]) -> bool {
    let [year, month, day, ..] = groups else { return false };
    let in_order = year.digits.len() == 4 && month.digits.len() == 2 && day.digits.len() == 2;
    in_order && is_date(&groups[..3]) && text[day.end..].starts_with(['T', ' ', '_'])
}

/// The end of the longest number at the start of the groups that fits.
fn longest(text: &str, groups: &[Group<'_>], fits: impl Fn(&[Group<'_>]) -> bool) -> Option<usize> {
    (1..=groups.len()).rev().map(|count| &groups[..count]).find_map(|number| {
        let end = number.last()?.end;
        let end = end + extension_length(&text[end..]);
        (fits(number) && closes(text, end) && !continues_as_time(&text[end..])).then_some(end)
    })
}

/// The length of an extension such as "x123" or " ext. 123".
fn extension_length(rest: &str) -> usize {
    for sign in ["x", " x", " ext. ", " ext ", " Ext. ", " Ext "] {
        let Some(extension) = rest.strip_prefix(sign) else { continue };
        if let length @ 1..=5 = extension.bytes().take(6).take_while(u8::is_ascii_digit).count() {
            return sign.len() + length;
        }
    }
    0
}

fn continues_as_time(rest: &str) -> bool {
    rest.strip_prefix([':', '/']).is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether another number precedes it, separated by one space or a slash: a table column or part of a path.
fn is_in_sequence(text: &str, at: usize, label: Option<Label>) -> bool {
    let mut before = text[..at].chars().rev();
    match before.next() {
        Some(' ') => before.next().is_some_and(|c| c.is_ascii_digit()),
        // A link may end with the number: `wa.me/12025550143`.
        Some('/') => label != Some(Label::Phone) && before.next().is_some_and(char::is_alphanumeric),
        _ => false,
    }
}

/// Country and number after a "+". A "(0)" is for callers within the country.
fn is_international(country: &str, number: &[Group<'_>], label: Option<Label>) -> bool {
    let mut all = Digits::default();
    all.push(country);
    for (place, group) in number.iter().enumerate() {
        if place + country.len() == 0 || !is_trunk_hint(group) {
            all.push(group.digits);
        }
    }
    let count = all.as_slice().len();
    let listed = count >= 8 && calling_codes::is_number(all.as_slice());
    listed || without_trunk(country, number) || (label == Some(Label::Phone) && (8..=15).contains(&count))
}

/// Whether it is a number if the 0 for callers within the country is left out, as in `+44 020 7946 0018`.
fn without_trunk(country: &str, number: &[Group<'_>]) -> bool {
    let (code, rest) = match number {
        [first, rest @ ..] if country.is_empty() => (first.digits, rest),
        rest => (country, rest),
    };
    let [area, rest @ ..] = rest else { return false };
    let Some(area) = area.digits.strip_prefix('0') else { return false };
    let mut all = Digits::default();
    all.push(code);
    all.push(area);
    rest.iter().for_each(|group| all.push(group.digits));
    code.len() <= 3 && calling_codes::is_number(all.as_slice())
}

fn is_trunk_hint(group: &Group<'_>) -> bool {
    group.digits == "0" && group.bracket == Bracket::Around
}

/// `+12.345678` is a coordinate, `+25 000 000` and `+25.000.000` are amounts.
fn is_quantity(number: &[Group<'_>]) -> bool {
    let dotted = all_separated_by(number, Separator::Dot);
    let in_thousands = number.iter().skip(1).all(|group| group.digits.len() == 3);
    let spaced = all_separated_by(number, Separator::Space);
    let rounds = number.iter().skip(1).any(|group| group.digits == "000");
    (dotted && number.len() == 2) || (number.len() > 1 && (dotted || spaced) && in_thousands && rounds)
}

/// Country and number after `00` or, from North America, `011`.
fn is_prefixed(number: &[Group<'_>]) -> bool {
    let mut all = Digits::default();
    for group in number.iter().filter(|group| !is_trunk_hint(group)) {
        all.push(group.digits);
    }
    let all = all.as_slice();
    let has_prefix = |prefix: &str| number.first().is_some_and(|first| first.digits.starts_with(prefix));
    let bracketed = number.first().is_some_and(|group| group.bracket == Bracket::Around);
    let rest = match number.len() {
        _ if bracketed => return false,
        _ if has_prefix("00") => &all[2..],
        3.. if number[0].digits == "011" => &all[3..],
        _ => return false,
    };
    // `0012-345678` has no country that it fits.
    rest.len() >= 9 && calling_codes::is_number(rest)
}

/// The digits of some groups in one row.
#[derive(Default)]
struct Digits {
    all: [u8; MAX_DIGITS],
    count: usize,
}

impl Digits {
    /// What is more than any number has is dropped.
    fn push(&mut self, digits: &str) {
        for digit in digits.bytes() {
            if let Some(place) = self.all.get_mut(self.count) {
                *place = digit;
                self.count += 1;
            }
        }
    }

    fn as_slice(&self) -> &[u8] {
        &self.all[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::super::label;
    use super::*;

    fn found(text: &str) -> Option<&str> {
        let at = text.find(|c: char| matches!(c, '+' | '(' | '[') || c.is_ascii_digit())?;
        let label = label::before(text, at).map(|found| found.label);
        let end = match text[at..].starts_with(['+', '[']) || text[at..].starts_with("(+") {
            true => international_end(text, at, label),
            false => national_end(text, at, Groups::read(text, at).as_slice(), label, &Countries::default()),
        };
        end.map(|end| &text[at..end])
    }

    #[test]
    fn international_numbers_are_found() {
        for number in [
            "+14155550132",
            "+1 415 555 0132",
            "+1 (415) 555-0132",
            "+1-415-555-0132",
            "+442071234567",
            "+44 20 7946 0958",
            "+49 (0)30 1234567",
            "+49 30 12345-67",
            "+49/30/1234567",
            "+33 1 23 45 67 89",
            "+33.1.23.45.67.89",
            "+7 495 123-45-67",
            "+1 212 555 0100",
            "+298 12 34 56",
            "+4512345678",
            "+491511234567890",
            "0045 12345678",
            "+86 138 0013 8000",
            "+91 98765 43210",
            "+372 5123 4567",
            "+972 9-762-5400",
            "0049 30 1234567",
            "(+49) 30 23125000",
            "[+49] 30 23125000",
            "+ 49 30 23125000",
            "+468123456",
            "+376 312 345",
            "+44 020 7946 0018",
            "00 49 30 23125000",
            "011 49 30 23125000",
            "+1 202-555-0143 ext. 12",
        ] {
            assert_eq!(found(number), Some(number));
        }
    }

    #[test]
    fn national_numbers_are_found_by_grouping() {
        for number in [
            "(415) 555-0132",
            "(415)555-0132",
            "415-555-0132",
            "415.555.0132",
            "415 555 0132",
            "1-800-555-0199",
            "415-555-0132x42",
            "030 1234567",
            "030/1234567",
            "(030) 123 45 67",
            "0170-1234567",
            "020 7946 0958",
            "01 23 45 67 89",
            "06.12.34.56.78",
            "09-7625400",
            "030 / 1234567",
            "0123 4567 8901",
            "(012345) 67890",
            "08-12 34 56",
            "011 15-2345-6789",
            "8 (912) 345-67-89",
            "8 912 345-67-89",
            "(11) 96123-4567",
            "11 96123-4567",
            "(601) 2345678",
            "138 0013 8000",
            "98765 43210",
            "512-345-678",
            "0 532 123 45 67",
            "0 (532) 123 45 67",
            "415/555-0132",
        ] {
            assert_eq!(found(number), Some(number));
            assert_eq!(found(&format!("{number}, ")), Some(number));
        }
    }

    #[test]
    fn other_numbers_need_a_word_before_them() {
        for number in ["612 345 678", "5550132", "6123456789", "12 34 56 78", "0170123456789"] {
            assert_eq!(found(number), None, "{number}");
            for before in ["Tel.: ", "phone number is ", "\"mobile\": \"", "Fax no. "] {
                assert_eq!(found(&format!("{before}{number}")), Some(number), "{before}");
            }
        }
    }

    #[test]
    fn what_follows_a_number_is_not_part_of_it() {
        assert_eq!(found("+1 415 555 0132 2024"), Some("+1 415 555 0132"));
        assert_eq!(found("Tel 030 1234567 10:30"), Some("030 1234567"));
        assert_eq!(found("+4915112345678."), Some("+4915112345678"));
    }

    #[test]
    fn dates_amounts_coordinates_and_times_are_not_found() {
        for text in [
            "2024-01-02 10:30",
            "01.02.2024",
            "01.02.2024 1030",
            "01/02/2024 123456",
            "01.02.24 10:30",
            "01.02.24 10 30",
            "01/02/1999 123456",
            "+02:00",
            "+0200",
            "+1.000.000",
            "+25 000 000",
            "+52.520008",
            "+1500000",
            "+25000000",
            "0.30123456789",
            "01.234567890",
            "1 234 567",
            "1.234.567,89",
            "100 200 3000",
            "415 555 0132 77",
            "302-1234567-1234567",
            "12-3456789",
            "12345-6789",
            "0-306-40615-2",
            "978-3-16-148410-0",
            "20-00-00",
            "Tel 2024-01-02",
            "fax 1998-2004",
            "05 06 07 08 09",
            "Order 0421-338877 shipped",
            "Art.-Nr. 089 123456",
            "(2019) 1234567",
            "x + 4930231250",
            "01-02 10 30 00",
            "+49",
            "++4915112345678",
            "0012-345678",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_in_a_sequence_are_not_found() {
        for (text, at) in [("7 030 1234567", 2), ("a/030-1234567", 2)] {
            assert_eq!(national_end(text, at, Groups::read(text, at).as_slice(), None, &Countries::default()), None);
        }
    }
}
