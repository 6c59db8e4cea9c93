//! Finds personal data and secrets in a text: one pass says which detectors have anything to look for, and these scan for it.

mod boundary;
mod calling_codes;
mod card;
mod email;
mod groups;
mod iban;
mod ids;
mod ip;
mod label;
mod list;
mod mac;
mod matches;
mod national;
mod numbers;
mod own;
mod phone;
mod secrets;
mod ssn;
mod starts;
mod survey;
mod url;
mod words;

use std::ops::Range;

use crate::fold::Folded;
use crate::kind::Kind;
use crate::recognise::Quotes;
pub(crate) use label::of_name;
use matches::Match;
pub(crate) use national::Countries;
pub(crate) use own::{Deny, Pattern};
use secrets::Secrets;
pub(crate) use secrets::is_secret_value;
pub(crate) use survey::{Class, Survey};
pub(crate) use words::{Label, normal};

/// A piece of data: its kind, its bytes in the text, and its text with all digits and signs in ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    pub(crate) range: Range<usize>,
    pub(crate) folded: String,
}

/// A match can separate its neighbour from what it was attached to, so numbers are scanned again before each match. More
/// rounds than this are not worth their time.
const NUMBER_ROUNDS: usize = 4;

/// How far before a match to scan again, in bytes.
const TAIL: usize = 160;
/// How close to a match something ends that was attached to it.
const ATTACHED: usize = 4;

/// Everything that is looked for.
#[derive(Debug)]
pub(crate) struct Finder {
    pub(crate) countries: Countries,
    pub(crate) deny: Option<Deny>,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) secrets: Secrets,
}

impl Finder {
    /// A finder that knows the built-in kinds only.
    pub(crate) fn new() -> Self {
        Self { countries: Countries::default(), deny: None, patterns: Vec::new(), secrets: Secrets::new() }
    }

    /// Whether the configuration adds nothing.
    pub(crate) fn has_only_built_in(&self) -> bool {
        self.deny.is_none() && self.patterns.is_empty()
    }

    /// All matches, in order and without overlaps. What the configuration asks for comes first, then kinds with a
    /// distinctive sign: in `4111@example.com` the address counts, not the digits. `context` is the name of the field that
    /// the text is the value of; `written` tells the replacements of this stage.
    pub(crate) fn find(
        &self,
        text: &str,
        survey: &Survey,
        context: &str,
        quotes: Option<&Quotes>,
        written: &dyn Fn(&str) -> bool,
    ) -> Vec<Found> {
        let scan = Scan { finder: self, quotes, written };
        let folded = match survey.has(Class::FOLDS) {
            true => Folded::new(text),
            false => Folded::of_plain(text),
        };
        let again = folded.is_changed().then(|| Survey::of(folded.text()));
        let survey = again.as_ref().unwrap_or(survey);
        if self.has_only_built_in() && quotes.is_none() && survey.is_barren() {
            return Vec::new();
        }
        if context.is_empty() {
            let found = scan.matches(folded.text(), survey);
            return found.into_iter().filter_map(|found| original(&folded, 0, found)).collect();
        }
        let joined = [context, ": ", folded.text()].concat();
        let offset = joined.len() - folded.text().len();
        let found = scan.matches(&joined, &Survey::of(&joined));
        if found.iter().any(|found| found.range.start < offset && found.range.end > offset) {
            let found = scan.matches(folded.text(), survey);
            return found.into_iter().filter_map(|found| original(&folded, 0, found)).collect();
        }
        found.into_iter().filter_map(|found| original(&folded, offset, found)).collect()
    }
}

/// What is the same for all texts of an item.
struct Scan<'f> {
    finder: &'f Finder,
    quotes: Option<&'f Quotes>,
    written: &'f dyn Fn(&str) -> bool,
}

impl Scan<'_> {
    fn matches(&self, text: &str, survey: &Survey) -> Vec<Match> {
        let mut found = Vec::new();
        // Whoever knows no hash need not look for one.
        if survey.has(Class::BRACKET) || (self.written)("") {
            found = own::written(text, self.written);
        }
        if let Some(deny) = &self.finder.deny {
            found = scan_gaps(text, found, |gap, report| deny.scan(&text[gap], report));
        }
        for (place, pattern) in self.finder.patterns.iter().enumerate() {
            found = scan_gaps(text, found, |gap, report| {
                pattern.scan(&text[gap], &mut |range| report(Kind::Own(place), range));
            });
        }
        if survey.has(Class::COLON) && survey.has(Class::SLASH) && survey.has(Class::AT) {
            found = scan_gaps(text, found, |gap, report| url::scan(&text[gap], report));
        }
        if !survey.secrets().is_empty() {
            found = scan_gaps(text, found, |gap, report| {
                let from = gap.start;
                let first = survey.secrets().partition_point(|start| *start < from);
                let candidates = survey.secrets()[first..].iter().map(|start| start - from);
                let length = gap.len();
                self.finder.secrets.scan(&text[gap], candidates.take_while(|start| *start < length), report);
            });
        }
        let may_have_address = survey.has(Class::SIGN.or(Class::OPENING)) || survey.spells_dot();
        if may_have_address {
            found = scan_gaps(text, found, |gap, report| email::scan(&text[gap], survey, report));
        }
        if let Some(quotes) = self.quotes {
            found = scan_gaps(text, found, |gap, report| {
                quotes.find(&text[gap]).for_each(|(kind, range)| report(kind, range));
            });
        }
        if survey.has(Class::DIGIT.or(Class::SEPARATOR)) {
            found = scan_gaps(text, found, |gap, report| self.scan_numbers(&text[gap], NUMBER_ROUNDS, report));
        }
        // A number can have hidden the end of an address: `a@b.comIBANDE89…`.
        match survey.has(Class::AT) {
            true => scan_gaps(text, found, |gap, report| email::scan(&text[gap], survey, report)),
            false => found,
        }
    }

    /// Reports the numbers in a text, from left to right. What is after the last one was scanned up to its end already.
    fn scan_numbers(&self, text: &str, rounds: usize, report: &mut dyn FnMut(Kind, Range<usize>)) {
        if rounds == 0 {
            return;
        }
        let mut from = 0;
        numbers::scan(text, &self.finder.countries, &mut |kind, range| {
            let gap = &text[from..range.start];
            let near = gap.len() - tail(gap).len();
            self.scan_numbers(&gap[near..], rounds - 1, &mut |kind, earlier| {
                // Only what ends at the match was attached to it.
                if near + earlier.end + ATTACHED >= gap.len() {
                    report(kind, from + near + earlier.start..from + near + earlier.end);
                }
            });
            from = range.end;
            report(kind, range);
        });
    }
}

/// The last words of a gap: enough for any number and the words before it.
fn tail(gap: &str) -> &str {
    let cut = gap.floor_char_boundary(gap.len().saturating_sub(TAIL));
    match gap[..cut].rfind(char::is_whitespace) {
        Some(space) if cut - space < TAIL => &gap[space..],
        _ => gap,
    }
}

/// A match in terms of the original text, unless it is in the context before it or was written by this stage.
fn original(folded: &Folded<'_>, offset: usize, found: Match) -> Option<Found> {
    let kind = found.kind?;
    let start = found.range.start.checked_sub(offset)?;
    let range = start..found.range.end - offset;
    Some(Found { kind, range: folded.original(&range), folded: folded.text()[range].to_owned() })
}

/// Adds what a scan finds between the known matches. Each gap is a text of its own, because the matches around it will
/// be replaced.
fn scan_gaps(
    text: &str,
    known: Vec<Match>,
    scan: impl Fn(Range<usize>, &mut dyn FnMut(Kind, Range<usize>)),
) -> Vec<Match> {
    let mut all = Vec::with_capacity(known.len());
    let mut from = 0;
    let scan_gap = |gap: Range<usize>, all: &mut Vec<Match>| {
        let offset = gap.start;
        scan(gap, &mut |kind, range| {
            all.push(Match { kind: Some(kind), range: range.start + offset..range.end + offset });
        });
    };
    for found in known {
        scan_gap(from..found.range.start, &mut all);
        from = found.range.end;
        all.push(found);
    }
    scan_gap(from..text.len(), &mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(text: &str) -> Vec<(Kind, &str)> {
        Finder::new()
            .find(text, &Survey::of(text), "", None, &|_| false)
            .into_iter()
            .map(|found| (found.kind, &text[found.range]))
            .collect()
    }

    #[test]
    fn digits_of_other_scripts_are_found_where_they_stand() {
        assert_eq!(matches("電話番号：０９０－１２３４－５６７８。"), [(Kind::Phone, "０９０－１２３４－５６７８")]);
        assert_eq!(
            matches("é 4111\u{fe0f}1111\u{fe0f}1111\u{fe0f}1111 x"),
            [(Kind::Card, "4111\u{fe0f}1111\u{fe0f}1111\u{fe0f}1111")]
        );
    }

    #[test]
    fn what_is_said_before_a_list_holds_for_all_of_it() {
        let phone = |number| (Kind::Phone, number);
        assert_eq!(
            matches("Phones: 2025550142, 2025550143 and 2025550144"),
            [phone("2025550142"), phone("2025550143"), phone("2025550144")]
        );
        assert_eq!(matches("Móvil 612345678 / 623456789"), [phone("612345678"), phone("623456789")]);
        assert_eq!(matches("Tel. 5550142, 10115 Berlin"), [phone("5550142")]);
        for text in [
            "sections 4.1.2.3, 4.1.2.4 and 4.1.2.5 apply",
            "clauses 3.4.1.2-3.4.1.5",
            "see §§ 4.1.2.3, 4.1.2.4",
            "upgrade from 1.2.3.4 to 1.2.3.5",
            "orders 030-1234567, 030-1234568",
        ] {
            assert!(matches(text).is_empty(), "{text}: {:?}", matches(text));
        }
        assert_eq!(matches("version 4.1.2.3, 192.168.100.7"), [(Kind::Ip, "192.168.100.7")]);
    }

    #[test]
    fn the_name_of_a_field_is_context() {
        let finder = Finder::new();
        let found = |context| finder.find("6123456789", &Survey::of("6123456789"), context, None, &|_| false).len();
        assert_eq!((found("mobile"), found("phone_number"), found("id"), found("")), (1, 1, 0, 0));
    }

    #[test]
    fn what_was_written_is_left_alone() {
        let text = "Tel [PHONE] 12345678 card [EMAIL_4111111111111111]";
        assert!(matches(text).is_empty());
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
