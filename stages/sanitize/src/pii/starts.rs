//! Where numbers can begin: a pass over the text that skips everything no number begins with.

use crate::sweep::{Eight, Mask, Sweep};

/// The most hexadecimal digits before the first ":" of an address.
const LONGEST_GROUP: usize = 4;

/// Calls `visit` with the start of every word, "+", "(" and ":" at which something that `numbers` recognises can begin,
/// in ascending order. Each of those has, among its first characters, a digit or a sign that separates groups.
pub(super) fn each(bytes: &[u8], mut visit: impl FnMut(usize)) {
    let mut next = 0;
    let mut visit = |start: usize| {
        if start >= next {
            next = start + 1;
            visit(start);
        }
    };
    for at in Sweep::new(bytes, digits_and_separators) {
        match bytes[at] {
            b'0'..=b'9' => {
                if let Some(start) = underlined_start(bytes, at) {
                    visit(start);
                }
                before_digit(bytes, at, &mut visit);
            }
            b':' => {
                if let Some(start) = group_start(bytes, at) {
                    visit(start);
                }
                if bytes.get(at + 1) == Some(&b':') {
                    visit(at);
                }
            }
            // The groups of a hardware address have two or four digits.
            b'-' if group_start(bytes, at).is_some_and(|start| at - start == 2) => visit(at - 2),
            b'.' if group_start(bytes, at).is_some_and(|start| at - start == 4) => visit(at - 4),
            _ => {}
        }
    }
}

/// Digits, "-", ".", ":" and, because it is between them, "/".
fn digits_and_separators(eight: Eight) -> Mask {
    eight.within(b'-', b':')
}

/// The most letters before the first digit of an identity number.
const MOST_LETTERS: usize = 6;

fn before_digit(bytes: &[u8], at: usize, visit: &mut impl FnMut(usize)) {
    match bytes[..at] {
        [.., b'0'..=b'9'] => {}
        [.., b'%'] if matches!(bytes[at..], [b'2', b'B' | b'b', ..]) => {
            visit(at - 1);
            visit(at);
        }
        [.., b'%', b'B'] => visit(at),
        [.., b'(' | b'[', b'+'] => {
            visit(at - 2);
            visit(at - 1);
            visit(at);
        }
        [.., b'+', b'(' | b' '] => {
            visit(at - 2);
            visit(at - 1);
            visit(at);
        }
        [.., b'+' | b'('] => {
            visit(at - 1);
            visit(at);
        }
        // The country of an account number, or the first letters of an identity number, may be apart.
        [.., a, b, b' '] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
            visit(at - 3);
            visit(at);
        }
        [.., a, b'-' | b'.'] if a.is_ascii_uppercase() => {
            visit(at - 2);
            visit(at);
        }
        [.., letter] if letter.is_ascii_alphabetic() => {
            let letters = bytes[..at].iter().rev().take(12).take_while(|byte| byte.is_ascii_alphabetic()).count();
            // No word begins within one of digits and letters, such as a digest.
            let within = bytes[..at - letters].last().is_some_and(u8::is_ascii_digit);
            if letters <= MOST_LETTERS && !within {
                visit(at - letters);
            }
            // `IBANDE89`, `SSN219`: what follows a word directly, if a detector knows the word.
            if letters > 2 {
                visit(at - 2);
                visit(at);
            }
        }
        _ => visit(at),
    }
}

/// Where a hardware address with "_" between its pairs begins if the digit at `at` is its first one.
fn underlined_start(bytes: &[u8], at: usize) -> Option<usize> {
    let is_letter = |at: usize| bytes.get(at).is_some_and(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_digit());
    let mut start = match bytes[..at] {
        [.., b'_'] => at,
        [.., b'_', _] | [_] if is_letter(at - 1) => at - 1,
        _ => return None,
    };
    // As many pairs as an address has before its last one.
    for _ in 0..5 {
        match start.checked_sub(3) {
            Some(pair) if bytes[start - 1] == b'_' && is_letter(pair) && is_letter(pair + 1) => start = pair,
            _ => break,
        }
    }
    Some(start)
}

/// Where a group of hexadecimal digits before `at` begins if its first one is a letter.
fn group_start(bytes: &[u8], at: usize) -> Option<usize> {
    let digits = bytes[..at].iter().rev().take(LONGEST_GROUP).take_while(|byte| byte.is_ascii_hexdigit()).count();
    bytes[at - digits].is_ascii_alphabetic().then_some(at - digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(text: &str) -> Vec<usize> {
        let mut starts = Vec::new();
        each(text.as_bytes(), |start| starts.push(start));
        starts
    }

    #[test]
    fn words_without_digits_and_separators_are_passed_over() {
        assert!(starts("The agreement, which began (as planned) at once + ends: never; a-b decided. Paid.").is_empty());
    }

    #[test]
    fn a_number_begins_with_its_first_sign() {
        assert_eq!(starts("a 12, +49 (30) +(1)"), [2, 6, 7, 10, 11, 15, 16, 17]);
        assert_eq!(starts("a12 (b3) x(4 ::1 a::b"), [0, 5, 10, 11, 13, 15, 17, 18]);
    }

    #[test]
    fn a_word_with_a_number_in_it_may_begin_at_the_number_too() {
        assert_eq!(starts("DE89 abc12 x1 IBANDE89"), [0, 5, 6, 8, 11, 14, 18, 20]);
        assert_eq!(starts("+ 49 %2B49 DE 89"), [0, 1, 2, 5, 6, 11, 14]);
    }
}
