//! A paragraph of an open document being read.

use crate::words::levels::Level;
use crate::words::scripted::Scripted;

/// What a paragraph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A heading of this level.
    Heading(u8),
    /// Any other paragraph.
    Text,
}

/// A paragraph being read.
#[derive(Debug)]
pub(super) struct Paragraph {
    pub(super) role: Role,
    pub(super) style: String,
    text: Scripted,
    /// A space has come, which the next letter makes one of the text.
    space: bool,
    is_empty: bool,
}

impl Paragraph {
    pub(super) fn new(role: Role, style: String) -> Self {
        Self { role, style, text: Scripted::default(), space: false, is_empty: true }
    }

    /// Adds letters as they stand in the XML, where white space collapses.
    pub(super) fn push_collapsed(&mut self, text: &str, script: Level) {
        let mut out = String::with_capacity(text.len());
        for letter in text.chars() {
            match letter {
                ' ' | '\t' | '\n' | '\r' => self.space = !self.is_empty,
                letter => {
                    match (std::mem::take(&mut self.space), out.is_empty()) {
                        // A space before raised letters is not raised.
                        (true, true) => self.text.push(" ", Level::Line),
                        (true, false) => out.push(' '),
                        (false, _) => {}
                    }
                    self.is_empty = false;
                    out.push(letter);
                }
            }
        }
        if !out.is_empty() {
            self.text.push(&out, script);
        }
    }

    /// Adds letters as they are.
    pub(super) fn push(&mut self, text: &str, script: Level) {
        if std::mem::take(&mut self.space) {
            self.text.push(" ", Level::Line);
        }
        self.is_empty = false;
        self.text.push(text, script);
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.text.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_of_the_file_collapses_and_that_of_the_text_stays() {
        let mut paragraph = Paragraph::new(Role::Text, String::new());
        paragraph.push_collapsed("\n  a \n b ", Level::Line);
        paragraph.push_collapsed("c10", Level::Line);
        paragraph.push_collapsed("6", Level::Raised);
        paragraph.push("   ", Level::Line);
        paragraph.push_collapsed("d", Level::Line);
        assert_eq!(paragraph.finish(), "a b c10^6   d");
    }
}
