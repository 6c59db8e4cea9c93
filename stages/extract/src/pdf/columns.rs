//! Finds columns of running text and puts them into reading order.
//!
//! A gutter is an edge where many lines begin and hardly any line crosses, with running text on both sides. Tables
//! have such edges too, but their cells are short: they stay rows, unless the page draws one column after the other. Lines
//! that cross the gutter (titles, wide figures) divide the page into bands; each band is read column by column.

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
/// How much larger than its column a heading is.
const HEADING: f64 = 1.25;
/// The minimum share of letters in lines of prose, in percent.
const LETTERS: usize = 60;
/// The maximum share of spans that may cross a gutter.
const CROSSING: f64 = 0.35;
/// The maximum nesting of columns within columns.
const DEEPEST: usize = 4;
/// The maximum number of edges to try as a gutter.
const MOST_EDGES: usize = 24;
/// The minimum share of lines that go on in the middle of a sentence, in prose, in percent.
const CONTINUED: usize = 20;

/// Blocks of rows of spans: blocks in reading order, rows within a block from top to bottom.
pub(super) fn blocks(spans: Vec<&Span>) -> Vec<Vec<Row<'_>>> {
    let mut blocks = Vec::new();
    split(spans, DEEPEST, &mut blocks);
    blocks
}

fn split<'a>(spans: Vec<&'a Span>, depth: usize, blocks: &mut Vec<Vec<Row<'a>>>) {
    let Some(gutter) = (depth > 0).then(|| gutter(&spans)).flatten() else {
        if !spans.is_empty() {
            blocks.push(rows(spans));
        }
        return;
    };
    let (mut band, mut across) = (Band::default(), Vec::new());
    for row in rows(spans) {
        if row.parts.iter().any(|part| side(part, gutter) == Side::Across) {
            std::mem::take(&mut band).split(depth, blocks);
            across.push(row);
            continue;
        }
        if !across.is_empty() {
            blocks.push(std::mem::take(&mut across));
        }
        for part in row.parts {
            match side(part, gutter) {
                Side::Left => band.left.push(part),
                Side::Right | Side::Across => band.right.push(part),
            }
        }
    }
    band.split(depth, blocks);
    if !across.is_empty() {
        blocks.push(across);
    }
}

/// What is between two lines that cross the gutter.
#[derive(Default)]
struct Band<'a> {
    left: Vec<&'a Span>,
    right: Vec<&'a Span>,
}

impl<'a> Band<'a> {
    fn split(self, depth: usize, blocks: &mut Vec<Vec<Row<'a>>>) {
        if self.left.is_empty() || self.right.is_empty() || self.stands_side_by_side() {
            let end = self.end();
            let (left, below): (Vec<_>, Vec<_>) = self.left.into_iter().partition(|span| span.base > end);
            let (right, rest): (Vec<_>, Vec<_>) = self.right.into_iter().partition(|span| span.base > end);
            split(left, depth - 1, blocks);
            split(right, depth - 1, blocks);
            split(below.into_iter().chain(rest).collect(), depth - 1, blocks);
        } else {
            let spans = self.left.into_iter().chain(self.right).collect();
            blocks.push(rows(spans));
        }
    }

    /// Where the columns end: above a heading that follows the shorter one, as it does not belong to the longer one alone.
    fn end(&self) -> f64 {
        let low = |side: &[&Span]| side.iter().map(|span| span.base).fold(f64::INFINITY, f64::min);
        let (left, right) = (low(&self.left), low(&self.right));
        let longer = if left < right { &self.left } else { &self.right };
        let size = longer.iter().map(|span| span.size).fold(f64::INFINITY, f64::min);
        let is_heading = |span: &&&Span| span.base < left.max(right) - size && span.size > HEADING * size;
        let heading = longer.iter().filter(is_heading).map(|span| span.base + span.size);
        if left.is_finite() && right.is_finite() {
            heading.fold(f64::NEG_INFINITY, f64::max)
        } else {
            f64::NEG_INFINITY
        }
    }

    /// Whether both sides have lines at the same height; one line is not a column yet.
    fn stands_side_by_side(&self) -> bool {
        let bounds = |side: &[&Span]| {
            let bases = side.iter().map(|span| span.base);
            bases.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), base| (low.min(base), high.max(base)))
        };
        let (left, right) = (bounds(&self.left), bounds(&self.right));
        let size = self.left.iter().map(|span| span.size).fold(f64::INFINITY, f64::min);
        left.1.min(right.1) - left.0.max(right.0) > 0.7 * size
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
    Across,
}

fn side(span: &Span, gutter: f64) -> Side {
    match (span.right <= gutter, span.left >= gutter - 0.5) {
        (_, true) => Side::Right,
        (true, false) => Side::Left,
        (false, false) => Side::Across,
    }
}

/// The best edge between two columns, if there is one.
fn gutter(spans: &[&Span]) -> Option<f64> {
    let mut best: Option<(usize, f64)> = None;
    for edge in edges(spans) {
        let crossing = spans.iter().filter(|span| side(span, edge) == Side::Across).count();
        if crossing as f64 > CROSSING * spans.len() as f64 || best.is_some_and(|(fewest, _)| crossing >= fewest) {
            continue;
        }
        let (left, right) = (Column::of(spans, edge, Side::Left), Column::of(spans, edge, Side::Right));
        if left.right > edge - GUTTER * left.size.max(right.size) {
            continue;
        }
        if are_columns(&left, &right) || (is_drawn_down(spans, edge) && are_columns_if_drawn_down(&left, &right)) {
            best = Some((crossing, edge));
        }
    }
    best.map(|(_, edge)| edge)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn span(left: f64, width: f64, base: f64) -> Span {
        Span::sample(&format!("{left}/{base}"), (left, left + width), base)
    }

    /// Lines of two columns of these widths, drawn across the page.
    fn grid(lines: u32, first: f64, second: f64) -> Vec<Span> {
        let line = |number| [span(50.0, first, 700.0 - 12.0 * number), span(320.0, second, 700.0 - 12.0 * number)];
        let mut spans: Vec<Span> = (0..lines).map(f64::from).flat_map(line).collect();
        spans.iter_mut().enumerate().for_each(|(order, span)| span.order = order);
        spans
    }

    fn blocks_of(spans: &[Span]) -> Vec<Vec<Row<'_>>> {
        blocks(spans.iter().collect())
    }

    #[test]
    fn adjacent_long_lines_are_columns() {
        let spans = grid(6, 220.0, 220.0);
        let blocks = blocks_of(&spans);
        assert_eq!(blocks.iter().map(Vec::len).collect::<Vec<_>>(), [6, 6]);
        assert!(blocks[0].iter().flat_map(|row| &row.parts).all(|part| part.left < 300.0));
    }

    #[test]
    fn adjacent_short_cells_are_rows() {
        assert_eq!(blocks_of(&grid(6, 60.0, 60.0)).len(), 1);
        assert_eq!(blocks_of(&grid(6, 220.0, 60.0)).len(), 1);
        assert_eq!(blocks_of(&grid(3, 220.0, 220.0)).len(), 1);
    }

    #[test]
    fn few_lines_are_columns_if_their_sentences_go_on() {
        let mut spans = grid(3, 220.0, 220.0);
        spans.iter_mut().skip(2).for_each(|span| span.text = "and so on".to_owned());
        assert_eq!(blocks_of(&spans).len(), 2);
    }

    #[test]
    fn narrow_prose_is_columns_if_it_is_drawn_column_by_column() {
        let mut spans = grid(6, 70.0, 70.0);
        spans.iter_mut().for_each(|span| span.text = "some narrow words".to_owned());
        assert_eq!(blocks_of(&spans).len(), 1);
        spans.sort_by(|a, b| a.left.total_cmp(&b.left));
        spans.iter_mut().enumerate().for_each(|(order, span)| span.order = order);
        assert_eq!(blocks_of(&spans).len(), 2);
    }

    #[test]
    fn lines_across_the_gutter_divide_the_page_into_bands() {
        let mut spans = grid(10, 220.0, 220.0);
        spans.push(span(50.0, 490.0, 720.0));
        spans.push(span(50.0, 490.0, 700.0 - 12.0 * 4.5));
        let blocks = blocks_of(&spans);
        let firsts: Vec<&str> = blocks.iter().map(|block| block[0].parts[0].text.as_str()).collect();
        assert_eq!(firsts, ["50/720", "50/700", "320/700", "50/646", "50/640", "320/640"]);
    }
}
