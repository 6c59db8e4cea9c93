//! The graphics and text state that determines where glyphs are placed.

use std::rc::Rc;

use hayro_font::UNITS_PER_EM;
use hayro_font::kurbo::{Affine, Point, Vec2};

use super::clip::Clip;
use super::fonts::Face;
use super::span::{Ink, Place, Weight};

/// The rendering mode that fills and strokes glyphs, as some programs do for bold.
const FILL_AND_STROKE: i64 = 2;

/// The rendering modes that paint nothing.
const UNPAINTED: [i64; 2] = [3, 7];

/// The part of the graphics state that affects text.
#[derive(Clone)]
pub(super) struct State<'a> {
    pub(super) ctm: Affine,
    pub(super) clip: Clip,
    pub(super) font: Option<Rc<Face<'a>>>,
    pub(super) size: f64,
    pub(super) letter_space: f64,
    pub(super) word_space: f64,
    pub(super) stretch: f64,
    pub(super) leading: f64,
    pub(super) rise: f64,
    pub(super) mode: i64,
}

/// The matrices of a text object.
pub(super) struct Cursor {
    pub(super) line: Affine,
    pub(super) at: Affine,
}

impl<'a> State<'a> {
    pub(super) fn new(ctm: Affine, clip: Clip) -> Self {
        Self {
            ctm,
            clip,
            font: None,
            size: 1.0,
            letter_space: 0.0,
            word_space: 0.0,
            stretch: 1.0,
            leading: 0.0,
            rise: 0.0,
            mode: 0,
        }
    }

    /// Where a glyph of this font is on the page, given the text matrix before it and how far the glyph advances.
    pub(super) fn place(&self, face: &Face<'_>, at: Affine, advance: Vec2) -> Place {
        let matrix = self.ctm * at;
        let start = Point::new(0.0, self.rise);
        let from = matrix * start;
        let on_page = |by: Vec2| matrix * (start + by) - from;
        let along = match face.is_horizontal() {
            true => on_page(Vec2::new(self.size * self.stretch, 0.0)),
            false => on_page(Vec2::new(0.0, -self.size)),
        };
        let spacing = match face.is_horizontal() {
            true => on_page(Vec2::new(self.letter_space * self.stretch, 0.0)),
            false => on_page(Vec2::new(0.0, self.letter_space)),
        };
        let along = along / along.hypot();
        Place {
            from,
            to: from + on_page(advance),
            along,
            size: on_page(Vec2::new(0.0, self.size)).hypot(),
            spacing: spacing.dot(along),
            weight: match self.mode == FILL_AND_STROKE {
                true => Weight::Bold,
                false => face.weight,
            },
            ink: match UNPAINTED.contains(&self.mode) {
                true => Ink::None,
                false => Ink::Painted,
            },
        }
    }
}

impl Cursor {
    pub(super) fn next_line(&mut self, x: f64, y: f64) {
        self.line *= Affine::translate((x, y));
        self.at = self.line;
    }

    pub(super) fn kern(&mut self, back: f64, state: &State<'_>) {
        let by = -back / f64::from(UNITS_PER_EM) * state.size;
        match state.font.as_ref().is_none_or(|face| face.is_horizontal()) {
            true => self.at *= Affine::translate((by * state.stretch, 0.0)),
            false => self.at *= Affine::translate((0.0, by)),
        }
    }

    /// Moves behind a glyph; the result is how far the glyph itself advances.
    pub(super) fn advance(&mut self, code: u32, length: usize, face: &Face<'_>, state: &State<'_>) -> Vec2 {
        let advance = face.advance(code) * state.size;
        // Word space applies to the single byte 32, whatever character that is.
        let word_space = if code == 32 && length == 1 { state.word_space } else { 0.0 };
        let space = state.letter_space + word_space;
        let (glyph, all) = match face.is_horizontal() {
            true => (
                Vec2::new((advance.x + word_space) * state.stretch, 0.0),
                Vec2::new((advance.x + space) * state.stretch, 0.0),
            ),
            false => (Vec2::new(0.0, advance.y + word_space), Vec2::new(0.0, advance.y + space)),
        };
        self.at *= Affine::translate(all);
        glyph
    }
}
