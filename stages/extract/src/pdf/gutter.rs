//! Finds the gutters between columns of running text.

use std::ops::Range;

use super::rows::{Row, rows};
use super::span::Span;

/// The minimum number of lines of a column; fewer need to be sentences that continue from line to line.
const FEWEST_LINES: usize = 4;
/// The minimum number of lines that begin at an edge.
const FEWEST_BEGINNINGS: usize = 2;
/// The minimum average length of lines of running text, in font sizes; table cells are shorter.
const LINE_LENGTH: f64 = 9.0;
/// The minimum average share of their column that lines of running text fill.
const FILLED: f64 = 0.55;
/// The minimum width of a gutter, in font sizes; a space is narrower.
const GUTTER: f64 = 0.8;
/// The distance of lines that belong together, in font sizes.
const NEXT_LINE: f64 = 1.45;
/// The minimum share of letters in lines of prose, in percent.
const LETTERS: usize = 60;
/// The maximum share of spans that may cross a gutter.
const CROSSING: f64 = 0.35;
/// The maximum number of edges to try as a gutter.
const MOST_EDGES: usize = 24;
/// The minimum share of lines that go on in the middle of a sentence, in prose, in percent.
const CONTINUED: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
    Across,
}

pub(super) fn side(span: &Span, gutter: f64) -> Side {
    match (span.right <= gutter, span.left >= gutter - 0.5) {
        (_, true) => Side::Right,
        (true, false) => Side::Left,
        (false, false) => Side::Across,
    }
}

/// The best edge between two columns, if there is one.
pub(super) fn gutter(spans: &[&Span]) -> Option<f64> {
    let mut best: Option<(usize, f64)> = None;
    for edge in edges(spans) {
        let crossing = spans.iter().filter(|span| side(span, edge) == Side::Across).count();
        if crossing as f64 > CROSSING * spans.len() as f64 || best.is_some_and(|(fewest, _)| crossing >= fewest) {
            continue;
        }
        let (left, right) = (Column::of(spans, edge, Side::Left), Column::of(spans, edge, Side::Right));
        if stand_apart(&left, &right, edge)
            && (are_columns(&left, &right) || (is_drawn_down(spans, edge) && are_columns_if_drawn_down(&left, &right)))
        {
            best = Some((crossing, edge));
        }
    }
    best.map(|(_, edge)| edge)
}

/// Consecutive rows that are set in columns.
pub(super) struct Region {
    pub(super) rows: Range<usize>,
    pub(super) gutter: f64,
}

/// The largest part of a page that is set in columns.
pub(super) fn region(rows: &[Row<'_>]) -> Option<Region> {
    let spans: Vec<&Span> = rows.iter().flat_map(|row| row.parts.iter().copied()).collect();
    let mut best: Option<(usize, Region)> = None;
    for edge in edges(&spans) {
        let crosses = |row: &Row<'_>| row.parts.iter().any(|part| side(part, edge) == Side::Across);
        let mut start = 0;
        while start < rows.len() {
            let length = rows[start..].iter().take_while(|row| !crosses(row)).count();
            let range = trimmed(rows, start..start + length, edge);
            start += length + 1;
            let parts: Vec<&Span> = rows[range.clone()].iter().flat_map(|row| row.parts.iter().copied()).collect();
            if range.len() < 2 || best.as_ref().is_some_and(|(most, _)| parts.len() <= *most) {
                continue;
            }
            let (left, right) = (Column::of(&parts, edge, Side::Left), Column::of(&parts, edge, Side::Right));
            if stand_apart(&left, &right, edge)
                && (are_columns(&left, &right)
                    || (is_drawn_down(&parts, edge) && are_columns_if_drawn_down(&left, &right)))
            {
                best = Some((parts.len(), Region { rows: range, gutter: edge }));
            }
        }
    }
    best.map(|(_, region)| region)
}

/// The rows from the first to the last that have something to the right of an edge, and those that go on below.
fn trimmed(rows: &[Row<'_>], range: Range<usize>, edge: f64) -> Range<usize> {
    let has_right = |row: &Row<'_>| row.parts.iter().any(|part| side(part, edge) == Side::Right);
    let own = &rows[range.clone()];
    let first = own.iter().position(has_right).unwrap_or(own.len());
    let last = own.iter().rposition(has_right).map_or(first, |last| last + 1);
    let goes_on = |pair: &&[Row<'_>]| pair[0].base - pair[1].base < NEXT_LINE * pair[1].size;
    let more = own[last.saturating_sub(1)..].windows(2).take_while(goes_on).count();
    range.start + first..range.start + last + if last > first { more } else { 0 }
}

fn stand_apart(left: &Column, right: &Column, edge: f64) -> bool {
    left.lines > 0 && right.lines > 0 && left.right <= edge - GUTTER * left.size.max(right.size)
}

/// Where several spans begin, the most frequent first.
fn edges(spans: &[&Span]) -> Vec<f64> {
    let mut lefts: Vec<f64> = spans.iter().map(|span| span.left).collect();
    lefts.sort_by(f64::total_cmp);
    let mut edges: Vec<(usize, f64)> = Vec::new();
    for left in lefts {
        match edges.last_mut() {
            Some((count, edge)) if left - *edge < 2.0 => *count += 1,
            _ => edges.push((1, left)),
        }
    }
    edges.retain(|(count, _)| *count >= FEWEST_BEGINNINGS);
    edges.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    edges.into_iter().take(MOST_EDGES).map(|(_, edge)| edge).collect()
}

/// The text on one side of an edge.
struct Column {
    lines: usize,
    /// The average length of its lines, in font sizes.
    length: f64,
    /// The average share of its width that lines fill.
    filled: f64,
    /// How many lines begin in lower case, as they do in the middle of a sentence.
    continued: usize,
    /// The average number of words of a line.
    words: f64,
    /// Its right edge, and the average size of its text.
    right: f64,
    size: f64,
    /// Whether it is made of words.
    has_letters: bool,
}

impl Column {
    fn of(spans: &[&Span], edge: f64, wanted: Side) -> Self {
        let column: Vec<&Span> = spans.iter().copied().filter(|span| side(span, edge) == wanted).collect();
        let left = column.iter().map(|span| span.left).fold(f64::INFINITY, f64::min);
        let right = column.iter().map(|span| span.right).fold(f64::NEG_INFINITY, f64::max);
        let width = |span: &Span| span.right - span.left;
        let filled: f64 = column.iter().map(|span| width(span)).sum();
        let lengths: f64 = column.iter().map(|span| width(span) / span.size).sum();
        let size = column.iter().map(|span| span.size * width(span)).sum::<f64>() / filled;
        let count =
            |is: fn(&char) -> bool| column.iter().map(|span| span.text.chars().filter(is).count()).sum::<usize>();
        let (all, letters) = (count(|letter| *letter != ' '), count(|letter| letter.is_alphabetic()));
        let words: usize = column.iter().map(|span| span.text.split(' ').filter(|word| !word.is_empty()).count()).sum();
        let rows = rows(column);
        let begins_lower = |row: &&Row<'_>| {
            let first = row.parts.first().and_then(|part| part.text.chars().next());
            first.is_some_and(char::is_lowercase)
        };
        let lines = rows.len() as f64;
        Self {
            lines: rows.len(),
            length: lengths / lines,
            filled: filled / ((right - left) * lines),
            continued: rows.iter().filter(begins_lower).count(),
            words: words as f64 / lines,
            right,
            size,
            has_letters: letters * 100 >= all * LETTERS,
        }
    }

    fn is_running_text(&self) -> bool {
        let is_enough = self.lines >= FEWEST_LINES || (self.lines >= 2 && self.continued > 0 && self.has_letters);
        is_enough && self.length >= LINE_LENGTH && self.filled >= FILLED
    }

    fn is_continued(&self) -> bool {
        self.continued * 100 >= self.lines * CONTINUED && self.has_letters
    }

    fn is_prose(&self) -> bool {
        self.lines >= 2 && self.is_continued() && self.words >= 2.0
    }
}

fn are_columns(left: &Column, right: &Column) -> bool {
    left.is_running_text() && right.is_running_text()
}

/// Text that is drawn column by column may also be narrow, or stand beside a narrow list.
fn are_columns_if_drawn_down(left: &Column, right: &Column) -> bool {
    let is_list_beside = left.lines >= 3 && right.lines >= 3;
    let is_sentences = |column: &Column| column.length >= LINE_LENGTH && column.is_continued();
    (left.is_prose() && right.is_prose()) || (is_list_beside && (is_sentences(left) || is_sentences(right)))
}

/// Whether all of one side is drawn before the other.
fn is_drawn_down(spans: &[&Span], edge: f64) -> bool {
    let mut sides: Vec<(usize, Side)> = spans.iter().map(|span| (span.order, side(span, edge))).collect();
    sides.retain(|(_, side)| *side != Side::Across);
    sides.sort_by_key(|(order, _)| *order);
    let changes = sides.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
    changes == 1 || (changes <= 3 && sides.len() >= 12)
}
