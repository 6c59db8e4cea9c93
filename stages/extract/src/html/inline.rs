//! The text of one block while it is read: white space, the gaps between elements, raised and lowered text.

use crate::levels::{self, Level};
use crate::whitespace;

/// Levels nested deeper are ignored: each takes a copy of its text.
const DEEPEST_LEVEL: usize = 16;

/// What white space means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    /// Any amount is one space.
    Collapses,
    /// The same, but line breaks are kept.
    KeepsLines,
    /// All of it is kept.
    IsKept,
}

/// A piece of raised text that was just written, and may be the numerator of a fraction.
#[derive(Debug)]
struct Numerator {
    from: usize,
    to: usize,
    digits: String,
}

/// The text of the open block.
#[derive(Debug, Default)]
pub(super) struct Inline {
    text: String,
    /// What comes next is another word, although no white space is between.
    gap: bool,
    /// Where the open raised and lowered texts begin.
    levels: Vec<(Level, usize)>,
    numerator: Option<Numerator>,
    /// The text ends with the last digit of a number.
    number_ended: bool,
}

impl Inline {
    /// The number of bytes.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether there is no text.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Adds text.
    pub(super) fn push(&mut self, text: &str, space: Space) {
        for letter in text.chars() {
            match letter {
                // Operators of formulas that are not seen.
                '\u{2061}'..='\u{2064}' => {}
                _ if space == Space::IsKept => self.letter(whitespace::plain(letter)),
                '\n' if space == Space::KeepsLines => self.break_line(),
                ' ' | '\t' | '\n' | '\r' | '\x0C' => {
                    self.gap = false;
                    if !self.text.is_empty() && !self.text.ends_with([' ', '\n']) {
                        self.text.push(' ');
                    }
                }
                _ => self.letter(whitespace::plain(letter)),
            }
        }
    }

    /// Separates what follows from the word before, if both are words.
    pub(super) fn gap(&mut self) {
        self.gap = !self.text.is_empty();
    }

    /// Breaks the line.
    pub(super) fn break_line(&mut self) {
        self.text.push('\n');
    }

    /// Breaks the line if something is on it.
    pub(super) fn end_line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// Digits that follow belong to another number.
    pub(super) fn end_number(&mut self) {
        self.number_ended = self.text.ends_with(|letter: char| letter.is_ascii_digit());
    }

    /// Begins text at another level.
    pub(super) fn open_level(&mut self, level: Level) {
        self.levels.push((level, self.text.len()));
    }

    /// The innermost text at another level is a reference to a note.
    pub(super) fn mark_note(&mut self) {
        if let Some((level @ Level::Raised, _)) = self.levels.last_mut() {
            *level = Level::Note;
        }
    }

    /// Ends the innermost text at another level.
    pub(super) fn close_level(&mut self) {
        let Some((level, from)) = self.levels.pop() else { return };
        if self.levels.len() >= DEEPEST_LEVEL || from > self.text.len() || !self.text.is_char_boundary(from) {
            return;
        }
        let part = self.text.split_off(from);
        if self.is_denominator(level, &part) {
            return;
        }
        levels::append(&mut self.text, level, &part);
        let digits = part.trim();
        self.number_ended = digits.ends_with(|letter: char| letter.is_ascii_digit());
        self.numerator = match level == Level::Raised && levels::is_number(digits) {
            true => Some(Numerator { from, to: self.text.len(), digits: digits.to_owned() }),
            false => None,
        };
        // What is raised before a word, such as the number of a note, is a word of its own.
        if self.text[..from].ends_with(char::is_whitespace) || from == 0 {
            self.gap();
        }
    }

    /// Adds an opening parenthesis, if there is none; whether it did.
    pub(super) fn parenthesis(&mut self) -> bool {
        let is_open = self.text.is_empty() || self.text.ends_with(['(', '（', '[']);
        if !is_open {
            self.text.push('(');
        }
        !is_open
    }

    /// Removes what was added since the text had `length` bytes, and returns it.
    pub(super) fn take_from(&mut self, length: usize) -> String {
        match self.text.is_char_boundary(length) {
            true => self.text.split_off(length),
            false => String::new(),
        }
    }

    /// The text since it had `length` bytes.
    pub(super) fn since(&self, length: usize) -> &str {
        self.text.get(length..).unwrap_or_default()
    }

    /// Takes the text of the block; the next one begins.
    pub(super) fn take(&mut self) -> String {
        self.gap = false;
        self.levels.clear();
        self.numerator = None;
        self.number_ended = false;
        std::mem::take(&mut self.text)
    }

    /// A raised number, a stroke and a lowered number are a fraction: it is written as one, behind a whole number if
    /// there is one.
    fn is_denominator(&mut self, level: Level, part: &str) -> bool {
        let part = part.trim();
        let Some(numerator) = self.numerator.take() else { return false };
        let stroke = self.text.get(numerator.to..).unwrap_or_default().trim();
        if level != Level::Lowered || !levels::is_number(part) || !matches!(stroke, "/" | "\u{2044}") {
            return false;
        }
        self.text.truncate(numerator.from);
        if self.text.ends_with(char::is_alphanumeric) {
            self.text.push(' ');
        }
        self.text.push_str(&format!("{}/{part}", numerator.digits));
        self.number_ended = true;
        true
    }

    fn letter(&mut self, letter: char) {
        let is_word = letter.is_alphanumeric() || "([{“‘«\"#@$€£¥".contains(letter);
        let apart = (self.gap && is_word) || (self.number_ended && letter.is_ascii_digit());
        if apart && !self.text.is_empty() && !self.text.ends_with([' ', '\n', '(', '[', '{', '“', '‘', '«', '/']) {
            self.text.push(' ');
        }
        self.gap = false;
        self.number_ended = false;
        self.text.push(letter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(steps: &[(&str, Option<Level>)]) -> String {
        let mut inline = Inline::default();
        for (text, level) in steps {
            if let Some(level) = level {
                inline.open_level(*level);
            }
            inline.push(text, Space::Collapses);
            if level.is_some() {
                inline.close_level();
            }
        }
        inline.take()
    }

    #[test]
    fn fractions_are_no_larger_numbers() {
        let (raised, lowered) = (Some(Level::Raised), Some(Level::Lowered));
        assert_eq!(written(&[("1", None), ("2", raised), ("/", None), ("5", lowered), ("cm", None)]), "1 2/5cm");
        assert_eq!(written(&[("2", raised), ("\u{2044}", None), ("5", lowered)]), "2/5");
    }

    #[test]
    fn digits_beside_a_raised_one_are_apart() {
        assert_eq!(written(&[("10", None), ("6", Some(Level::Raised)), ("5", None)]), "10^6 5");
        assert_eq!(written(&[("1", Some(Level::Raised)), ("See there", None)]), "1 See there");
    }

    #[test]
    fn a_gap_separates_words_only() {
        let mut inline = Inline::default();
        for text in ["Home", "About", ", too"] {
            inline.push(text, Space::Collapses);
            inline.gap();
        }
        assert_eq!(inline.take(), "Home About, too");
    }
}
