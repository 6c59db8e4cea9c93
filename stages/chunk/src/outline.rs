//! What the structure of a text is: where its blocks start and which headings it has.

mod markdown;
mod plain;

use std::cmp::Reverse;
use std::ops::{Range, RangeInclusive};

use crate::config::Format;

/// The structure of one text. Positions are byte offsets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Where blocks start, ascending, one mark a place.
    marks: Vec<Mark>,
    /// The headings, ascending. Plain text has none.
    headings: Vec<Heading>,
}

/// The start of a block: a place to cut before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) at: usize,
    pub(crate) rank: Rank,
    pub(crate) content: Content,
}

/// How much a cut is preferred; the greatest is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// A block inside another: a list item, a table row, a paragraph of a quotation.
    Item,
    /// A paragraph or another block of the text itself.
    Block,
    /// A heading of this level.
    Heading(Reverse<u8>),
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Content {
    /// Sentences.
    Prose,
    /// Lines.
    Code,
}

/// A heading of a Markdown text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heading {
    pub(crate) at: usize,
    pub(crate) level: u8,
    pub(crate) title: String,
}

impl Outline {
    /// Reads the structure of a text; `Auto` is plain text here.
    pub(crate) fn of(text: &str, format: Format) -> Self {
        match format {
            Format::Markdown => markdown::outline(text),
            Format::Text | Format::Auto => plain::outline(text),
        }
    }

    fn new(mut marks: Vec<Mark>, headings: Vec<Heading>) -> Self {
        // Of several marks at one place the best says most.
        marks.sort_unstable_by_key(|mark| (mark.at, Reverse(mark.rank), Reverse(mark.content)));
        marks.dedup_by_key(|mark| mark.at);
        Self { marks, headings }
    }

    /// The parts of the text that no chunk may cross, when headings down to this level divide it.
    pub(crate) fn sections(&self, deepest: u8, length: usize) -> Vec<Range<usize>> {
        let dividing = self.headings.iter().filter(|heading| heading.level <= deepest && heading.at > 0);
        let starts: Vec<usize> = std::iter::once(0).chain(dividing.map(|heading| heading.at)).collect();
        let ends = starts.iter().copied().skip(1).chain(std::iter::once(length));
        starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
    }

    /// The marks behind `position`, ascending.
    pub(crate) fn marks_after(&self, position: usize) -> &[Mark] {
        let first = self.marks.partition_point(|mark| mark.at <= position);
        &self.marks[first..]
    }

    /// What the block around `position` holds.
    pub(crate) fn content_at(&self, position: usize) -> Content {
        let next = self.marks.partition_point(|mark| mark.at <= position);
        self.marks[..next].last().map_or(Content::Prose, |mark| mark.content)
    }

    /// Whether a code block starts in these places.
    pub(crate) fn code_starts_in(&self, places: RangeInclusive<usize>) -> bool {
        let first = self.marks.partition_point(|mark| mark.at < *places.start());
        let mut starts = self.marks[first..].iter().take_while(|mark| mark.at <= *places.end());
        starts.any(|mark| mark.content == Content::Code)
    }

    pub(crate) fn headings(&self) -> &[Heading] {
        &self.headings
    }
}

/// A form feed ends a page, and with it the paragraph.
fn page_starts(text: &str) -> impl Iterator<Item = Mark> {
    text.match_indices('\u{c}').map(|(at, _)| Mark { at: at + 1, rank: Rank::Block, content: Content::Prose })
}
