//! Spans: pieces of text on one baseline, as a content stream draws them.

use hayro_font::kurbo::{Point, Vec2};

use super::accents;
use crate::words::levels::Level;

/// A gap of more font sizes than this ends a span: what follows may be another column or cell.
const APART: f64 = 0.5;
/// How far a glyph of a span may begin before the end of the last one, in font sizes.
const BACK: f64 = 0.5;
/// The same glyph again within this many font sizes is drawn twice.
const TWICE: f64 = 0.1;
/// How far a baseline may drift from one glyph to the next, in font sizes.
const DRIFT: f64 = 0.1;
/// How much larger the next glyph of a span may be.
const SAME_SIZE: f64 = 1.1;
/// The cosine of the largest angle between the baselines of adjacent glyphs of a span.
const SAME_DIRECTION: f64 = 0.9995;

/// How heavy the strokes of a font are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

/// Whether glyphs are painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Painted,
    /// They are not, as the text that was read from a scan and lies over it.
    None,
}

/// How a span ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// All of it is seen.
    Whole,
    /// The rest of it is clipped: what follows on the line is something else.
    Cut,
}

/// One glyph of a span: a piece of its text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Glyph {
    /// Where its ink begins, from the start of the span.
    pub(super) left: f32,
    /// Where its advance ends, without letter space.
    pub(super) right: f32,
    /// Where its text ends within that of the span, in bytes.
    pub(super) end: u32,
}

/// A piece of text on one baseline.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span {
    /// The text as drawn: spaces that are only gaps are not part of it.
    pub(super) text: String,
    pub(super) glyphs: Vec<Glyph>,
    /// Where it begins on the page.
    pub(super) origin: Point,
    /// The direction of its baseline, of length one.
    pub(super) along: Vec2,
    /// Its left edge, once the page is turned so that the text runs to the right.
    pub(super) left: f64,
    pub(super) right: f64,
    /// The position of the baseline; larger is further up.
    pub(super) base: f64,
    /// The font size.
    pub(super) size: f64,
    /// Letter space, in units of the page.
    pub(super) spacing: f64,
    pub(super) weight: Weight,
    pub(super) level: Level,
    pub(super) ink: Ink,
    pub(super) ending: Ending,
    /// How many spans were drawn before it.
    pub(super) order: usize,
}

impl Span {
    /// The text of each glyph, and the glyph.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (&str, Glyph)> {
        let mut start = 0;
        self.glyphs.iter().map(move |glyph| {
            let end = glyph.end as usize;
            let piece = self.text.get(start..end).unwrap_or_default();
            start = end;
            (piece, *glyph)
        })
    }

    /// Sets the edges for a page that is turned so that this direction runs to the right.
    pub(super) fn turn(&mut self, direction: Vec2) {
        let origin = self.origin.to_vec2();
        let width = self.glyphs.iter().fold(0.0_f32, |width, glyph| width.max(glyph.right));
        self.left = origin.dot(direction);
        self.right = self.left + f64::from(width);
        self.base = direction.cross(origin);
    }

    /// A span of text on a page, for tests.
    #[cfg(test)]
    pub(super) fn sample(text: &str, edges: (f64, f64), base: f64) -> Self {
        let place = Place {
            from: Point::new(edges.0, base),
            to: Point::new(edges.0, base),
            along: Vec2::new(1.0, 0.0),
            size: 10.0,
            spacing: 0.0,
            weight: Weight::Regular,
            ink: Ink::Painted,
        };
        let mut spans = Spans::default();
        let width = (edges.1 - edges.0) / text.chars().count().max(1) as f64;
        for (number, letter) in text.chars().enumerate() {
            let from = place.from + place.along * (width * number as f64);
            spans.push(&letter.to_string(), Place { from, to: from + place.along * width, ..place });
        }
        let mut span = spans.take().remove(0);
        span.turn(place.along);
        (span.text, span.right) = (text.to_owned(), edges.1);
        span
    }

    /// Adds a glyph whose edges are on the page.
    fn add(&mut self, text: &str, place: &Place) {
        self.text.push_str(text);
        let left = (place.from - self.origin).dot(self.along);
        let right = (place.to - self.origin).dot(self.along);
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.glyphs.push(Glyph { left: left.min(right) as f32, right: right.max(left) as f32, end });
    }

    /// Removes the last glyph.
    fn pop(&mut self) {
        self.glyphs.pop();
        let end = self.glyphs.last().map_or(0, |glyph| glyph.end as usize);
        self.text.truncate(end);
    }
}

/// Where and how a glyph is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its origin.
    pub(super) from: Point,
    /// Where its advance ends, without letter space.
    pub(super) to: Point,
    /// The direction of the baseline, of length one.
    pub(super) along: Vec2,
    /// The font size on the page.
    pub(super) size: f64,
    /// Letter space on the page.
    pub(super) spacing: f64,
    pub(super) weight: Weight,
    pub(super) ink: Ink,
}

impl Place {
    fn is_finite(&self) -> bool {
        let numbers = [self.from.x, self.from.y, self.to.x, self.to.y, self.along.x, self.along.y, self.spacing];
        numbers.iter().all(|number| number.is_finite())
    }

    /// Whether a glyph here continues a span.
    fn continues(&self, span: &Span) -> bool {
        let Some(last) = span.glyphs.last() else { return false };
        let from = self.from - span.origin;
        let (gap, rise) = (from.dot(span.along) - f64::from(last.right), span.along.cross(from));
        let size = span.size.max(self.size);
        span.along.dot(self.along) >= SAME_DIRECTION
            && rise.abs() <= size * DRIFT
            && gap > -size * BACK
            && gap <= size * APART
            && size <= span.size.min(self.size) * SAME_SIZE
            && (span.spacing - self.spacing).abs() <= 0.01 * size
            && span.weight == self.weight
            && span.ink == self.ink
            && span.ending == Ending::Whole
    }
}

/// The spans of a page in drawing order.
#[derive(Debug, Default)]
pub(super) struct Spans {
    spans: Vec<Span>,
}

impl Spans {
    /// Adds a glyph, to the last span if it continues that one.
    pub(super) fn push(&mut self, text: &str, place: Place) {
        if !place.is_finite() || place.size <= 0.0 {
            return;
        }
        if text.is_empty() {
            return self.widen(&place);
        }
        if self.is_again(text, &place) {
            return;
        }
        let composed = self.overstrike(text, &place);
        let text = match &composed {
            Overstrike::None => text,
            Overstrike::OfNext(letter) => letter,
            Overstrike::OfLast => return,
        };
        if let Some(last) = self.spans.last_mut().filter(|last| place.continues(last)) {
            last.add(text, &place);
        } else if !text.trim_matches(' ').is_empty() {
            self.start(text, &place);
        }
    }

    /// Whether a glyph is the last one again at the same place: some programs draw bold that way.
    fn is_again(&self, text: &str, place: &Place) -> bool {
        let Some(span) = self.spans.last() else { return false };
        let Some(glyph) = span.glyphs.last() else { return false };
        let at = span.origin + span.along * f64::from(glyph.left);
        span.text.ends_with(text) && (place.from - at).hypot() < TWICE * place.size
    }

    /// Adds a glyph whose text is part of that of the last one.
    fn widen(&mut self, place: &Place) {
        let Some(last) = self.spans.last_mut().filter(|last| place.continues(last)) else { return };
        let right = (place.to - last.origin).dot(last.along) as f32;
        last.glyphs.last_mut().into_iter().for_each(|glyph| glyph.right = glyph.right.max(right));
    }

    /// Adds text that is not drawn glyph by glyph, such as the value of a form field.
    pub(super) fn push_text(&mut self, text: &str, place: Place) {
        if place.is_finite() && place.size > 0.0 && !text.trim().is_empty() {
            self.start(text.trim(), &place);
        }
    }

    /// The rest of the last span is not seen.
    pub(super) fn cut(&mut self) {
        if let Some(last) = self.spans.last_mut() {
            last.ending = Ending::Cut;
        }
    }

    /// The spans, starting anew.
    pub(super) fn take(&mut self) -> Vec<Span> {
        std::mem::take(&mut self.spans)
    }

    fn start(&mut self, text: &str, place: &Place) {
        let mut span = Span {
            text: String::new(),
            glyphs: Vec::new(),
            origin: place.from,
            along: place.along,
            left: 0.0,
            right: 0.0,
            base: 0.0,
            size: place.size,
            spacing: place.spacing,
            weight: place.weight,
            level: Level::Line,
            ink: place.ink,
            ending: Ending::Whole,
            order: self.spans.len(),
        };
        span.add(text, place);
        self.spans.push(span);
    }

    /// Combines an accent and a letter that are drawn over each other.
    fn overstrike(&mut self, text: &str, place: &Place) -> Overstrike {
        let (Some(next), None) = first_and_more(text) else { return Overstrike::None };
        let Some(last_span) = self.spans.last_mut() else { return Overstrike::None };
        let mut pieces = last_span.text.char_indices().rev();
        let (Some(glyph), Some((start, last))) = (last_span.glyphs.last(), pieces.next()) else {
            return Overstrike::None;
        };
        if !accents::is_accent(last) && !accents::is_accent(next) {
            return Overstrike::None;
        }
        let from = place.from - last_span.origin;
        let left = from.dot(last_span.along);
        let edges = (left, left + (place.to - place.from).dot(last_span.along));
        let last_edges = (f64::from(glyph.left), f64::from(glyph.right));
        let rise = last_span.along.cross(from).abs();
        if rise > 0.5 * place.size {
            return Overstrike::None;
        }
        if accents::is_accent(last) && accents::is_over(last_edges, edges) {
            if let Some(letter) = accents::compose(next, last) {
                last_span.pop();
                if last_span.glyphs.is_empty() {
                    self.spans.pop();
                }
                return Overstrike::OfNext(letter.to_string());
            }
        } else if accents::is_accent(next)
            && accents::is_over(edges, last_edges)
            && let Some(letter) = accents::compose(last, next)
        {
            last_span.text.truncate(start);
            last_span.text.push(letter);
            let end = u32::try_from(last_span.text.len()).unwrap_or(u32::MAX);
            last_span.glyphs.last_mut().into_iter().for_each(|glyph| glyph.end = end);
            return Overstrike::OfLast;
        }
        Overstrike::None
    }
}

/// What becomes of a glyph that may be drawn over the last one.
enum Overstrike {
    None,
    /// The last glyph was an accent of this one, which becomes this letter.
    OfNext(String),
    /// The glyph is an accent of the last one, which has it now.
    OfLast,
}

fn first_and_more(text: &str) -> (Option<char>, Option<char>) {
    let mut letters = text.chars();
    (letters.next(), letters.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(x: f64, y: f64) -> Place {
        Place {
            from: Point::new(x, y),
            to: Point::new(x + 5.0, y),
            along: Vec2::new(1.0, 0.0),
            size: 10.0,
            spacing: 0.0,
            weight: Weight::Regular,
            ink: Ink::Painted,
        }
    }

    fn spans(glyphs: &[(&str, f64, f64)]) -> Vec<Span> {
        let mut spans = Spans::default();
        for (text, x, y) in glyphs {
            spans.push(text, place(*x, *y));
        }
        spans.take()
    }

    #[test]
    fn a_wide_gap_or_another_baseline_starts_a_new_span() {
        let spans = spans(&[("a", 0.0, 0.0), ("b", 5.5, 0.0), ("c", 17.0, 0.0), ("d", 60.0, 0.0), ("e", 65.0, 14.0)]);
        assert_eq!(spans.iter().map(|span| span.text.as_str()).collect::<Vec<_>>(), ["ab", "c", "d", "e"]);
    }

    #[test]
    fn a_glyph_drawn_twice_is_read_once() {
        let spans = spans(&[("o", 0.0, 0.0), ("o", 0.3, 0.0), ("o", 5.0, 0.0), ("f", 10.0, 0.0)]);
        assert_eq!(spans[0].text, "oof");
    }

    #[test]
    fn an_accent_drawn_over_a_letter_is_part_of_it() {
        for glyphs in [[("´", 5.2, 0.0), ("e", 5.0, 0.0)], [("e", 5.0, 0.0), ("´", 5.2, 2.0)]] {
            let glyphs = [&[("f", 0.0, 0.0)], &glyphs[..], &[("s", 10.0, 0.0)]].concat();
            assert_eq!(spans(&glyphs)[0].text, "fés");
        }
        assert_eq!(spans(&[("e", 0.0, 0.0), ("´", 5.0, 0.0)])[0].text, "e´");
    }

    #[test]
    fn glyphs_at_non_finite_positions_are_left_out() {
        assert_eq!(spans(&[("a", f64::NAN, 0.0), ("b", f64::INFINITY, 0.0)]), []);
    }

    #[test]
    fn text_that_runs_up_the_page_is_turned() {
        let mut spans = Spans::default();
        let along = Vec2::new(0.0, 1.0);
        spans.push("a", Place { from: Point::new(100.0, 20.0), to: Point::new(100.0, 25.0), along, ..place(0.0, 0.0) });
        let mut span = spans.take().remove(0);
        span.turn(along);
        assert_eq!((span.left, span.right, span.base), (20.0, 25.0, -100.0));
    }
}
