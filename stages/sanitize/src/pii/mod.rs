//! Finds personal data in a text with hand-written linear scans: there is nothing to compile when an instance starts.

mod boundary;
mod card;
mod email;
mod groups;
mod iban;
mod ip;
mod mac;
mod numbers;
mod phone;
mod ssn;
mod starts;
mod url;

use std::ops::Range;

use crate::kind::Kind;

/// A piece of personal data: its kind and its bytes in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    pub(crate) range: Range<usize>,
}

/// Reports its matches in a text, from left to right.
type Scan = fn(&str, &mut dyn FnMut(Kind, Range<usize>));

/// A match can separate its neighbour from what it was attached to, so numbers are scanned again before each match. More
/// rounds than this are not worth their time.
const NUMBER_ROUNDS: usize = 4;

/// All matches, in order and without overlaps. Kinds with a distinctive sign come first: in `4111@example.com` the
/// address counts, not the digits.
pub(crate) fn find(text: &str) -> Vec<Found> {
    let mut found = scan_gaps(text, Vec::new(), url::scan);
    found = scan_gaps(text, found, email::scan);
    scan_gaps(text, found, |gap, report| scan_numbers(gap, NUMBER_ROUNDS, report))
}

/// Reports the numbers in a text, from left to right. What is after the last one was scanned up to its end already.
fn scan_numbers(text: &str, rounds: usize, report: &mut dyn FnMut(Kind, Range<usize>)) {
    if rounds == 0 {
        return;
    }
    let mut from = 0;
    numbers::scan(text, &mut |kind, range| {
        let offset = from;
        scan_numbers(&text[from..range.start], rounds - 1, &mut |kind, earlier| {
            report(kind, earlier.start + offset..earlier.end + offset);
        });
        from = range.end;
        report(kind, range);
    });
}

/// Adds what a scan finds between the known matches. Each gap is a text of its own, because the matches around it will
/// be replaced.
fn scan_gaps(text: &str, known: Vec<Found>, scan: Scan) -> Vec<Found> {
    let mut all = Vec::with_capacity(known.len());
    let mut from = 0;
    for found in known {
        scan_gap(text, from..found.range.start, scan, &mut all);
        from = found.range.end;
        all.push(found);
    }
    scan_gap(text, from..text.len(), scan, &mut all);
    all
}

fn scan_gap(text: &str, gap: Range<usize>, scan: Scan, all: &mut Vec<Found>) {
    let offset = gap.start;
    scan(&text[gap], &mut |kind, range| all.push(Found { kind, range: range.start + offset..range.end + offset }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(text: &str) -> Vec<(Kind, &str)> {
        find(text).into_iter().map(|found| (found.kind, &text[found.range])).collect()
    }

    #[test]
    fn an_address_is_found_whole_even_if_its_digits_look_like_a_card() {
        assert_eq!(matches("4111111111111111@example.com"), [(Kind::Email, "4111111111111111@example.com")]);
    }

    #[test]
    fn credentials_take_precedence_over_the_address_they_seem_to_form() {
        assert_eq!(matches("ftp://joe:pw@example.com/x"), [(Kind::UrlCredentials, "joe:pw")]);
    }

    #[test]
    fn matches_are_in_order_whatever_their_kind() {
        let text = "10.1.2.3 a@b.de +49 30 901820 c@d.de DE89370400440532013000";
        let kinds: Vec<Kind> = matches(text).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [Kind::Ip, Kind::Email, Kind::Phone, Kind::Email, Kind::Iban]);
    }

    #[test]
    fn a_match_separates_its_neighbour() {
        let text = "415-555-0132-DE89370400440532013000";
        assert_eq!(matches(text), [(Kind::Phone, "415-555-0132"), (Kind::Iban, "DE89370400440532013000")]);
    }
}
