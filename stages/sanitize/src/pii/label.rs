//! The words before a value that say what it is: `Tel. no.: `, `"mobilePhone": "`, `手机:`.

use std::borrow::Cow;

use super::words::{self, Label, Meaning};

/// How far back to look, in bytes.
const REACH: usize = 72;
/// How many words to look at; most are fillers such as "number is".
const MAX_WORDS: usize = 6;
/// A label on a line of its own, above its value, is short.
const SHORT_LINE: usize = 28;

/// A label, and whether only spaces and dots are between it and the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) label: Label,
    pub(super) direct: bool,
}

/// The label that announces what begins at `at`.
pub(super) fn before(text: &str, at: usize) -> Option<Found> {
    let start = text.floor_char_boundary(at.saturating_sub(REACH));
    let mut rest = &text[start..at];
    let mut direct = true;
    let mut crossed = false;
    let mut numbered = false;
    for _ in 0..MAX_WORDS {
        let trimmed = rest.trim_end_matches(is_joint);
        let gap = &rest[trimmed.len()..];
        direct &= gap.chars().all(|c| matches!(c, ' ' | '.' | '\t'));
        // A value may stand on the line below its label, but not further away.
        match gap.bytes().filter(|byte| *byte == b'\n').count() {
            0 => {}
            1 if !crossed => crossed = true,
            _ => return None,
        }
        let start = last_word(trimmed);
        let word = words::normal(&trimmed[start..]);
        // The label may be numbered, as in `phone2`.
        let bare = word.trim_end_matches(|c: char| c.is_ascii_digit());
        if word.is_empty() || (bare.is_empty() && word.len() > 2) {
            return sign(trimmed).map(|label| Found { label, direct });
        }
        // `phone 2: `; but a row of numbers is no label.
        if bare.is_empty() && std::mem::replace(&mut numbered, true) {
            return None;
        }
        let meaning = match hump(trimmed, start) {
            Some(label) => Meaning::Label(label),
            None => words::meaning(bare, || word_before(trimmed, start)),
        };
        match meaning {
            Meaning::Label(label) => {
                let line = trimmed[..start].rsplit('\n').next().unwrap_or_default();
                let alone = !crossed || line.len() <= SHORT_LINE;
                return (alone && label != Label::Nothing).then_some(Found { label, direct });
            }
            Meaning::Unknown if !bare.is_empty() => return None,
            Meaning::Unknown | Meaning::Filler => {}
        }
        rest = &trimmed[..start];
    }
    None
}

/// The word before the one that starts at `start`, without its number.
fn word_before(text: &str, start: usize) -> Cow<'_, str> {
    let before = text[..start].trim_end_matches([' ', '\t', '.', '-', '_', '/', ';', '\'', '’']);
    words::normal(&before[last_word(before)..])
}

/// Whether a name, such as that of a JSON member or a column, says what its value is.
pub(crate) fn of_name(name: &str) -> Option<Label> {
    before(name, name.len()).map(|found| found.label)
}

/// The start of the last word, or of its last part if it is written in camel case.
fn last_word(text: &str) -> usize {
    let mut start = text.len();
    let mut next: Option<char> = None;
    for (at, c) in text.char_indices().rev() {
        let is_hump = c.is_lowercase() && next.is_some_and(char::is_uppercase);
        if !words::is_letter_or_digit(c) || is_hump {
            break;
        }
        start = at;
        next = Some(c);
    }
    start
}

/// The label of a whole word in camel case, of which a part starts at `start`.
fn hump(text: &str, start: usize) -> Option<Label> {
    if !text[..start].ends_with(char::is_lowercase) {
        return None;
    }
    let before = text[..start].trim_end_matches(words::is_letter_or_digit).len();
    match words::meaning(&words::normal(&text[before..]), Cow::default) {
        Meaning::Label(label) => Some(label),
        Meaning::Filler | Meaning::Unknown => None,
    }
}

/// A sign that is a label of its own.
fn sign(text: &str) -> Option<Label> {
    match text.chars().next_back()? {
        '§' => Some(Label::Section),
        '☎' | '📞' | '📱' | '☏' | '✆' | '📠' => Some(Label::Phone),
        _ => None,
    }
}

/// What may stand between a label and its value. A closing square bracket is the end of a placeholder.
fn is_joint(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t'
            | '\n'
            | '\r'
            | ':'
            | '.'
            | '#'
            | '='
            | '('
            | ')'
            | '"'
            | '\''
            | '/'
            | '|'
            | ','
            | '?'
            | '&'
            | '-'
            | '_'
            | '*'
            | '>'
            | '<'
            | '\\'
            | '['
            | '{'
            | '—'
            | '―'
            | '“'
            | '„'
            | '”'
            | '’'
            | '°'
            | 'º'
            | '№'
            | '~'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str) -> Option<Label> {
        before(text, text.len()).map(|found| found.label)
    }

    #[test]
    fn a_label_comes_directly_before_in_many_spellings() {
        for text in [
            "Phone: ",
            "\"home_phone\": \"",
            "phone number is ",
            "PHONE NO. ",
            "(phone ",
            "phone2: ",
            "mobilePhone=",
            "phoneNumber\":",
            "Telephone (home): ",
            "tel. kom. ",
            "Mob: ",
            "Ph: ",
            "Contact number: ",
            "Tel/Fax: ",
            "手机:",
            "我的手机号码是",
            "電話番号:",
            "тел. ",
            "Téléphone : ",
            "telemóvel ",
            "https://wa.me/",
            "| phone | ",
            "Phone\n",
            "Phone number:\n",
            "<td>Phone</td><td>",
            "<phone type=\"home\">",
            "TEL;TYPE=HOME,VOICE:",
            "Numer telefonu: ",
            "휴대폰 번호: ",
            "मोबाइल नंबर: ",
            "{\"callerId\":\"",
        ] {
            assert_eq!(label(text), Some(Label::Phone), "{text}");
        }
        for text in ["SSN: ", "social_security_number: ", "Social Security Number: ", "SSN — ", "SS# ", "| ssn | "] {
            assert_eq!(label(text), Some(Label::Ssn), "{text}");
        }
        for text in ["AssemblyVersion(\"", "version ", "v. "] {
            assert_eq!(label(text), Some(Label::Version), "{text}");
        }
        assert_eq!(label("§ "), Some(Label::Section));
        for text in ["P/N ", "S/N: ", "Bestell-Nr.: ", "Modell "] {
            assert_eq!(label(text), Some(Label::Order), "{text}");
        }
        assert_eq!((label("fixed in "), label("look in ")), (Some(Label::Version), None));
    }

    #[test]
    fn other_words_end_the_search() {
        for text in [
            "",
            "telephones ",
            "phone call about ",
            "megaphone ",
            "phone] ",
            "security ",
            "iPhone ",
            "we spoke at length about the phone\n",
            "phone\n\n",
        ] {
            assert_eq!(label(text), None, "{text}");
        }
    }

    #[test]
    fn the_reach_may_begin_within_a_character() {
        assert_eq!(label(&("€".repeat(40) + " phone ")), Some(Label::Phone));
    }
}
