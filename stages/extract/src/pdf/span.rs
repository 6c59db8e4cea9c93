//! Spans: pieces of text on one baseline, as a content stream draws them.

use hayro_font::kurbo::{Point, Vec2};

/// A gap of this many font sizes is a space.
const SPACE: f64 = 0.15;
/// A gap of more font sizes than this ends a span: what follows may be another column or cell.
const APART: f64 = 1.0;
/// The same glyph again within this many font sizes is drawn twice.
const TWICE: f64 = 0.1;
/// How far a baseline may drift within a span, in font sizes.
const DRIFT: f64 = 0.1;

/// The direction in which text runs on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Direction {
    Right,
    Up,
    Left,
    Down,
}

impl Direction {
    fn of(advance: Vec2) -> Self {
        match (advance.x.abs() >= advance.y.abs(), advance.x >= 0.0, advance.y >= 0.0) {
            (true, true, _) => Self::Right,
            (true, false, _) => Self::Left,
            (false, _, true) => Self::Up,
            (false, _, false) => Self::Down,
        }
    }

    /// Rotates a point with the page so that this direction runs to the right.
    fn rotate(self, point: Point) -> Point {
        match self {
            Self::Right => point,
            Self::Up => Point::new(point.y, -point.x),
            Self::Left => Point::new(-point.x, -point.y),
            Self::Down => Point::new(-point.y, point.x),
        }
    }
}

/// A piece of text. Its coordinates are those of the page rotated so that the text runs to the right.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) direction: Direction,
    pub(super) left: f64,
    pub(super) right: f64,
    /// The position of the baseline; larger is further up.
    pub(super) base: f64,
    /// The font size.
    pub(super) size: f64,
}

/// Where a glyph is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its origin.
    pub(super) from: Point,
    /// The origin of the next glyph.
    pub(super) to: Point,
    /// The font size on the page.
    pub(super) size: f64,
}

/// The spans of a page in drawing order.
#[derive(Debug, Default)]
pub(super) struct Spans {
    spans: Vec<Span>,
    /// The last glyph and where it was drawn.
    last: Option<(String, Point)>,
}

impl Spans {
    /// Adds a glyph, to the last span if it continues that one.
    pub(super) fn push(&mut self, text: &str, place: Place) {
        let finite = [place.from.x, place.from.y, place.to.x, place.to.y].iter().all(|number| number.is_finite());
        if text.is_empty() || !finite || place.size <= 0.0 {
            return;
        }
        // Some programs draw bold by drawing the same glyph again at the same place.
        let again = |(glyph, at): &(String, Point)| glyph == text && (place.from - *at).hypot() < TWICE * place.size;
        if self.last.as_ref().is_some_and(again) {
            return;
        }
        self.last = Some((text.to_owned(), place.from));
        let direction = Direction::of(place.to - place.from);
        let (from, to) = (direction.rotate(place.from), direction.rotate(place.to));
        if let Some(last) = self.spans.last_mut().filter(|last| last.direction == direction) {
            let size = last.size.max(place.size);
            let gap = from.x - last.right;
            if (from.y - last.base).abs() <= size * DRIFT && gap > -size * APART / 2.0 && gap <= size * APART {
                let joined = last.text.ends_with(' ') || text.starts_with(' ');
                if gap > size * SPACE && !joined {
                    last.text.push(' ');
                }
                last.text.push_str(text);
                last.right = to.x;
                last.size = size;
                return;
            }
        }
        if text.trim_matches(' ').is_empty() {
            return;
        }
        self.spans.push(Span {
            text: text.to_owned(),
            direction,
            left: from.x.min(to.x),
            right: to.x.max(from.x),
            base: from.y,
            size: place.size,
        });
    }

    /// The spans.
    pub(super) fn into_vec(self) -> Vec<Span> {
        self.spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(glyphs: &[(&str, f64, f64)]) -> Vec<Span> {
        let mut spans = Spans::default();
        for (text, x, y) in glyphs {
            spans.push(text, Place { from: Point::new(*x, *y), to: Point::new(x + 5.0, *y), size: 10.0 });
        }
        spans.into_vec()
    }

    #[test]
    fn a_gap_is_a_space_and_a_wide_gap_a_new_span() {
        let spans = spans(&[("a", 0.0, 0.0), ("b", 5.5, 0.0), ("c", 14.0, 0.0), ("d", 60.0, 0.0), ("e", 65.0, 14.0)]);
        assert_eq!(spans.iter().map(|span| span.text.as_str()).collect::<Vec<_>>(), ["ab c", "d", "e"]);
    }

    #[test]
    fn a_glyph_drawn_twice_is_read_once() {
        let spans = spans(&[("o", 0.0, 0.0), ("o", 0.3, 0.0), ("o", 5.0, 0.0), ("f", 10.0, 0.0)]);
        assert_eq!(spans[0].text, "oof");
    }

    #[test]
    fn glyphs_at_non_finite_positions_are_left_out() {
        assert_eq!(spans(&[("a", f64::NAN, 0.0), ("b", f64::INFINITY, 0.0)]), []);
    }

    #[test]
    fn text_that_runs_up_the_page_is_rotated() {
        let mut spans = Spans::default();
        spans.push("a", Place { from: Point::new(100.0, 20.0), to: Point::new(100.0, 25.0), size: 10.0 });
        let span = spans.into_vec().remove(0);
        assert_eq!((span.direction, span.left, span.right, span.base), (Direction::Up, 20.0, 25.0, -100.0));
    }
}
