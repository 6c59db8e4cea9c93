//! Puts small pieces together with their neighbours.

use crate::frame::Frames;
use crate::meter::{Meter, reaches};
use crate::piece::Piece;
use crate::split::Limits;

/// The pieces, where those below the minimum are put together with a neighbour if both fit into one: with the next, or
/// with the one before if a lower heading divides them, or none, or if there is no room in the next.
pub(crate) fn merge(text: &str, pieces: Vec<Piece>, frames: &Frames<'_>, limits: Limits) -> Vec<Piece> {
    let mut merged = Merged { text, frames, limits, pieces: Vec::with_capacity(pieces.len()) };
    let mut pieces = pieces.into_iter();
    let Some(first) = pieces.next() else {
        return Vec::new();
    };
    let mut open = Measured { piece: first, meter: None };
    for next in pieces {
        open = merged.add(open, next);
    }
    if merged.is_small(&open.piece) {
        let Some(alone) = merged.join_last(open) else {
            return merged.pieces();
        };
        open = alone;
    }
    merged.pieces.push(open);
    merged.pieces()
}

/// A piece, and what its text and what stands before it measure, if that was needed.
struct Measured {
    piece: Piece,
    meter: Option<Meter>,
}

struct Merged<'a> {
    text: &'a str,
    frames: &'a Frames<'a>,
    limits: Limits,
    pieces: Vec<Measured>,
}

impl Merged<'_> {
    /// Decides about `open`, of which the next piece is now known; what it returns is still open.
    fn add(&mut self, mut open: Measured, next: Piece) -> Measured {
        let is_small = self.is_small(&open.piece);
        if is_small && rank(&open.piece) > rank(&next) {
            match self.join_last(open) {
                None => return Measured { piece: next, meter: None },
                Some(alone) => open = alone,
            }
        }
        if is_small && self.join(&mut open, &next) {
            return open;
        }
        if is_small {
            match self.join_last(open) {
                None => return Measured { piece: next, meter: None },
                Some(alone) => open = alone,
            }
        }
        self.pieces.push(open);
        Measured { piece: next, meter: None }
    }

    fn pieces(self) -> Vec<Piece> {
        self.pieces.into_iter().map(|measured| measured.piece).collect()
    }

    fn is_small(&self, piece: &Piece) -> bool {
        let own = &self.text[piece.fresh..piece.range.end];
        !reaches(own, self.limits.unit, self.limits.min_size)
    }

    /// Puts the piece into the last one; gives it back if there is no room.
    fn join_last(&mut self, open: Measured) -> Option<Measured> {
        let Some(mut last) = self.pieces.pop() else {
            return Some(open);
        };
        let joined = self.join(&mut last, &open.piece);
        self.pieces.push(last);
        if joined { None } else { Some(open) }
    }

    /// Extends a piece by the next if there is room.
    fn join(&self, open: &mut Measured, next: &Piece) -> bool {
        let piece = &mut open.piece;
        let mut meter = open.meter.take().unwrap_or_else(|| {
            let mut meter = Meter::new(self.limits.unit);
            meter.add_text(&piece.before);
            meter.add_text(&self.text[piece.range.clone()]);
            meter
        });
        open.meter = Some(meter.clone());
        meter.add_text(&self.text[piece.range.end..next.range.end]);
        let range = piece.range.start..next.range.end;
        let closing = self.frames.closing(&range);
        let mut whole = meter.clone();
        if let Some(line) = &closing {
            whole.reserve_line(line);
        }
        if !whole.fits(self.limits.size) || !piece.is_framed || !next.is_framed {
            return false;
        }
        (piece.range, piece.closing, open.meter) = (range, closing, Some(meter));
        true
    }
}

/// How strongly a piece is divided from the one before: by a heading, the higher the stronger, or not at all. Compared
/// as numbers, the greater divides less.
fn rank(piece: &Piece) -> u8 {
    piece.level.unwrap_or(u8::MAX)
}
