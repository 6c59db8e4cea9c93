//! Payment cards: the prefix of a known issuer with a length that this issuer uses, a valid check digit (Luhn), and a
//! grouping as on cards. After a word such as "card" the check digit is enough.

use super::boundary::is_word;
use super::words::Label;

/// The longest card number.
const MAX_DIGITS: usize = 19;
/// The most groups, plus one to see that more follow.
const MAX_GROUPS: usize = 6;

/// What separates the groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Separator {
    /// Spaces, a tab or a line break.
    Space,
    Dash,
    Dot,
    /// A space in a URL.
    Encoded,
    /// "_", "/" or a dot in the middle of the line.
    Rare,
}

/// The end of the card number that begins at the digit at `at`.
pub(super) fn end(text: &str, at: usize, label: impl Fn() -> Option<Label>) -> Option<usize> {
    let mut card = Card::default();
    let mut separator = None;
    let mut best = None;
    let mut next = at;
    while card.groups < MAX_GROUPS {
        let bytes = &text.as_bytes()[next..];
        let run = bytes.iter().take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
        if run == 0 || !card.push(&bytes[..run]) {
            break;
        }
        let end = next + run;
        // What follows may be something else, such as the expiry date: the longest number that fits counts.
        if (13..=MAX_DIGITS).contains(&card.count)
            && passes_luhn(card.digits())
            && closes(text, end)
            && card.is_known(&label)
        {
            best = Some(end);
        }
        let Some((kind, length)) = read_separator(&text[end..]) else { break };
        if separator.is_some_and(|first| first != kind) {
            break;
        }
        separator = Some(kind);
        next = end + length;
    }
    best.filter(|_| opens(text, at, separator))
}

/// Whether a card can begin here. Check digit and issuer say so much that a grouped one may follow a number and a dash.
fn opens(text: &str, at: usize, separator: Option<Separator>) -> bool {
    let before = &text[..at];
    let mut chars = before.chars().rev();
    match chars.next() {
        None => true,
        Some('-') => match chars.next() {
            Some(c) if c.is_ascii_digit() => {
                separator.is_some() && !before[..at - 1].ends_with(|c: char| c.is_ascii_hexdigit() && c.is_alphabetic())
            }
            Some(c) => !is_word(c),
            None => true,
        },
        Some('.') => !chars.next().is_some_and(|c| c.is_ascii_digit()),
        Some('_') => {
            let word =
                before.trim_end_matches('_').rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
            word.len() > 1
        }
        // The first track of a magnetic stripe.
        Some('B') => chars.next() == Some('%'),
        Some(c) => !is_word(c),
    }
}

/// Whether a card can end here; an expiry date may follow a dash.
fn closes(text: &str, end: usize) -> bool {
    match text.as_bytes()[end..] {
        [b'-', a, b, b'/', ..] if a.is_ascii_digit() && b.is_ascii_digit() => true,
        _ => super::boundary::closes(text, end),
    }
}

/// The separator at the start of `rest`, and its length.
fn read_separator(rest: &str) -> Option<(Separator, usize)> {
    let bytes = rest.as_bytes();
    let blanks = |from: usize| {
        bytes[from.min(bytes.len())..]
            .iter()
            .take(6)
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
            .count()
    };
    let before = blanks(0);
    let (separator, length) = match bytes.get(before) {
        Some(b'-') if before <= 1 => (Separator::Dash, before + 1 + blanks(before + 1)),
        Some(b'.') if before == 0 => (Separator::Dot, 1),
        Some(b'_' | b'/') if before == 0 => (Separator::Rare, 1),
        Some(0xc2) if rest.starts_with('·') => (Separator::Rare, '·'.len_utf8()),
        Some(0xe2) if before == 0 && rest.starts_with(['—', '―']) => (Separator::Dash, '—'.len_utf8()),
        Some(b'+') if before == 0 => (Separator::Encoded, 1),
        Some(b'%') if before == 0 && rest.starts_with("%20") => (Separator::Encoded, 3),
        _ if before > 0 => (Separator::Space, before),
        _ => return None,
    };
    let breaks = bytes[..length].iter().filter(|byte| **byte == b'\n').count();
    let fits = breaks <= 1 && (breaks == 1 || length <= 3);
    (fits && bytes.get(length).is_some_and(u8::is_ascii_digit)).then_some((separator, length))
}

/// What was read so far.
#[derive(Default)]
struct Card {
    digits: [u8; MAX_DIGITS],
    count: usize,
    lengths: [usize; MAX_GROUPS],
    groups: usize,
}

impl Card {
    /// Adds a group; false if it is too long.
    fn push(&mut self, group: &[u8]) -> bool {
        let Some(places) = self.digits.get_mut(self.count..self.count + group.len()) else { return false };
        places.copy_from_slice(group);
        self.count += group.len();
        self.lengths[self.groups] = group.len();
        self.groups += 1;
        true
    }

    fn digits(&self) -> &[u8] {
        &self.digits[..self.count]
    }

    fn is_grouped(&self) -> bool {
        match &self.lengths[..self.groups] {
            [_] | [4, 6, 4 | 5] | [4, 5, 6] | [6, 13] | [8, 8] => true,
            [first, fours @ .., last] if self.groups >= 4 => {
                *first == 4 && fours.iter().all(|length| *length == 4) && *last <= 4
            }
            _ => false,
        }
    }

    /// Whether grouping and issuer are those of a card; a word before it vouches for both.
    fn is_known(&self, label: impl Fn() -> Option<Label>) -> bool {
        let airline = self.digits().starts_with(b"1") && self.count == 15 && self.groups > 1;
        if self.is_grouped() && (airline || self.is_issued()) {
            return true;
        }
        (self.is_grouped() || self.count >= 15) && label() == Some(Label::Card)
    }

    fn is_issued(&self) -> bool {
        let length = self.count;
        if !(13..=19).contains(&length) {
            return false;
        }
        let prefix = self.digits().iter().take(6).fold(0, |value, digit| 10 * value + u32::from(digit - b'0'));
        match prefix {
            // Visa. The old 13-digit numbers look like article numbers (EAN-13), which are far more common today.
            400_000..=499_999 => matches!(length, 16 | 19) || (length == 13 && !is_article_number(self.digits())),
            // Mastercard.
            510_000..=559_999 | 222_100..=272_099 => length == 16,
            // American Express.
            340_000..=349_999 | 370_000..=379_999 => length == 15,
            // Diners Club.
            300_000..=305_999 | 309_500..=309_599 | 360_000..=369_999 | 380_000..=399_999 => length >= 14,
            // Discover, JCB, UnionPay, RuPay, Mir, Borica.
            601_100..=601_199
            | 644_000..=659_999
            | 352_800..=358_999
            | 620_000..=629_999
            | 810_000..=829_999
            | 220_000..=220_599 => length >= 16,
            // Dankort, RuPay, Verve, Elo, Meeza, Hipercard, Troy, InstaPayment, Uzcard, Humo, Napas.
            500_000..=509_999
            | 600_000..=609_999
            | 636_200..=639_999
            | 979_200..=979_299
            | 860_000..=860_099
            | 986_000..=986_099
            | 970_400..=970_499 => matches!(length, 16 | 18 | 19),
            // Maestro.
            589_300..=589_399 | 630_400..=630_499 | 675_900..=675_999 | 676_100..=676_399 => true,
            560_000..=589_299 | 670_000..=679_999 => length == 16,
            _ => false,
        }
    }
}

/// Whether the check digit of Luhn is valid.
pub(super) fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(digit - b'0')) {
            (0, digit) => digit,
            (_, digit) => 2 * digit / 10 + 2 * digit % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether the check digit of EAN-13 is valid.
fn is_article_number(digits: &[u8]) -> bool {
    let value = |digit: &u8| u32::from(digit - b'0');
    let sum: u32 = digits
        .iter()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 0 { value(digit) } else { 3 * value(digit) })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        end(text, 0, || None).map(|end| &text[..end])
    }

    #[test]
    fn test_numbers_of_the_issuers_are_found() {
        for number in [
            "4012888888881881",
            "4111111111111111",
            "4222222222222",
            "4917300800000000",
            "5555555555554444",
            "5105105105105100",
            "2223003122003222",
            "371449635398431",
            "378282246310005",
            "30569309025904",
            "38520000023237",
            "6011111111111117",
            "6011000400000000",
            "3528000700000000",
            "3530111333300000",
            "6759649826438453",
            "5019717010103742",
            "6200000000000005",
            "2200000000000053",
            "2720999999999996",
            "6599999999999995",
            "4000000000000000006",
            "5060990000000008",
            "5078650000000008",
        ] {
            assert_eq!(found(number), Some(number));
        }
    }

    #[test]
    fn printed_groupings_are_found() {
        for number in [
            "4012 8888 8888 1881",
            "4012-8888-8888-1881",
            "3782 822463 10005",
            "3056 930902 5904",
            "4222 2222 2222 2",
            "4111.1111.1111.1111",
            "4111\t1111\t1111\t1111",
            "4111  1111  1111  1111",
            "4111-1111-\n1111-1111",
            "4111 1111\n1111 1111",
            "4111+1111+1111+1111",
            "4111_1111_1111_1111",
            "4111/1111/1111/1111",
            "4111·1111·1111·1111",
            "4111—1111—1111—1111",
        ] {
            assert_eq!(found(number), Some(number));
        }
    }

    #[test]
    fn what_follows_a_card_is_not_part_of_it() {
        for after in [" 12/27", "-12/26", " 123", ",12", "; 4012", ".", ":737"] {
            assert_eq!(found(&format!("4012 8888 8888 1881{after}")), Some("4012 8888 8888 1881"), "{after}");
        }
    }

    #[test]
    fn numbers_that_only_look_like_cards_are_not_found() {
        for text in [
            "4012888888881882",    // check digit
            "4012-8888-8888-1882", // check digit
            "1220000000000003",    // unknown issuer
            "0000000000000000",
            "40128888888818",      // length
            "4012 8888-8888 1881", // mixed separators
            "40 12888 888881 881", // grouping
            "4012888888881881-77", // continues
            "4012888888881881.5",  // a fraction
            "4012888888881881a",   // within a word
            "4006381333931",       // article number
            "36168002586008",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn a_card_may_follow_a_number_or_a_label_directly() {
        for text in ["99-4111-1111-1111-1111", "card_4111111111111111", "%B4111111111111111^LUND/MIA"] {
            let at = text.find("4111").unwrap();
            assert!(end(text, at, || None).is_some(), "{text}");
        }
        for text in ["t_4111111111111111", "a9-4111111111111111", "x4111111111111111", "1.4111111111111111"] {
            let at = text.find("4111").unwrap();
            assert_eq!(end(text, at, || None), None, "{text}");
        }
    }

    #[test]
    fn a_label_vouches_for_the_issuer() {
        assert_eq!(end("1220000000000002", 0, || None), None);
        assert_eq!(end("1220000000000002", 0, || Some(Label::Card)), Some(16));
    }

    #[test]
    fn an_old_card_that_is_also_an_article_number_is_not_found() {
        // Both check digits are valid: the price of not matching article numbers.
        assert_eq!(found("4000000000006"), None);
        assert_eq!(found("4222222222222"), Some("4222222222222"));
    }
}
