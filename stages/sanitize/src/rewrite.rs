//! Replaces ranges of a text and copies it only if there is something to replace.

use std::borrow::Cow;
use std::ops::Range;

/// Collects replacements from left to right.
pub(crate) struct Rewrite<'a> {
    text: &'a str,
    out: String,
    copied: usize,
}

impl<'a> Rewrite<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, out: String::new(), copied: 0 }
    }

    /// Replaces a range that starts at or after the end of the previous one.
    pub(crate) fn replace(&mut self, range: Range<usize>, with: &str) {
        if self.out.capacity() == 0 {
            // Replacements are seldom longer than what they replace: once is enough.
            self.out.reserve_exact(self.text.len());
        }
        self.out.push_str(&self.text[self.copied..range.start]);
        self.out.push_str(with);
        self.copied = range.end;
    }

    /// The last character of the result so far, before the position `at` of the original.
    pub(crate) fn char_before(&self, at: usize) -> Option<char> {
        self.text[self.copied..at].chars().next_back().or_else(|| self.out.chars().next_back())
    }

    pub(crate) fn finish(mut self) -> Cow<'a, str> {
        if self.copied == 0 && self.out.is_empty() {
            return Cow::Borrowed(self.text);
        }
        self.out.push_str(&self.text[self.copied..]);
        Cow::Owned(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_replacements_is_borrowed() {
        assert!(matches!(Rewrite::new("same").finish(), Cow::Borrowed("same")));
    }

    #[test]
    fn replacements_keep_the_text_between_them() {
        let mut rewrite = Rewrite::new("a-b-c");
        rewrite.replace(1..2, "");
        assert_eq!(rewrite.char_before(3), Some('b'));
        rewrite.replace(3..4, "++");
        assert_eq!(rewrite.char_before(4), Some('+'));
        assert_eq!(rewrite.finish(), "ab++c");
    }
}
