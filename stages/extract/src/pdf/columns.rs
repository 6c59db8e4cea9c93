//! Finds columns of running text and puts them into reading order.
//!
//! A gutter is an edge where many lines begin and hardly any line crosses, with running text on both sides. Tables
//! have such edges too, but their cells are short: they stay rows. Lines that cross the gutter (titles, wide figures)
//! divide the page into bands; each band is read column by column.

use super::layout::rows;
use super::span::Span;

/// The minimum number of lines of a column.
const FEWEST_LINES: usize = 4;
/// The minimum average length of lines of running text, in font sizes; table cells are shorter.
const LINE_LENGTH: f64 = 9.0;
/// The minimum average share of their column that lines of running text fill.
const FILLED: f64 = 0.55;
/// The maximum share of spans that may cross a gutter.
const CROSSING: f64 = 0.35;
/// The maximum nesting of columns within columns.
const DEEPEST: usize = 4;
/// The maximum number of edges to try as a gutter.
const MOST_EDGES: usize = 24;

/// Blocks of rows of spans: blocks in reading order, rows within a block from top to bottom.
pub(super) fn blocks(spans: Vec<Span>) -> Vec<Vec<Vec<Span>>> {
    let mut blocks = Vec::new();
    split(spans, DEEPEST, &mut blocks);
    blocks
}

fn split(spans: Vec<Span>, depth: usize, blocks: &mut Vec<Vec<Vec<Span>>>) {
    let Some(gutter) = (depth > 0).then(|| gutter(&spans)).flatten() else {
        if !spans.is_empty() {
            blocks.push(rows(spans));
        }
        return;
    };
    let (mut left, mut right, mut across) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows(spans) {
        if row.iter().any(|span| side(span, gutter) == Side::Across) {
            split(std::mem::take(&mut left), depth - 1, blocks);
            split(std::mem::take(&mut right), depth - 1, blocks);
            across.push(row);
            continue;
        }
        if !across.is_empty() {
            blocks.push(std::mem::take(&mut across));
        }
        for span in row {
            match side(&span, gutter) {
                Side::Left => left.push(span),
                Side::Right | Side::Across => right.push(span),
            }
        }
    }
    split(left, depth - 1, blocks);
    split(right, depth - 1, blocks);
    if !across.is_empty() {
        blocks.push(across);
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
fn gutter(spans: &[Span]) -> Option<f64> {
    let mut best: Option<(usize, f64)> = None;
    for edge in edges(spans) {
        let count = |wanted| spans.iter().filter(|span| side(span, edge) == wanted).count();
        let crossing = count(Side::Across);
        if crossing as f64 > CROSSING * spans.len() as f64 || best.is_some_and(|(fewest, _)| crossing >= fewest) {
            continue;
        }
        if is_running_text(spans, edge, Side::Left) && is_running_text(spans, edge, Side::Right) {
            best = Some((crossing, edge));
        }
    }
    best.map(|(_, edge)| edge)
}

/// Where several spans begin, the most frequent first.
fn edges(spans: &[Span]) -> Vec<f64> {
    let mut lefts: Vec<f64> = spans.iter().map(|span| span.left).collect();
    lefts.sort_by(f64::total_cmp);
    let mut edges: Vec<(usize, f64)> = Vec::new();
    for left in lefts {
        match edges.last_mut() {
            Some((count, edge)) if left - *edge < 2.0 => *count += 1,
            _ => edges.push((1, left)),
        }
    }
    edges.retain(|(count, _)| *count >= FEWEST_LINES);
    edges.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    edges.into_iter().take(MOST_EDGES).map(|(_, edge)| edge).collect()
}

fn is_running_text(spans: &[Span], edge: f64, wanted: Side) -> bool {
    let column: Vec<Span> = spans.iter().filter(|span| side(span, edge) == wanted).cloned().collect();
    let left = column.iter().map(|span| span.left).fold(f64::INFINITY, f64::min);
    let right = column.iter().map(|span| span.right).fold(f64::NEG_INFINITY, f64::max);
    let rows = rows(column);
    let filled: f64 = rows.iter().flatten().map(|span| span.right - span.left).sum();
    let lengths: f64 = rows.iter().flatten().map(|span| (span.right - span.left) / span.size).sum();
    let lines = rows.len() as f64;
    rows.len() >= FEWEST_LINES && lengths >= LINE_LENGTH * lines && filled >= FILLED * (right - left) * lines
}

#[cfg(test)]
mod tests {
    use super::super::span::Direction;
    use super::*;

    fn span(left: f64, width: f64, base: f64) -> Span {
        let text = format!("{left}/{base}");
        Span { text, direction: Direction::Right, left, right: left + width, base, size: 10.0 }
    }

    /// Lines of two columns of these widths, drawn across the page.
    fn grid(lines: u32, first: f64, second: f64) -> Vec<Span> {
        let line = |number| [span(50.0, first, 700.0 - 12.0 * number), span(320.0, second, 700.0 - 12.0 * number)];
        (0..lines).map(f64::from).flat_map(line).collect()
    }

    #[test]
    fn adjacent_long_lines_are_columns() {
        let blocks = blocks(grid(6, 220.0, 220.0));
        assert_eq!(blocks.iter().map(Vec::len).collect::<Vec<_>>(), [6, 6]);
        assert!(blocks[0].iter().flatten().all(|span| span.left < 300.0));
    }

    #[test]
    fn adjacent_short_cells_are_rows() {
        assert_eq!(blocks(grid(6, 60.0, 60.0)).len(), 1);
        assert_eq!(blocks(grid(6, 220.0, 60.0)).len(), 1);
        assert_eq!(blocks(grid(3, 220.0, 220.0)).len(), 1);
    }

    #[test]
    fn lines_across_the_gutter_divide_the_page_into_bands() {
        let mut spans = grid(10, 220.0, 220.0);
        spans.push(span(50.0, 490.0, 720.0));
        spans.push(span(50.0, 490.0, 700.0 - 12.0 * 4.5));
        let firsts: Vec<String> = blocks(spans).iter().map(|block| block[0][0].text.clone()).collect();
        assert_eq!(firsts, ["50/720", "50/700", "320/700", "50/646", "50/640", "320/640"]);
    }
}
