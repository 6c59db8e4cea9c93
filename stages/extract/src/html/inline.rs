//! The text of one block while it is read: white space, the gaps between elements, raised and lowered text.

use crate::whitespace;
use crate::words::levels::{Level, Levels};

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

/// The text of the open block.
#[derive(Debug, Default)]
pub(super) struct Inline {
    text: String,
    /// What comes next is another word, although no white space is between.
    gap: bool,
    /// Where the open raised and lowered texts begin.
    open: Vec<(Level, usize)>,
    levels: Levels,
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
                _ if space == Space::IsKept => self.plain_letter(letter),
                '\n' if space == Space::KeepsLines => self.break_line(),
                ' ' | '\t' | '\n' | '\r' | '\x0C' => {
                    self.gap = false;
                    if !self.text.is_empty() && !self.text.ends_with([' ', '\n']) {
                        self.text.push(' ');
                    }
                }
                _ => self.plain_letter(letter),
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
        self.levels.end_number(&self.text);
    }

    /// Begins text at another level.
    pub(super) fn open_level(&mut self, level: Level) {
        self.open.push((level, self.text.len()));
    }

    /// The innermost text at another level is a reference to a note.
    pub(super) fn mark_note(&mut self) {
        if let Some((level @ Level::Raised, _)) = self.open.last_mut() {
            *level = Level::Note;
        }
    }

    /// Ends the innermost text at another level.
    pub(super) fn close_level(&mut self) {
        let Some((level, from)) = self.open.pop() else { return };
        if self.open.len() >= DEEPEST_LEVEL || from > self.text.len() || !self.text.is_char_boundary(from) {
            return;
        }
        let part = self.text.split_off(from);
        // What is raised before a word, such as the number of a note, is a word of its own.
        let is_apart = self.text.is_empty() || self.text.ends_with(char::is_whitespace);
        self.levels.append(&mut self.text, level, &part);
        if is_apart {
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
        self.open.clear();
        self.levels = Levels::default();
        std::mem::take(&mut self.text)
    }

    fn plain_letter(&mut self, letter: char) {
        if let Some(letter) = whitespace::plain(letter) {
            self.letter(letter);
        }
    }

    fn letter(&mut self, letter: char) {
        let number_ended = self.levels.take_number_ended();
        let is_word = letter.is_alphanumeric() || "([{“‘«\"#@$€£¥".contains(letter);
        let apart = (self.gap && is_word) || (number_ended && letter.is_ascii_digit());
        if apart && !self.text.is_empty() && !self.text.ends_with([' ', '\n', '(', '[', '{', '“', '‘', '«', '/']) {
            self.text.push(' ');
        }
        self.gap = false;
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
    fn a_fraction_may_take_the_place_of_longer_text() {
        let (raised, lowered) = (Some(Level::Raised), Some(Level::Lowered));
        assert_eq!(written(&[("3", None), ("5", raised), ("\u{2044}", None), ("8", lowered), ("x", None)]), "3 5/8x");
        assert_eq!(written(&[("1", raised), ("/", None), ("4", lowered)]), "1/4");
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
