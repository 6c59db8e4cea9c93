//! Telephone numbers, precision before recall: international ones, national ones with a typical grouping, and others
//! only after a word such as "Tel.".

use super::boundary::{announced, closes, opens};
use super::groups::{Bracket, Group, Groups, Separator, all_separated_by, digit_count, digits, has_lengths};

const PHRASES: [&str; 25] = [
    "tel",
    "telephone",
    "telefon",
    "telefono",
    "telefone",
    "teléfono",
    "téléphone",
    "tél",
    "tlf",
    "phone",
    "mobile",
    "mobil",
    "móvil",
    "cell",
    "cellphone",
    "handy",
    "fax",
    "telefax",
    "whatsapp",
    "rufnummer",
    "telefonnummer",
    "handynummer",
    "mobilnummer",
    "phonenumber",
    "hotline",
];

/// The end of the number that begins with the "+" at `at`.
pub(super) fn international_end(text: &str, at: usize) -> Option<usize> {
    let stands_alone = opens(text, at) && !text[..at].ends_with('+');
    let is_followed_by_country = text[at + 1..].starts_with(|c: char| c == '(' || ('1'..='9').contains(&c));
    if !(stands_alone && is_followed_by_country) {
        return None;
    }
    longest(text, Groups::read(text, at + 1).as_slice(), is_international)
}

/// The end of the number that begins at `at` with these groups.
pub(super) fn national_end(text: &str, at: usize, groups: &[Group<'_>]) -> Option<usize> {
    if is_date(groups) || is_in_sequence(text, at) {
        return None;
    }
    longest(text, groups, |number| is_prefixed(number) || is_trunk(number) || is_north_american(text, number))
        .or_else(|| longest(text, groups, |number| is_announced_length(number) && announced(text, at, &PHRASES)))
}

/// The end of the longest number at the start of the groups that fits.
fn longest(text: &str, groups: &[Group<'_>], fits: impl Fn(&[Group<'_>]) -> bool) -> Option<usize> {
    (1..=groups.len()).rev().map(|count| &groups[..count]).find_map(|number| {
        let end = number.last()?.end;
        let end = end + extension_length(&text[end..]);
        (fits(number) && closes(text, end) && !continues_as_time(&text[end..])).then_some(end)
    })
}

/// The length of an extension such as "x123".
fn extension_length(rest: &str) -> usize {
    let Some(extension) = rest.strip_prefix('x') else {
        return 0;
    };
    match extension.bytes().take(6).take_while(u8::is_ascii_digit).count() {
        length @ 1..=5 => 1 + length,
        _ => 0,
    }
}

fn continues_as_time(rest: &str) -> bool {
    rest.strip_prefix([':', '/']).is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether another number precedes it, separated by one space or a slash: a table column or part of a path.
fn is_in_sequence(text: &str, at: usize) -> bool {
    let mut before = text[..at].chars().rev();
    match before.next() {
        Some(' ') => before.next().is_some_and(|c| c.is_ascii_digit()),
        Some('/') => before.next().is_some_and(char::is_alphanumeric),
        _ => false,
    }
}

/// Whether the groups are day, month and year, or year, month and day.
fn is_date(groups: &[Group<'_>]) -> bool {
    let [a, b, c, ..] = groups else { return false };
    let year = match (a.digits.len(), b.digits.len(), c.digits.len()) {
        (1..=2, 1..=2, 4) => c.digits,
        (4, 1..=2, 1..=2) => a.digits,
        _ => return false,
    };
    b.separator == c.separator && (year.starts_with("19") || year.starts_with("20"))
}

/// Country and number after a "+". A "(0)" is for callers within the country.
fn is_international(number: &[Group<'_>]) -> bool {
    let trunk_hints = number.iter().skip(1).filter(|group| is_trunk_hint(group)).count();
    let count = digit_count(number) - trunk_hints;
    let mut leading = digits(number);
    let plausible = match leading.next() {
        Some(1) => count == 11 && number.len() <= 4 && leading.next() >= Some(2),
        Some(7) => count == 11,
        _ => (8..=15).contains(&count),
    };
    match number {
        [_] => plausible && count >= 10,
        _ => plausible && !is_quantity(number, count),
    }
}

fn is_trunk_hint(group: &Group<'_>) -> bool {
    group.digits == "0" && group.bracket == Bracket::Around
}

/// `+12.345678` is a coordinate, `+25 000 000` and `+25.000.000` are amounts.
fn is_quantity(number: &[Group<'_>], count: usize) -> bool {
    let dotted = all_separated_by(number, Separator::Dot);
    let in_thousands = number.iter().skip(1).all(|group| group.digits.len() == 3);
    let spaced = all_separated_by(number, Separator::Space);
    (dotted && number.len() == 2) || ((dotted || spaced) && in_thousands && count <= 9)
}

/// Country and number after `00`, which replaces the "+".
fn is_prefixed(number: &[Group<'_>]) -> bool {
    let [first, _, ..] = number else { return false };
    let country = first.digits.strip_prefix("00").unwrap_or_default();
    let trunk_hints = number.iter().filter(|group| is_trunk_hint(group)).count();
    (1..=3).contains(&country.len())
        && !country.starts_with('0')
        && (12..=17).contains(&(digit_count(number) - trunk_hints))
}

/// A national number with the leading 0 that most of the world uses: `030 1234567`, `(0421) 33-8877`, `01 23 45 67 89`.
fn is_trunk(number: &[Group<'_>]) -> bool {
    let [area, rest @ ..] = number else { return false };
    if rest.is_empty() || rest.iter().any(|group| group.bracket == Bracket::Around || group.digits.len() < 2) {
        return false;
    }
    let dialled = area.digits.starts_with('0') && !area.digits.starts_with("00");
    let in_pairs = number.iter().all(|group| group.digits.len() == 2);
    let dotted = all_separated_by(number, Separator::Dot);
    dialled
        && (2..=6).contains(&area.digits.len())
        && (9..=12).contains(&digit_count(number))
        // `01.234567890` is a fraction.
        && !(dotted && rest.len() == 1)
        // Dates with times are pairs too, but with different separators.
        && !(in_pairs && rest.iter().any(|group| group.separator != rest[0].separator))
}

/// `(415) 555-0132`, `415-555-0132`, `1.415.555.0132`.
fn is_north_american(text: &str, number: &[Group<'_>]) -> bool {
    let number = match number {
        [one, rest @ ..] if one.digits == "1" && one.bracket == Bracket::Without => rest,
        _ => number,
    };
    let [area, exchange, line] = number else { return false };
    let dialled = |group: &Group<'_>| group.digits.starts_with(|c| ('2'..='9').contains(&c));
    if !has_lengths(number, &[3, 3, 4]) || !dialled(area) || !dialled(exchange) {
        return false;
    }
    if exchange.bracket == Bracket::Around || line.bracket == Bracket::Around || line.separator == Separator::Slash {
        return false;
    }
    match (area.bracket, exchange.separator) {
        (Bracket::Around, _) => true,
        // Three groups separated by spaces are a telephone number only if no fourth group follows.
        (Bracket::Without, Separator::Space) => {
            let after = &text[line.end..];
            line.separator != Separator::Dot && !after.trim_start_matches(' ').starts_with(|c: char| c.is_ascii_digit())
        }
        (Bracket::Without, separator) => line.separator == separator,
    }
}

fn is_announced_length(number: &[Group<'_>]) -> bool {
    (7..=15).contains(&digit_count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        let at = text.find(|c: char| c == '+' || c == '(' || c.is_ascii_digit())?;
        let end = match text[at..].starts_with('+') {
            true => international_end(text, at),
            false => national_end(text, at, Groups::read(text, at).as_slice()),
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
            "+49",
            "++4915112345678",
            "0012-345678",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_in_a_sequence_are_not_found() {
        assert_eq!(national_end("7 030 1234567", 2, Groups::read("7 030 1234567", 2).as_slice()), None);
        assert_eq!(national_end("a/030-1234567", 2, Groups::read("a/030-1234567", 2).as_slice()), None);
    }
}
