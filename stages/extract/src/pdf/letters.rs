//! How the characters that a font states are written as text.

use std::iter::once;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::compose;

use super::radicals;
use crate::whitespace;

/// Appends a letter. Ligatures and forms that only serve the typesetting are replaced by the letters they stand for, so
/// that a word is found however it was set; control characters are not text.
pub(super) fn push(letter: char, text: &mut String) {
    match letter {
        ' '..='~' => text.push(letter),
        '\u{FB00}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}' => push_forms(letter, text),
        // Radicals, which look like the ideographs they are and which some fonts give in their place.
        '\u{2F00}'..='\u{2FD5}' | '\u{F900}'..='\u{FAFF}' => text.extend(once(letter).nfkc()),
        '\u{2E80}'..='\u{2EFF}' => text.push(radicals::ideograph(letter).unwrap_or(letter)),
        '\u{300}'..='\u{36F}' => push_accent(letter, text),
        '\u{F0A0}'..='\u{F0FF}' => text.push(bullet(letter)),
        '\t' | '\n' | '\r' => text.push(' '),
        // At the end of a line it says that the word goes on.
        '\u{AD}' => text.push(letter),
        '\u{200B}' => {}
        _ if letter.is_control() => {}
        _ => text.extend(whitespace::plain(letter)),
    }
}

/// Appends the letters of a presentation form. Forms of lone vowel signs decompose to a space and the sign: only the sign
/// is text.
fn push_forms(form: char, text: &mut String) {
    let plain: String = once(form).nfkc().collect();
    match plain.strip_prefix(' ') {
        Some(sign) if !sign.is_empty() => text.push_str(sign),
        _ => text.push_str(&plain),
    }
}

/// Appends an accent, to the letter before it if there is one letter for both.
fn push_accent(accent: char, text: &mut String) {
    match text.chars().next_back().and_then(|letter| Some((letter, compose(letter, accent)?))) {
        Some((letter, both)) => {
            text.truncate(text.len() - letter.len_utf8());
            text.push(both);
        }
        None => text.push(accent),
    }
}

/// The usual meaning of the private characters with which symbol fonts are mapped.
fn bullet(private: char) -> char {
    match private {
        '\u{F0B7}' | '\u{F0B0}' | '\u{F0A0}' => '•',
        '\u{F0A7}' => '▪',
        '\u{F0A8}' | '\u{F0A3}' => '☐',
        '\u{F0D8}' => '➢',
        '\u{F0E0}' | '\u{F0E8}' => '→',
        '\u{F0DF}' => '←',
        '\u{F0FB}' => '✗',
        '\u{F0FC}' => '✓',
        '\u{F0FD}' => '☒',
        '\u{F0FE}' => '☑',
        _ => private,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(letters: &str) -> String {
        let mut text = String::new();
        letters.chars().for_each(|letter| push(letter, &mut text));
        text
    }

    #[test]
    fn forms_become_the_letters_they_stand_for() {
        assert_eq!(written("\u{FB03}x \u{FB06}"), "ffix st");
        assert_eq!(written("\u{FEE3}\u{FEAD}\u{FEA3}\u{FE92}\u{FE8E}"), "مرحبا");
        assert_eq!(written("\u{FEFB}\u{FE76}\u{FE83}"), "لا\u{64E}أ");
        assert_eq!(written("\u{FB2A}"), "ש\u{5C1}");
        assert_eq!(written("\u{2F08}\u{2F2F}\u{2EDA}"), "人工页");
    }

    #[test]
    fn accents_join_their_letter_and_control_characters_are_left_out() {
        assert_eq!(written("e\u{301}\u{1}\u{8}x"), "éx");
        assert_eq!(written("\u{F0B7} item"), "• item");
    }
}
