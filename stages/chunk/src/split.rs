//! Splits a text along its outline into pieces of bounded size.

use std::ops::Range;

use crate::fine::Stretch;
use crate::grapheme::last_whole_grapheme;
use crate::meter::{Unit, fitting};
use crate::outline::Outline;
use crate::overlap::overlap_start;

/// How large a piece may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) unit: Unit,
    pub(crate) size: u32,
    pub(crate) overlap: u32,
    pub(crate) split_at_heading: u8,
}

/// A piece of the text. Positions are byte offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) range: Range<usize>,
    /// Where the text begins that is not in the previous piece.
    pub(crate) fresh: usize,
}

/// The pieces in order. Joined without what they repeat, they are the text, byte for byte.
pub(crate) fn split(text: &str, outline: &Outline, limits: Limits) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for section in outline.sections(limits.split_at_heading, text.len()) {
        split_section(text, section, outline, limits, &mut pieces);
    }
    pieces
}

fn split_section(text: &str, section: Range<usize>, outline: &Outline, limits: Limits, pieces: &mut Vec<Piece>) {
    let content_end = section.start + text[section.clone()].trim_end().len();
    let mut start = section.start;
    let mut fresh = section.start;
    while fresh < section.end {
        let reach = reach(text, start..section.end, limits);
        if reach == section.end {
            pieces.push(Piece { range: start..reach, fresh });
            return;
        }
        let longest = Piece { range: start..reach, fresh };
        let Some(end) = end_of_piece(text, &longest, content_end, outline) else {
            start = fresh;
            continue;
        };
        pieces.push(Piece { range: start..end, fresh });
        start = overlap_start(text, start..end, outline, limits);
        fresh = end;
    }
}

/// Where to end a piece that cannot be longer than `longest`; `None` if it must not repeat anything, because what it
/// repeats takes up the room that is needed.
fn end_of_piece(text: &str, longest: &Piece, content_end: usize, outline: &Outline) -> Option<usize> {
    let Piece { range, fresh } = longest;
    let repeats = range.start < *fresh;
    let room = *fresh..range.end.max(*fresh);
    let Some(stretch) = Stretch::new(text, room, content_end) else {
        // Only white space, and more of it than fits.
        return (!repeats).then_some(range.end);
    };
    let block_cut = cut_between_blocks(&stretch, outline);
    if block_cut.is_none() && repeats && outline.code_starts_in(*fresh..=stretch.content()) {
        return None;
    }
    block_cut.or_else(|| Some(stretch.cut(outline.content_at(stretch.content()))))
}

/// How far a piece can reach that starts where `rest` does.
fn reach(text: &str, rest: Range<usize>, limits: Limits) -> usize {
    match rest.start + fitting(&text[rest.clone()], limits.unit, limits.size) {
        end if end == rest.end => end,
        end => last_whole_grapheme(text, rest.start, end),
    }
}

/// The best block to cut before; of equally good ones, the last.
fn cut_between_blocks(stretch: &Stretch<'_>, outline: &Outline) -> Option<usize> {
    let mut best = None;
    for mark in outline.marks_after(stretch.content()) {
        let Some(at) = stretch.accept_after_gap(mark.at) else {
            break;
        };
        if best.is_none_or(|(rank, _)| mark.rank >= rank) {
            best = Some((mark.rank, at));
        }
        // Only the first mark past the room can have a gap that begins inside; a gap may hold a million page breaks.
        if mark.at > at {
            break;
        }
    }
    best.map(|(_, at)| at)
}
