//! The structure of a text: where its blocks start, its headings, and the blocks whose head must be repeated.

mod heads;
mod markdown;
mod numbered;
mod plain;

use std::cmp::Reverse;
use std::ops::{Range, RangeInclusive};

use crate::config::Format;

pub(crate) use heads::Head;

/// The structure of one text. Positions are byte offsets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Where blocks start, ascending, at most one mark per position.
    marks: Vec<Mark>,
    /// The headings, in ascending order.
    headings: Vec<Heading>,
    /// The blocks with a head, in ascending order; none is inside another.
    heads: Vec<Head>,
}

/// The start of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) at: usize,
    /// How good a place to cut before it is; `None` if it belongs to the heading above.
    pub(crate) rank: Option<Rank>,
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

/// A heading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heading {
    pub(crate) at: usize,
    /// Where its last line ends.
    pub(crate) end: usize,
    pub(crate) level: u8,
    pub(crate) title: String,
}

/// A part of the text that no piece may cross.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) range: Range<usize>,
    /// The level of the heading that it starts with; the first section may have none.
    pub(crate) level: Option<u8>,
}

impl Outline {
    /// Reads the structure of a text; `Auto` is plain text here.
    pub(crate) fn of(text: &str, format: Format) -> Self {
        match format {
            Format::Markdown => markdown::outline(text),
            Format::Text | Format::Auto => plain::outline(text),
        }
    }

    fn new(mut marks: Vec<Mark>, headings: Vec<Heading>, heads: Vec<Head>) -> Self {
        // Of several marks at one position, keep the best place to cut, and what any of them says of the content.
        marks.sort_unstable_by_key(|mark| (mark.at, Reverse(mark.rank)));
        marks.dedup_by(|mark, kept| {
            let same = mark.at == kept.at;
            if same {
                kept.content = kept.content.max(mark.content);
            }
            same
        });
        Self { marks, headings, heads }
    }

    /// The sections, if headings down to the level `deepest` divide the text. A heading goes with what follows it, so one
    /// makes no section if only headings stand above it in the one before, or under it at the end of the text.
    pub(crate) fn sections(&self, deepest: u8, text: &str) -> Vec<Section> {
        let is_blank = |range: Range<usize>| text[range].trim_start().is_empty();
        let mut sections = Vec::new();
        let mut open = Section { range: 0..text.len(), level: None };
        let mut has_text = false;
        let mut read = 0;
        for heading in &self.headings {
            has_text |= !is_blank(read..heading.at);
            read = heading.end;
            if heading.level > deepest {
                continue;
            }
            if has_text {
                open.range.end = heading.at;
                sections.push(open);
                open = Section { range: heading.at..text.len(), level: Some(heading.level) };
                has_text = false;
            } else {
                open.level = Some(open.level.map_or(heading.level, |level| level.min(heading.level)));
            }
        }
        match sections.last_mut() {
            Some(last) if !has_text && is_blank(read..text.len()) => last.range.end = text.len(),
            _ => sections.push(open),
        }
        sections
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

    /// Where the next heading starts after `position`.
    pub(crate) fn next_heading(&self, position: usize) -> Option<usize> {
        let next = self.headings.partition_point(|heading| heading.at <= position);
        self.headings.get(next).map(|heading| heading.at)
    }

    /// The block with a head that starts last before `position`.
    pub(crate) fn head_before(&self, position: usize) -> Option<&Head> {
        let next = self.heads.partition_point(|head| head.start() < position);
        self.heads[..next].last()
    }

    /// Whether the block that starts at `position`, or after the gap there, should stay whole: code, or a table.
    pub(crate) fn is_whole_after(&self, position: usize) -> bool {
        let next = self.marks.partition_point(|mark| mark.at < position);
        let Some(mark) = self.marks.get(next) else {
            return false;
        };
        mark.content == Content::Code || self.head_before(mark.at + 1).is_some_and(|head| head.start() == mark.at)
    }

    /// Where the first text starts at or after `position` that can stand alone: after headings, the head of a table, the
    /// line that opens a code fence. `None` if there is none before `end`.
    pub(crate) fn first_content(&self, text: &str, position: usize, end: usize) -> Option<usize> {
        let mut at = position;
        while at < end {
            at = end - text[at..end].trim_start().len();
            let heading = self.headings.partition_point(|heading| heading.at <= at);
            let heading_end = self.headings[..heading].last().map(|heading| heading.end);
            let head_end = self.head_before(at + 1).map(Head::end);
            match heading_end.max(head_end) {
                Some(end) if end > at => at = end,
                _ if at < end => return Some(at),
                _ => break,
            }
        }
        None
    }

    /// Where the headings start that stand at the end of `range` with nothing under them; its end if there are none.
    pub(crate) fn bare_headings(&self, text: &str, range: Range<usize>) -> usize {
        let last = self.headings.partition_point(|heading| heading.at < range.end);
        let mut end = range.end;
        for heading in self.headings[..last].iter().rev() {
            if heading.at < range.start || heading.end > end || !text[heading.end..end].trim_start().is_empty() {
                break;
            }
            end = heading.at;
        }
        end
    }
}

/// Takes the blocks that follow a heading from the places to cut, so that no chunk ends with a bare heading.
fn keep_headings_with_their_text(marks: &mut Vec<Mark>) {
    marks.dedup_by_key(|mark| mark.at);
    let mut after_heading = false;
    for mark in marks {
        let is_heading = matches!(mark.rank, Some(Rank::Heading(_)));
        if after_heading {
            mark.rank = None;
        }
        after_heading = is_heading;
    }
}

/// Maximum length of a title, in characters: every chunk below the heading carries it.
const TITLE_MAX: usize = 200;

fn shortened(title: &str) -> String {
    let title = title.trim();
    match title.char_indices().nth(TITLE_MAX) {
        Some((end, _)) => format!("{}…", &title[..end]),
        None => title.into(),
    }
}

/// A form feed ends a page, and with it the paragraph.
fn page_starts(text: &str) -> impl Iterator<Item = Mark> {
    let page_ends = memchr::memchr_iter(b'\x0c', text.as_bytes());
    page_ends.map(|at| Mark { at: at + 1, rank: Some(Rank::Block), content: Content::Prose })
}
