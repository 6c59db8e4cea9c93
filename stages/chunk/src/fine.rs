//! Where to cut inside a block: after a sentence, a line, a word, or at least between two graphemes.

use std::ops::Range;

use crate::grapheme::{is_grapheme_boundary, last_whole_grapheme};
use crate::outline::{Content, Outline};
use crate::sentence::{is_abbreviated, is_likely_abbreviated, sentence_end};
use crate::words;

/// The stretch of text in which to find a cut: after its first word, and with something left for the next chunk.
#[derive(Debug, Clone)]
pub(crate) struct Stretch<'a> {
    text: &'a str,
    /// Both ends are grapheme boundaries.
    room: Range<usize>,
    /// Position of the first text that can stand alone; of the first character if there is only a heading.
    content: usize,
    /// Where the section ends, without what cannot stand alone at its end.
    section_end: usize,
}

impl<'a> Stretch<'a> {
    /// A stretch with some content; `None` if there is only white space.
    pub(crate) fn new(text: &'a str, room: Range<usize>, section_end: usize, outline: &Outline) -> Option<Self> {
        let first = room.start + text[room.clone()].find(|character: char| !character.is_whitespace())?;
        let content = outline.first_content(text, first, room.end).unwrap_or(first);
        Some(Self { text, room, content, section_end })
    }

    /// The same stretch up to an earlier end; `None` if it has no content.
    pub(crate) fn until(&self, end: usize) -> Option<Self> {
        let end = last_whole_grapheme(self.text, self.room.start, end);
        (self.content < end && end <= self.room.end).then(|| Self { room: self.room.start..end, ..self.clone() })
    }

    pub(crate) fn start(&self) -> usize {
        self.room.start
    }

    /// Position of the first text that can stand alone.
    pub(crate) fn content(&self) -> usize {
        self.content
    }

    /// The last position of the best kind.
    pub(crate) fn cut(&self, outline: &Outline) -> usize {
        let mut inside = self.clone();
        if let Some(head) = outline.head_before(self.content)
            && head.is_needed_at(self.content)
        {
            inside.section_end = inside.section_end.min(head.last_cut());
        }
        let by_structure = match outline.content_at(self.content) {
            Content::Prose => {
                inside.after_sentence().or_else(|| inside.before_newline()).or_else(|| inside.after_line())
            }
            // A line keeps its end: at the start of the next chunk it would be an empty line.
            Content::Code => inside.after_line(),
        };
        by_structure.or_else(|| inside.after_word()).or_else(|| inside.after_segment()).unwrap_or(self.room.end)
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

    /// The start of a line that does not divide an abbreviation from its word.
    fn accept_line(&self, at: usize) -> Option<usize> {
        self.accept(at).filter(|at| !is_abbreviated(self.text, *at))
    }

    /// A position after white space, where no sentence ends, that does not divide an abbreviation from its word.
    fn accept_between_words(&self, at: usize) -> Option<usize> {
        self.accept(at).filter(|at| !is_likely_abbreviated(self.text, *at))
    }

    fn after_sentence(&self) -> Option<usize> {
        let window = &self.text[self.room.clone()];
        window.char_indices().rev().find_map(|(offset, character)| {
            let next = sentence_end(self.text, self.room.start + offset, character)?;
            self.accept_after_gap(next)
        })
    }

    fn before_newline(&self) -> Option<usize> {
        let ends_line = self.text[self.room.end..].starts_with(['\n', '\r']);
        if ends_line { self.accept_line(self.room.end) } else { None }
    }

    fn after_line(&self) -> Option<usize> {
        let mut newlines = self.text[self.content..self.room.end].rmatch_indices(['\n', '\r']);
        newlines.find_map(|(offset, _)| self.accept_line(self.content + offset + 1))
    }

    /// After white space, but not so early that half of the room is wasted: even scripts without spaces have a few. An
    /// address that fits into a chunk is worth the waste.
    fn after_word(&self) -> Option<usize> {
        if self.text[self.room.end..].starts_with(char::is_whitespace)
            && let Some(at) = self.accept_between_words(self.room.end)
        {
            return Some(at);
        }
        let half = match self.address_at_end() {
            Some(start) => start,
            None => self.room.start + self.room.len() / 2,
        };
        let spaces = self.text[self.content..self.room.end].char_indices().rev().filter(|(_, c)| c.is_whitespace());
        spaces
            .map(|(offset, space)| self.content + offset + space.len_utf8())
            .take_while(|at| *at >= half)
            .find_map(|at| self.accept_between_words(at))
    }

    /// Where an address starts that the end of the room goes through, if it would fit into a room as large as this.
    fn address_at_end(&self) -> Option<usize> {
        let start = self.last_word();
        let word = &self.text[start..self.room.end];
        if !word.contains("://") && !word.starts_with("www.") {
            return None;
        }
        let most = self.text.floor_char_boundary(start + self.room.len());
        let end = self.text[start..most].find(char::is_whitespace);
        (end.is_some() || most == self.text.len()).then_some(start)
    }

    /// Where the last word in the room starts.
    fn last_word(&self) -> usize {
        let content = &self.text[self.content..self.room.end];
        let word = content.char_indices().rev().take_while(|(_, c)| !c.is_whitespace()).last();
        self.content + word.map_or(content.len(), |(offset, _)| offset)
    }

    /// At a word boundary, in text without white space; after a comma of Chinese or Japanese, if that is not too early.
    fn after_segment(&self) -> Option<usize> {
        let start = self.last_word();
        let half = start.max(self.room.start + self.room.len() / 2);
        let late = self.text.get(self.text.ceil_char_boundary(half)..self.room.end).unwrap_or_default();
        let mut commas = late.char_indices().rev().filter(|(_, c)| matches!(c, '，' | '、' | '；' | '：'));
        let clause =
            commas.find_map(|(offset, comma)| self.accept(self.room.end - late.len() + offset + comma.len_utf8()));
        clause.or_else(|| words::last_boundary(self.text, start, self.room.end, |at| self.accept(at)))
    }
}
