//! What a piece repeats from the end of the previous one.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::grapheme::is_grapheme_boundary;
use crate::meter::Meter;
use crate::outline::{Content, Outline};
use crate::sentence::sentence_end;
use crate::split::Limits;

/// How far before the start of a sentence to look for the end of the previous one, in bytes: a full stop and a gap.
const LOOK_BEHIND: usize = 4;

/// Where the next piece starts: at the first sentence that fits into the overlap, else at the first word, else, if the
/// piece was cut inside a long word, at the first grapheme. It never repeats the whole piece.
pub(crate) fn overlap_start(text: &str, piece: Range<usize>, outline: &Outline, limits: Limits) -> usize {
    if limits.overlap == 0 {
        return piece.end;
    }
    let earliest = earliest_start(text, piece.clone(), limits);
    if earliest == piece.end {
        return piece.end;
    }
    let room = Room { text, piece_start: piece.start, range: earliest..piece.end };
    let block = outline.marks_after(earliest - 1).first().filter(|mark| mark.at <= piece.end);
    let block_start = block.and_then(|mark| room.accept(mark.at));
    let in_head_block = outline.head_before(earliest).is_some_and(|head| head.is_needed_at(earliest));
    let start = match (outline.content_at(earliest), block) {
        // Half of a finished code block would open a fence in the next piece; half of a row is none.
        (Content::Code, Some(_)) => return block_start.unwrap_or(piece.end),
        (Content::Prose, _) if in_head_block => return block_start.unwrap_or(piece.end),
        (Content::Code, None) => return room.first_line().unwrap_or(piece.end),
        (Content::Prose, _) => room.first_sentence(),
    };
    let by_structure = [start, block_start].into_iter().flatten().min();
    by_structure.or_else(|| room.first_word()).or_else(|| room.first_grapheme()).unwrap_or(piece.end)
}

/// How far back the overlap reaches.
fn earliest_start(text: &str, piece: Range<usize>, limits: Limits) -> usize {
    let mut meter = Meter::new(limits.unit);
    let mut earliest = piece.end;
    for (offset, character) in text[piece.clone()].char_indices().rev() {
        meter.add(character);
        if offset == 0 || !meter.fits(limits.overlap) {
            break;
        }
        earliest = piece.start + offset;
    }
    earliest
}

/// Where the next piece may start.
struct Room<'a> {
    text: &'a str,
    piece_start: usize,
    range: Range<usize>,
}

impl Room<'_> {
    fn accept(&self, at: usize) -> Option<usize> {
        (self.range.contains(&at) && is_grapheme_boundary(self.text, self.piece_start, at)).then_some(at)
    }

    fn first_sentence(&self) -> Option<usize> {
        let from = self.text.floor_char_boundary(self.range.start.saturating_sub(LOOK_BEHIND));
        let mut characters = self.text[from..self.range.end].char_indices();
        characters.find_map(|(offset, character)| self.accept(sentence_end(self.text, from + offset, character)?))
    }

    fn first_line(&self) -> Option<usize> {
        let from = self.text.floor_char_boundary(self.range.start - 1);
        let mut newlines = self.text[from..self.range.end].match_indices(['\n', '\r']);
        newlines.find_map(|(offset, _)| self.accept(from + offset + 1))
    }

    fn first_word(&self) -> Option<usize> {
        let before = &self.text[self.piece_start..self.range.start];
        let run = self.piece_start + before.rfind(char::is_whitespace).unwrap_or(0);
        let segments = self.text[run..self.range.end].split_word_bound_indices();
        let mut words = segments.filter(|(_, segment)| !segment.starts_with(char::is_whitespace));
        words.find_map(|(offset, _)| self.accept(run + offset))
    }

    fn first_grapheme(&self) -> Option<usize> {
        let cut_between_words = self.text[..self.range.end].ends_with(char::is_whitespace)
            || self.text[self.range.end..].starts_with(char::is_whitespace);
        if cut_between_words {
            return None;
        }
        let mut characters = self.text[self.range.clone()].char_indices();
        characters.find_map(|(offset, _)| self.accept(self.range.start + offset))
    }
}
