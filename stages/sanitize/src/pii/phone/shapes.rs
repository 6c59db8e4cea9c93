//! How national numbers are grouped, and what only looks like one.

use super::super::groups::{Bracket, Group, Separator, all_separated_by, digit_count, has_lengths};

fn is_year(digits: &str) -> bool {
    digits.len() == 4 && (digits.starts_with("19") || digits.starts_with("20"))
}

/// Whether the groups are day, month and year, or year, month and day.
pub(super) fn is_date(groups: &[Group<'_>]) -> bool {
    let [a, b, c, ..] = groups else { return false };
    let year = match (a.digits.len(), b.digits.len(), c.digits.len()) {
        (1..=2, 1..=2, 4) => c.digits,
        (4, 1..=2, 1..=2) => a.digits,
        _ => return false,
    };
    b.separator == c.separator && is_year(year)
}

/// Whether the groups are a span of years.
pub(super) fn is_years(groups: &[Group<'_>]) -> bool {
    matches!(groups, [a, b] if is_year(a.digits) && is_year(b.digits))
}

/// A national number with the leading 0 that most of the world uses: `030 1234567`, `(0421) 33-8877`, `01 23 45 67 89`.
pub(super) fn is_trunk(number: &[Group<'_>]) -> bool {
    let [area, rest @ ..] = number else { return false };
    if rest.is_empty() || rest.iter().any(|group| group.bracket == Bracket::Around || group.digits.len() < 2) {
        return false;
    }
    let dialled = area.digits.starts_with('0') && !area.digits.starts_with("00");
    let in_pairs = number.iter().all(|group| group.digits.len() == 2);
    let dotted = all_separated_by(number, Separator::Dot);
    let count = digit_count(number);
    let has_length = match number {
        // A mobile phone in Argentina.
        [_, mobile, _, ..] if mobile.digits == "15" => (9..=13).contains(&count),
        // A short one of a capital: `08-12 34 56`.
        [_, _, _, ..] if area.digits.len() <= 3 && rest[0].separator == Separator::Dash => (8..=12).contains(&count),
        _ => (9..=12).contains(&count),
    };
    dialled
        && has_length
        && (2..=6).contains(&area.digits.len())
        // `01.234567890` is a fraction.
        && !(dotted && rest.len() == 1)
        && !(in_pairs && (is_counting(number) || is_date_with_time(number)))
}

/// `05 06 07 08 09`; the number that everyone takes for an example stays one.
fn is_counting(number: &[Group<'_>]) -> bool {
    let value = |group: &Group<'_>| group.digits.parse::<u32>().unwrap_or_default();
    number.windows(2).all(|pair| value(&pair[0]) + 1 == value(&pair[1]))
}

/// `01-02 10 30 00`: day and month, or month and day, and the time.
fn is_date_with_time(number: &[Group<'_>]) -> bool {
    let value = |place: usize| number.get(place).map_or(0, |group| group.digits.parse::<u32>().unwrap_or(99));
    let mixed = number.iter().skip(2).any(|group| group.separator != number[1].separator);
    let times = |first: usize| value(first) < 24 && value(first + 1) < 60 && value(first + 2) < 60;
    mixed && value(0) <= 31 && value(1) <= 31 && (times(2) || (value(2) <= 31 && times(3)))
}

/// `(415) 555-0132`, `415-555-0132`, `1.415.555.0132`.
pub(super) fn is_north_american(text: &str, number: &[Group<'_>]) -> bool {
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
        (Bracket::Without, Separator::Slash) => line.separator == Separator::Dash,
        (Bracket::Without, separator) => line.separator == separator,
    }
}

/// An area in brackets, as in much of South America and Asia: `(11) 96123-4567`, `(601) 2345678`; in Russia
/// after an 8, in Türkiye after a 0.
pub(super) fn is_bracketed(number: &[Group<'_>]) -> bool {
    let (number, lengths) = match number {
        [trunk, rest @ ..] if matches!(trunk.digits, "8" | "0") && trunk.bracket == Bracket::Without => (rest, 10..=10),
        _ => (number, 9..=11),
    };
    let [area, rest @ ..] = number else { return false };
    area.bracket == Bracket::Around
        && (2..=5).contains(&area.digits.len())
        && !is_year(area.digits)
        && !rest.is_empty()
        && rest.iter().all(|group| {
            group.bracket == Bracket::Without
                && group.digits.len() >= 2
                && matches!(group.separator, Separator::Space | Separator::Dash | Separator::Tight)
        })
        && lengths.contains(&digit_count(number))
}

/// Mobile numbers whose grouping is their own: Russia, China, India, Brazil, and nine digits in threes with dashes.
pub(super) fn is_mobile(number: &[Group<'_>]) -> bool {
    if number.iter().any(|group| group.bracket == Bracket::Around || group.separator == Separator::Slash) {
        return false;
    }
    match number {
        [eight, area, rest @ ..] if eight.digits == "8" && area.digits.len() == 3 => {
            let grouped = has_lengths(rest, &[3, 2, 2]) || has_lengths(rest, &[3, 4]) || has_lengths(rest, &[7]);
            grouped && area.digits.starts_with(|c| ('3'..='9').contains(&c))
        }
        [zero, rest @ ..] if zero.digits == "0" => has_lengths(rest, &[3, 3, 2, 2]),
        [a, _, _] if has_lengths(number, &[3, 4, 4]) => {
            a.digits.starts_with('1') && a.digits.as_bytes()[1] >= b'3' && !all_separated_by(number, Separator::Dot)
        }
        [a, b] if has_lengths(number, &[5, 5]) => {
            a.digits.starts_with(|c| ('6'..='9').contains(&c))
                && matches!(b.separator, Separator::Space | Separator::Dash)
        }
        [a, b, c] if a.digits.len() == 2 && c.digits.len() == 4 && c.separator == Separator::Dash => {
            let mobile = b.digits.len() == 5 && b.digits.starts_with('9');
            let landline = b.digits.len() == 4 && b.digits.starts_with(|c| ('2'..='5').contains(&c));
            !a.digits.contains('0') && b.separator == Separator::Space && (mobile || landline)
        }
        [a, _, _] if has_lengths(number, &[3, 3, 3]) => {
            all_separated_by(number, Separator::Dash) && a.digits.starts_with(|c| ('5'..='9').contains(&c))
        }
        _ => false,
    }
}

pub(super) fn is_announced_length(number: &[Group<'_>]) -> bool {
    (6..=15).contains(&digit_count(number))
}
