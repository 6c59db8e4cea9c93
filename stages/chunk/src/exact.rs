//! Pieces whose tokens are counted. Cuts are found by the estimate, which is scaled to the text; what turns out to be too
//! long is cut again.

use gristmill_sdk::tokens::{Error, Tokens};

use crate::characters;
use crate::meter::{Unit, estimated};
use crate::outline::Outline;
use crate::piece::Piece;
use crate::split::{Limits, split, split_part};

/// The host counts no longer text at once; the start of a longer one stands for all of it.
const SAMPLE: usize = 1 << 20;

/// Counts in one encoding.
pub(crate) struct Counter<'a> {
    pub(crate) tokens: &'a dyn Tokens,
    pub(crate) encoding: &'static str,
}

impl Counter<'_> {
    /// How many tokens a text has; more than any limit if it is longer than the host counts.
    ///
    /// # Errors
    /// The host does not have the encoding.
    pub(crate) fn count(&self, text: &str) -> Result<u32, Error> {
        match self.tokens.count(self.encoding, text) {
            Err(Error::TooLong(_)) => Ok(u32::MAX),
            counted => counted,
        }
    }
}

/// Splits a text into pieces of at most `limits.size` tokens, or one grapheme.
///
/// # Errors
/// The host does not have the encoding.
pub(crate) fn split_exactly(
    text: &str,
    outline: &Outline,
    limits: Limits,
    counter: &Counter<'_>,
) -> Result<Vec<Piece>, Error> {
    let sample = &text[..text.floor_char_boundary(SAMPLE)];
    let scaled = limits.scaled(estimated(sample), counter.count(sample)?.into());
    // The parts of a piece, the first one last.
    let cut = |piece: &Piece, limits: Limits| {
        let parts = split_part(text, outline, piece, limits);
        parts.into_iter().rev().map(move |part| (part, limits))
    };
    let mut pieces = Vec::new();
    let mut waiting: Vec<(Piece, Limits)> = Vec::new();
    for piece in split(text, outline, scaled) {
        waiting.push((piece, scaled));
        while let Some((piece, within)) = waiting.pop() {
            let repeats = piece.range.start < piece.fresh;
            if repeats && pieces.last().is_some_and(|last: &Piece| piece.range.start <= last.range.start) {
                // The one before was cut again, and this one would repeat more than its last part.
                waiting.extend(cut(&piece, within));
                continue;
            }
            let count = counter.count(&piece.payload(text))?;
            let shorter =
                (count > limits.size).then(|| shorter(&text[piece.range.clone()], within, limits.size, count));
            match shorter.flatten() {
                Some(less) => waiting.extend(cut(&piece, less)),
                None => pieces.push(piece),
            }
        }
    }
    Ok(pieces)
}

/// Lower limits for a piece that has `count` tokens in place of `size`; `None` if it can be no shorter.
fn shorter(piece: &str, within: Limits, size: u32, count: u32) -> Option<Limits> {
    match within.unit {
        // Less than the count says, so that each turn cuts shorter.
        _ if within.size > 1 => Some(within.scaled(u64::from(size) * 9, u64::from(count) * 10)),
        Unit::Characters => None,
        // One estimated token may be several letters.
        _ => {
            let letters = u32::try_from(characters::count(piece)).unwrap_or(u32::MAX);
            Some(Limits { unit: Unit::Characters, size: letters, min_size: 0, overlap: 0, ..within })
        }
    }
}
