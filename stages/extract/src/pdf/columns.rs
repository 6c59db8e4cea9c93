//! Finds columns of running text and puts them into reading order.
//!
//! A gutter is an edge where many lines begin and hardly any line crosses, with running text on both sides. Tables
//! have such edges too, but their cells are short: they stay rows, unless the page draws one column after the other. Lines
//! that cross the gutter (titles, wide figures) divide the page into bands; each band is read column by column.

use super::gutter::{Region, Side, gutter, region, side};
use super::rows::{Row, rows};
use super::span::Span;

/// The maximum nesting of columns within columns.
const DEEPEST: usize = 5;
/// How much larger than its column a heading is.
const HEADING: f64 = 1.25;

/// Blocks of rows of spans: blocks in reading order, rows within a block from top to bottom.
pub(super) fn blocks(spans: Vec<&Span>) -> Vec<Vec<Row<'_>>> {
    let mut blocks = Vec::new();
    split(spans, DEEPEST, &mut blocks);
    blocks
}

fn split<'a>(spans: Vec<&'a Span>, depth: usize, blocks: &mut Vec<Vec<Row<'a>>>) {
    if spans.is_empty() {
        return;
    }
    if depth == 0 {
        return blocks.push(rows(spans));
    }
    let Some(gutter) = gutter(&spans) else {
        return split_off(rows(spans), depth, blocks);
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

/// Splits off a part of the page that is set in columns, such as a block of them within other text.
fn split_off<'a>(rows: Vec<Row<'a>>, depth: usize, blocks: &mut Vec<Vec<Row<'a>>>) {
    let Some(Region { rows: range, gutter }) = region(&rows) else {
        return blocks.push(rows);
    };
    let spans = |rows: &[Row<'a>]| rows.iter().flat_map(|row| row.parts.iter().copied()).collect::<Vec<_>>();
    split(spans(&rows[..range.start]), depth - 1, blocks);
    let (right, left) = spans(&rows[range.clone()]).into_iter().partition(|part| side(part, gutter) == Side::Right);
    Band { left, right }.split(depth, blocks);
    split(spans(&rows[range.end..]), depth - 1, blocks);
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
