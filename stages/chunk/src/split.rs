//! Splits a text along its outline into pieces of bounded size.

use std::ops::Range;

use crate::config::HeadingPath;
use crate::fine::Stretch;
use crate::frame::Frames;
use crate::grapheme::last_whole_grapheme;
use crate::merge::merge;
use crate::meter::{Meter, Unit, fitting, reaches};
use crate::outline::{Head, Outline, Rank};
use crate::overlap::overlap_start;
use crate::piece::Piece;

/// How large a piece may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) unit: Unit,
    pub(crate) size: u32,
    /// Pieces below this are put together with their neighbours where there is room.
    pub(crate) min_size: u32,
    pub(crate) overlap: u32,
    pub(crate) split_at_heading: u8,
    pub(crate) heading_path: HeadingPath,
}

impl Limits {
    /// The same limits times `numerator / denominator`, at least 1.
    pub(crate) fn scaled(self, numerator: u64, denominator: u64) -> Self {
        let scale = |limit: u32| {
            let scaled = u64::from(limit).saturating_mul(numerator) / denominator.max(1);
            u32::try_from(scaled).unwrap_or(u32::MAX)
        };
        let size = scale(self.size).max(1);
        Self { size, min_size: scale(self.min_size).min(size / 2), overlap: scale(self.overlap).min(size - 1), ..self }
    }
}

/// The pieces in order. Joined without what they repeat, and without what stands around them, they are the text, byte
/// for byte.
pub(crate) fn split(text: &str, outline: &Outline, limits: Limits) -> Vec<Piece> {
    let frames = Frames::of(text, outline, limits.heading_path, limits.unit, limits.size);
    let mut cutter = Cutter { text, outline, limits, frames, pieces: Vec::new() };
    for section in outline.sections(limits.split_at_heading, text) {
        let first = cutter.pieces.len();
        let content_end = cutter.content_end(&section.range);
        cutter.split(section.range, content_end);
        if let Some(first) = cutter.pieces.get_mut(first) {
            first.level = section.level;
        }
    }
    let Cutter { frames, pieces, .. } = cutter;
    merge(text, pieces, &frames, limits)
}

/// Cuts a piece into shorter ones, of which the first repeats nothing.
pub(crate) fn split_part(text: &str, outline: &Outline, piece: &Piece, limits: Limits) -> Vec<Piece> {
    let frames = Frames::of(text, outline, limits.heading_path, limits.unit, limits.size);
    let mut cutter = Cutter { text, outline, limits, frames, pieces: Vec::new() };
    let part = piece.fresh..piece.range.end;
    let content_end = part.start + text[part.clone()].trim_end().len();
    cutter.split(part, content_end);
    let mut pieces = cutter.pieces;
    if let Some(first) = pieces.first_mut() {
        first.level = piece.level;
    }
    pieces
}

struct Cutter<'a> {
    text: &'a str,
    outline: &'a Outline,
    limits: Limits,
    frames: Frames<'a>,
    pieces: Vec<Piece>,
}

impl Cutter<'_> {
    fn split(&mut self, section: Range<usize>, content_end: usize) {
        let mut start = section.start;
        let mut fresh = section.start;
        while fresh < section.end {
            let mut longest = self.longest(start..section.end, fresh);
            if longest.range.end < section.end {
                let Some(cut) = self.cut(longest, content_end) else {
                    start = fresh;
                    continue;
                };
                longest = cut;
            }
            let piece = longest.range.clone();
            self.pieces.push(longest);
            if piece.end == section.end {
                return;
            }
            start = overlap_start(self.text, piece.clone(), self.outline, self.limits);
            fresh = piece.end;
        }
    }

    /// The piece up to the best place to cut; `None` if it must not repeat anything.
    fn cut(&self, mut piece: Piece, content_end: usize) -> Option<Piece> {
        loop {
            let range = piece.range.start..self.end_of_piece(&piece, content_end)?;
            let closing = self.frames.closing(&range).filter(|_| piece.is_framed);
            let mut meter = Meter::new(self.limits.unit);
            meter.add_text(&piece.before);
            if let Some(line) = &closing {
                meter.reserve_line(line);
            }
            // Further back the cut may be in a fence of which the longest piece saw the end.
            let end = self.reach(&range, &meter);
            if end == range.end {
                return Some(Piece { range, closing, ..piece });
            }
            piece.range.end = end;
        }
    }

    /// Where the section ends for cuts, which need text on both sides: without white space and headings at its end.
    fn content_end(&self, section: &Range<usize>) -> usize {
        let trimmed = |end: usize| section.start + self.text[section.start..end].trim_end().len();
        match trimmed(self.outline.bare_headings(self.text, section.clone())) {
            // Only headings.
            end if end == section.start => trimmed(section.end),
            end => end,
        }
    }

    /// The longest piece that starts where `rest` does.
    fn longest(&mut self, rest: Range<usize>, fresh: usize) -> Piece {
        let start = rest.start;
        let before = self.frames.before(start);
        let mut meter = Meter::new(self.limits.unit);
        meter.add_text(&before);
        let mut piece = Piece { range: start..self.reach(&rest, &meter), fresh, before, ..Piece::default() };
        piece.closing = self.frames.closing(&piece.range);
        if let Some(line) = &piece.closing {
            meter.reserve_line(line);
            piece.range.end = self.reach(&rest, &meter);
        }
        if (!piece.before.is_empty() || piece.closing.is_some())
            && fitting(&self.text[piece.range.clone()], meter, self.limits.size) < piece.range.len()
        {
            // A grapheme for which there is no room beside the frame.
            let end = self.reach(&rest, &Meter::new(self.limits.unit));
            return Piece { range: start..end, fresh, is_framed: false, ..Piece::default() };
        }
        piece
    }

    /// How far a piece can reach that starts where `rest` does, after what is measured.
    fn reach(&self, rest: &Range<usize>, before: &Meter) -> usize {
        match rest.start + fitting(&self.text[rest.clone()], before.clone(), self.limits.size) {
            end if end == rest.end => end,
            end => last_whole_grapheme(self.text, rest.start, end),
        }
    }

    /// Where to end a piece that cannot be longer than `longest`; `None` if it must not repeat anything, because what it
    /// repeats takes up the room that is needed.
    fn end_of_piece(&self, longest: &Piece, content_end: usize) -> Option<usize> {
        let Piece { range, fresh, .. } = longest;
        let repeats = range.start < *fresh;
        let room = *fresh..range.end.max(*fresh);
        let Some(stretch) = Stretch::new(self.text, room.clone(), content_end, self.outline) else {
            // Only white space, and more of it than fits.
            return (!repeats).then_some(range.end);
        };
        let block_cut = self.block_cut(&stretch);
        if block_cut.is_none() && repeats && self.outline.code_starts_in(*fresh..=stretch.content()) {
            return None;
        }
        let at = match block_cut {
            Some((Rank::Heading(_), at)) => return Some(at),
            Some((_, at)) => at,
            None => stretch.cut(self.outline),
        };
        Some(self.before_large_tail(&stretch, at, content_end).unwrap_or(at))
    }

    /// The best block to cut before, but not so early that the piece is below the minimum: unless a heading divides
    /// there, or a block starts there that should stay whole.
    fn block_cut(&self, stretch: &Stretch<'_>) -> Option<(Rank, usize)> {
        let Limits { unit, min_size, .. } = self.limits;
        let best = cut_between_blocks(stretch, self.outline, stretch.content())?;
        let from_here = &self.text[stretch.start()..];
        if matches!(best, (Rank::Heading(_), _)) || reaches(&from_here[..best.1 - stretch.start()], unit, min_size) {
            return Some(best);
        }
        let enough = stretch.start() + fitting(from_here, Meter::new(unit), min_size);
        let later = cut_between_blocks(stretch, self.outline, enough.max(stretch.content()));
        later.or_else(|| self.outline.is_whole_after(best.1).then_some(best))
    }

    /// An earlier cut than `at`, if so little would be left after it until the next heading that it would make a piece
    /// below the minimum.
    fn before_large_tail(&self, stretch: &Stretch<'_>, at: usize, content_end: usize) -> Option<usize> {
        let Limits { unit, min_size, .. } = self.limits;
        let part_end = self.outline.next_heading(at).map_or(content_end, |heading| heading.min(content_end));
        let rest = self.text.get(at..part_end)?;
        if reaches(rest, unit, min_size) {
            return None;
        }
        let end = at + rest.trim_end().len();
        let mut meter = Meter::new(unit);
        let mut characters = self.text[stretch.content()..end].char_indices().rev();
        let latest = characters.find_map(|(offset, character)| {
            meter.add(character);
            meter.reaches(min_size).then_some(stretch.content() + offset)
        })?;
        let shorter = stretch.until(latest)?;
        let block_cut = cut_between_blocks(&shorter, self.outline, shorter.content()).map(|(_, at)| at);
        let is_enough = |at: &usize| reaches(&self.text[stretch.start()..*at], unit, min_size);
        let earlier = block_cut.filter(is_enough).unwrap_or_else(|| shorter.cut(self.outline));
        let is_inside = |head: &Head| earlier > head.start() && earlier < head.block_end() && head.block_end() <= at;
        let breaks = self.outline.head_before(earlier).is_some_and(is_inside);
        let gains = earlier < at && !self.text[earlier..at].trim_start().is_empty();
        (gains && !breaks && is_enough(&earlier)).then_some(earlier)
    }
}

/// The best block to cut before that starts after `position`; of equally good ones, the last.
fn cut_between_blocks(stretch: &Stretch<'_>, outline: &Outline, position: usize) -> Option<(Rank, usize)> {
    let mut best = None;
    for mark in outline.marks_after(position) {
        let Some(at) = stretch.accept_after_gap(mark.at) else {
            break;
        };
        if let Some(rank) = mark.rank
            && best.is_none_or(|(best, _)| rank >= best)
        {
            best = Some((rank, at));
        }
        // Only the first mark past the room can have a gap that begins inside; a gap may hold a million page breaks.
        if mark.at > at {
            break;
        }
    }
    best
}
