//! Where to cut inside a block: after a sentence, a line, a word, or at least between two graphemes.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::grapheme::is_grapheme_boundary;
use crate::outline::Content;
use crate::sentence::sentence_end;

/// How far past a position word segmentation looks, in bytes: its rules need little more than the next letter.
const LOOK_AHEAD: usize = 64;

/// The stretch of text in which to find a cut: after its first word, and with something left for the next chunk.
#[derive(Debug, Clone)]
pub(crate) struct Stretch<'a> {
    text: &'a str,
    /// Both ends are grapheme boundaries.
    room: Range<usize>,
    /// Position of the first character that is not white space.
    content: usize,
    /// Where the section ends, without its trailing white space.
    section_end: usize,
}

impl<'a> Stretch<'a> {
    /// A stretch with some content; `None` if there is only white space.
    pub(crate) fn new(text: &'a str, room: Range<usize>, section_end: usize) -> Option<Self> {
        let content = room.start + text[room.clone()].find(|character: char| !character.is_whitespace())?;
        Some(Self { text, room, content, section_end })
    }

    /// Position of the first character that is not white space.
    pub(crate) fn content(&self) -> usize {
        self.content
    }

    /// The last position of the best kind.
    pub(crate) fn cut(&self, content: Content) -> usize {
        let by_structure = match content {
            Content::Prose => self.after_sentence().or_else(|| self.after_line()),
            Content::Code => self.after_line(),
        };
        by_structure.or_else(|| self.after_word()).or_else(|| self.after_segment()).unwrap_or(self.room.end)
    }

    /// A cut needs content on both sides and must not split a grapheme.
    pub(crate) fn accept(&self, at: usize) -> Option<usize> {
        let has_content = self.content < at && at < self.section_end;
        (has_content && at <= self.room.end && is_grapheme_boundary(self.text, self.room.start, at)).then_some(at)
    }

    /// A position after white space that may extend past the room: what does not fit starts the next chunk.
    pub(crate) fn accept_after_gap(&self, at: usize) -> Option<usize> {
        if at <= self.room.end {
            return self.accept(at);
        }
        let gap_has_begun = self.text[self.room.end..at].trim_start().is_empty();
        if gap_has_begun { self.accept(self.room.end) } else { None }
    }

    fn after_sentence(&self) -> Option<usize> {
        let window = &self.text[self.room.clone()];
        window.char_indices().rev().find_map(|(offset, character)| {
            let next = sentence_end(self.text, self.room.start + offset, character)?;
            self.accept_after_gap(next)
        })
    }

    fn after_line(&self) -> Option<usize> {
        let newline = ['\n', '\r'];
        if self.text[self.room.end..].starts_with(newline)
            && let Some(at) = self.accept(self.room.end)
        {
            return Some(at);
        }
        let mut newlines = self.text[self.content..self.room.end].rmatch_indices(newline);
        newlines.find_map(|(offset, _)| self.accept(self.content + offset + 1))
    }

    /// After white space, but not so early that half of the room is wasted: even scripts without spaces have a few.
    fn after_word(&self) -> Option<usize> {
        if self.text[self.room.end..].starts_with(char::is_whitespace)
            && let Some(at) = self.accept(self.room.end)
        {
            return Some(at);
        }
        let half = self.room.start + self.room.len() / 2;
        let spaces = self.text[self.content..self.room.end].char_indices().rev().filter(|(_, c)| c.is_whitespace());
        spaces
            .map(|(offset, space)| self.content + offset + space.len_utf8())
            .take_while(|at| *at >= half)
            .find_map(|at| self.accept(at))
    }

    /// At a Unicode word boundary (UAX #29), in text without white space.
    fn after_segment(&self) -> Option<usize> {
        let run = self.text[self.content..self.room.end].rfind(char::is_whitespace).unwrap_or(0) + self.content;
        let ahead = self.text.floor_char_boundary(self.room.end + LOOK_AHEAD);
        self.text[run..ahead]
            .split_word_bound_indices()
            .map(|(offset, _)| run + offset)
            .take_while(|at| *at <= self.room.end)
            .filter_map(|at| self.accept(at))
            .last()
    }
}
