//! The graphics and text state that determines where glyphs are placed.

use std::rc::Rc;

use hayro_font::kurbo::{Affine, Point};
use hayro_font::{Font, UNITS_PER_EM};

use super::fonts::Face;
use super::span::Place;

/// The part of the graphics state that affects text.
#[derive(Clone)]
pub(super) struct State<'a> {
    pub(super) ctm: Affine,
    pub(super) font: Option<Rc<Face<'a>>>,
    pub(super) size: f64,
    pub(super) letter_space: f64,
    pub(super) word_space: f64,
    pub(super) stretch: f64,
    pub(super) leading: f64,
    pub(super) rise: f64,
}

/// The matrices of a text object.
pub(super) struct Cursor {
    pub(super) line: Affine,
    pub(super) at: Affine,
}

impl<'a> State<'a> {
    pub(super) fn new(ctm: Affine) -> Self {
        Self { ctm, font: None, size: 1.0, letter_space: 0.0, word_space: 0.0, stretch: 1.0, leading: 0.0, rise: 0.0 }
    }

    /// Where a glyph is on the page, given the text matrix before and after it.
    pub(super) fn place(&self, before: Affine, after: Affine) -> Place {
        let from = self.ctm * before * Point::new(0.0, self.rise);
        let to = self.ctm * after * Point::new(0.0, self.rise);
        let up = self.ctm * before * Point::new(0.0, self.rise + self.size);
        Place { from, to, size: (up - from).hypot() }
    }
}

impl Cursor {
    pub(super) fn next_line(&mut self, x: f64, y: f64) {
        self.line *= Affine::translate((x, y));
        self.at = self.line;
    }

    pub(super) fn kern(&mut self, back: f64, state: &State<'_>) {
        let by = -back / f64::from(UNITS_PER_EM) * state.size;
        match state.font.as_ref().is_none_or(|face| face.font.is_horizontal()) {
            true => self.at *= Affine::translate((by * state.stretch, 0.0)),
            false => self.at *= Affine::translate((0.0, by)),
        }
    }

    pub(super) fn advance(&mut self, code: u32, length: usize, font: &Font<'_>, state: &State<'_>) {
        let advance = font.code_advance(code) / f64::from(UNITS_PER_EM) * state.size;
        // Word space applies to the single byte 32, whatever character that is.
        let space = state.letter_space + if code == 32 && length == 1 { state.word_space } else { 0.0 };
        match font.is_horizontal() {
            true => self.at *= Affine::translate(((advance.x + space) * state.stretch, 0.0)),
            false => self.at *= Affine::translate((0.0, advance.y + space)),
        }
    }
}
