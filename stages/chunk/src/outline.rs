//! The structure of a text: where its blocks start, and its headings.

mod markdown;
mod plain;

use std::cmp::Reverse;
use std::ops::{Range, RangeInclusive};

use crate::config::Format;

/// The structure of one text. Positions are byte offsets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Where blocks start, ascending, at most one mark per position.
    marks: Vec<Mark>,
    /// The headings, in ascending order. Plain text has none.
    headings: Vec<Heading>,
}

/// The start of a block: a place to cut before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) at: usize,
    pub(crate) rank: Rank,
    pub(crate) content: Content,
}

/// How good a place to cut is; the greatest is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// A block inside another: a list item, a table row, a paragraph of a quotation.
    Item,
    /// A paragraph or another top-level block.
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
        // Of several marks at one position, keep the best.
        marks.sort_unstable_by_key(|mark| (mark.at, Reverse(mark.rank), Reverse(mark.content)));
        marks.dedup_by_key(|mark| mark.at);
        Self { marks, headings }
    }

    /// The sections that no chunk may cross, if headings down to the level `deepest` divide the text.
    pub(crate) fn sections(&self, deepest: u8, length: usize) -> Vec<Range<usize>> {
        let dividing = self.headings.iter().filter(|heading| heading.level <= deepest && heading.at > 0);
        let starts: Vec<usize> = std::iter::once(0).chain(dividing.map(|heading| heading.at)).collect();
        let ends = starts.iter().copied().skip(1).chain(std::iter::once(length));
        starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
    }

    /// The marks after `position`, ascending.
    pub(crate) fn marks_after(&self, position: usize) -> &[Mark] {
        let first = self.marks.partition_point(|mark| mark.at <= position);
        &self.marks[first..]
    }

    /// What the block around `position` holds.
    pub(crate) fn content_at(&self, position: usize) -> Content {
        let next = self.marks.partition_point(|mark| mark.at <= position);
        self.marks[..next].last().map_or(Content::Prose, |mark| mark.content)
    }

    /// Whether a code block starts in this range.
    pub(crate) fn code_starts_in(&self, range: RangeInclusive<usize>) -> bool {
        let first = self.marks.partition_point(|mark| mark.at < *range.start());
        let mut starts = self.marks[first..].iter().take_while(|mark| mark.at <= *range.end());
        starts.any(|mark| mark.content == Content::Code)
    }

    pub(crate) fn headings(&self) -> &[Heading] {
        &self.headings
    }
}

/// A form feed ends a page, and with it the paragraph.
fn page_starts(text: &str) -> impl Iterator<Item = Mark> {
    let page_ends = memchr::memchr_iter(b'\x0c', text.as_bytes());
    page_ends.map(|at| Mark { at: at + 1, rank: Rank::Block, content: Content::Prose })
}
