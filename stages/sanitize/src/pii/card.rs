//! Payment cards: the prefix of a known issuer with a length that this issuer uses, a valid check digit (Luhn), and one
//! of the groupings that are printed on cards.

use super::boundary::closes;
use super::groups::{Bracket, Group, Separator, all_separated_by, digit_count, digits, has_lengths};

/// The end of the card number at the start of the groups.
pub(super) fn end(text: &str, groups: &[Group<'_>]) -> Option<usize> {
    // What follows after a space may be something else, such as the expiry date: use the longest number that fits.
    (1..=groups.len().min(5)).rev().map(|count| &groups[..count]).find_map(|number| {
        let end = number.last()?.end;
        (is_grouped(number) && is_issued(number) && passes_luhn(number) && closes(text, end)).then_some(end)
    })
}

fn is_grouped(number: &[Group<'_>]) -> bool {
    if number.iter().any(|group| group.bracket == Bracket::Around) {
        return false;
    }
    let even = all_separated_by(number, Separator::Space) || all_separated_by(number, Separator::Dash);
    match number {
        [_] => true,
        [_, _, _] => even && (has_lengths(number, &[4, 6, 5]) || has_lengths(number, &[4, 6, 4])),
        [fours @ .., last] => even && fours.iter().all(|group| group.digits.len() == 4) && last.digits.len() <= 4,
        [] => false,
    }
}

fn is_issued(number: &[Group<'_>]) -> bool {
    let length = digit_count(number);
    if !(13..=19).contains(&length) {
        return false;
    }
    let prefix = digits(number).take(6).fold(0, |value, digit| 10 * value + digit);
    match prefix {
        // Visa. The old 13-digit numbers look like article numbers (EAN-13), which are far more common today.
        400_000..=499_999 => matches!(length, 16 | 19) || (length == 13 && !is_article_number(number)),
        // Mastercard.
        510_000..=559_999 | 222_100..=272_099 => length == 16,
        // American Express.
        340_000..=349_999 | 370_000..=379_999 => length == 15,
        // Diners Club.
        300_000..=305_999 | 309_500..=309_599 | 360_000..=369_999 | 380_000..=399_999 => length >= 14,
        // Discover, JCB, UnionPay, Mir.
        601_100..=601_199
        | 644_000..=659_999
        | 352_800..=358_999
        | 620_000..=629_999
        | 810_000..=819_999
        | 220_000..=220_499 => length >= 16,
        // Dankort, RuPay, Troy.
        501_900..=501_999 | 508_500..=508_999 | 606_985..=607_984 | 608_001..=608_500 | 979_200..=979_289 => {
            length == 16
        }
        // Maestro.
        501_800..=501_899
        | 502_000..=502_099
        | 503_800..=503_899
        | 589_300..=589_399
        | 630_400..=630_499
        | 675_900..=675_999
        | 676_100..=676_399 => true,
        _ => false,
    }
}

fn passes_luhn(number: &[Group<'_>]) -> bool {
    let sum: u32 = digits(number)
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => digit,
            _ => 2 * digit / 10 + 2 * digit % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether the check digit of EAN-13 is valid.
fn is_article_number(number: &[Group<'_>]) -> bool {
    let sum: u32 =
        digits(number).enumerate().map(|(place, digit)| if place % 2 == 0 { digit } else { 3 * digit }).sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::super::groups::Groups;
    use super::*;

    fn found(text: &str) -> Option<&str> {
        end(text, Groups::read(text, 0).as_slice()).map(|end| &text[..end])
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
        ] {
            assert_eq!(found(number), Some(number));
        }
    }

    #[test]
    fn printed_groupings_are_found() {
        for number in
            ["4012 8888 8888 1881", "4012-8888-8888-1881", "3782 822463 10005", "3056 930902 5904", "4222 2222 2222 2"]
        {
            assert_eq!(found(number), Some(number));
        }
    }

    #[test]
    fn what_follows_a_card_is_not_part_of_it() {
        for after in [" 12/27", " 123", ",12", "; 4012", ".", ":737"] {
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
    fn an_old_card_that_is_also_an_article_number_is_not_found() {
        // Both check digits are valid: the price of not matching article numbers.
        assert_eq!(found("4000000000006"), None);
        assert_eq!(found("4222222222222"), Some("4222222222222"));
    }
}
