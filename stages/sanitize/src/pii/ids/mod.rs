//! National identity and tax numbers: by a form and check digits that hardly anything else has, or after a word that
//! announces them.

mod checks;
mod forms;

use std::sync::LazyLock;

use forms::{FORMS, Form};

use super::boundary::{closes, is_word, opens};
use super::national::Countries;
use super::words::Label;
use crate::kind::Kind;

/// The most letters and digits of a number that is announced.
const MAX_LENGTH: usize = 20;

/// The forms by how many digits they begin with.
static FORMS_BY_LEADS: LazyLock<[Vec<&Form>; MAX_LENGTH + 1]> =
    LazyLock::new(|| std::array::from_fn(|leads| FORMS.iter().filter(|form| form.leading_digits == leads).collect()));

/// The kind and the end of the number that begins at `at`, told by its form.
pub(super) fn by_form(text: &str, at: usize, countries: &Countries) -> Option<(Kind, usize)> {
    let bytes = text.as_bytes();
    if !opens(text, at) {
        return None;
    }
    let leads = bytes[at..].iter().take(MAX_LENGTH).take_while(|byte| byte.is_ascii_digit()).count();
    FORMS_BY_LEADS
        .get(leads)?
        .iter()
        .filter(|form| countries.include(form.country))
        .find_map(|form| matched(text, at, form).map(|end| (form.kind, end)))
}

fn matched(text: &str, at: usize, form: &Form) -> Option<usize> {
    let bytes = &text.as_bytes()[at..];
    let shape = form.shape.as_bytes();
    let number = bytes.get(..shape.len())?;
    let mut plain = [0; MAX_LENGTH];
    let mut count = 0;
    for (byte, class) in number.iter().zip(shape) {
        let fits = match class {
            b'd' => byte.is_ascii_digit(),
            b'L' => byte.is_ascii_uppercase(),
            b'X' => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            literal => byte == literal,
        };
        if !fits {
            return None;
        }
        if byte.is_ascii_alphanumeric() {
            *plain.get_mut(count)? = *byte;
            count += 1;
        }
    }
    let end = at + shape.len();
    ((form.check)(&plain[..count]) && closes(text, end)).then_some(end)
}

/// The kind and the end of the number that begins at `at`, which a word announces.
pub(super) fn announced(text: &str, at: usize, label: impl Fn() -> Option<Label>) -> Option<(Kind, usize)> {
    if text[..at].ends_with(|c| is_word(c) && c != '_') {
        return None;
    }
    let (end, plain) = token(text, at)?;
    let label = label()?;
    let kind = match label {
        Label::NationalId | Label::MayBeId => Kind::NationalId,
        Label::TaxId => Kind::TaxId,
        _ => return None,
    };
    (label != Label::MayBeId || checks::is_ambiguous_but_valid(plain.as_slice())).then_some((kind, end))
}

/// The letters and digits of a number.
#[derive(Default)]
struct Plain {
    bytes: [u8; MAX_LENGTH],
    length: usize,
}

impl Plain {
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Adds a group; false if there is no room for it.
    fn push(&mut self, group: &[u8]) -> bool {
        let Some(places) = self.bytes.get_mut(self.length..self.length + group.len()) else { return false };
        places.copy_from_slice(group);
        self.length += group.len();
        true
    }

    fn is_number(&self) -> bool {
        self.length >= 6 && self.as_slice().iter().filter(|byte| byte.is_ascii_digit()).count() >= 4
    }
}

/// The end of the groups of letters and digits at `at` that can be a number, and what they hold.
fn token(text: &str, at: usize) -> Option<(usize, Plain)> {
    let bytes = text.as_bytes();
    let mut plain = Plain::default();
    let mut end = at;
    let mut next = at;
    loop {
        let run = bytes[next..].iter().take(MAX_LENGTH + 1).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let group = &bytes[next..next + run];
        let has_digit = group.iter().any(u8::is_ascii_digit);
        let is_letters = run > 0 && run <= 3 && group.iter().all(u8::is_ascii_uppercase);
        if !(has_digit || is_letters) || text[next + run..].starts_with(is_word) || !plain.push(group) {
            break;
        }
        end = next + run;
        // A long group is the whole number; short ones are parts of it.
        let enough = plain.is_number() && (run > 5 || plain.length == run);
        match bytes.get(end..end + 2) {
            Some([b'-' | b'.' | b'/', after]) if after.is_ascii_alphanumeric() => next = end + 1,
            Some([b' ', after]) if after.is_ascii_alphanumeric() && (!enough || is_last_letter(&text[end + 1..])) => {
                next = end + 1
            }
            _ => break,
        }
    }
    // Hong Kong writes the check digit in brackets.
    if let Some([b'(', check, b')']) = bytes.get(end..end + 3) {
        end += if check.is_ascii_alphanumeric() { 3 } else { 0 };
    }
    plain.is_number().then_some((end, plain))
}

/// Whether one capital stands alone, as at the end of `AB 12 34 56 C`.
fn is_last_letter(rest: &str) -> bool {
    rest.starts_with(|c: char| c.is_ascii_uppercase()) && !rest[1..].starts_with(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        by_form(text, 0, &Countries::default()).map(|(_, end)| &text[..end])
    }

    #[test]
    fn numbers_with_a_form_of_their_own_are_found() {
        for number in [
            "12345678Z",
            "X1234567L",
            "RSSMRA85T10A562S",
            "390.533.447-05",
            "11.222.333/0001-81",
            "ABCPE1234F",
            "11010519491231002X",
            "AB 12 34 56 C",
            "1 85 05 78 006 084 91",
            "185057800608491",
            "85.07.30-033.28",
            "811218-9876",
            "131052-308T",
            "756.9217.0769.85",
            "8001015009087",
            "900101-1234567",
            "A123456(3)",
            "S1234567D",
            "20-12345678-6",
            "12.345.678-5",
            "112-233-445 95",
            "123-456-32-18",
            "912-71-1234",
        ] {
            assert_eq!(found(number), Some(number));
        }
    }

    #[test]
    fn a_wrong_check_digit_or_another_form_is_not_found() {
        for text in [
            "12345678A",
            "X1234567A",
            "RSSMRA85T10A562T",
            "390.533.447-06",
            "11010519491231002X1",
            "85.07.30-033.29",
            "811218-9875",
            "131052-308U",
            "756.9217.0769.86",
            "8001015009088",
            "991301-1234567",
            "12.345.678-6",
            "AB 123456 C",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn an_announced_number_is_found_whole() {
        let found = |text| announced(text, 0, || Some(Label::NationalId)).map(|(_, end)| &text[..end]);
        assert_eq!(found("C01X00T47 issued"), Some("C01X00T47"));
        assert_eq!(found("AB 12 34 56 C and"), Some("AB 12 34 56 C"));
        assert_eq!(found("12 345 678 901"), Some("12 345 678 901"));
        assert_eq!(found("12/345/67890."), Some("12/345/67890"));
        assert_eq!(found("533380006 2020"), Some("533380006"));
        for text in ["required", "12", "is 12", "number", "2020"] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn an_ambiguous_word_needs_check_digits() {
        assert!(announced("046 454 286", 0, || Some(Label::MayBeId)).is_some());
        assert!(announced("046 454 280", 0, || Some(Label::MayBeId)).is_none());
    }
}
