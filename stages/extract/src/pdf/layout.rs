//! Arranges the spans of a page as lines of text.

use super::columns;
use super::span::{Direction, Span};

/// How far baselines on one line may differ, in font sizes: superscripts belong to their line.
const SAME_LINE: f64 = 0.45;
/// A gap of this many font sizes on a line is a tab: the next cell of a table.
const TAB: f64 = 1.5;
/// A gap of this many font sizes on a line is a space.
const SPACE: f64 = 0.15;
/// Lines this many times further apart than usual are different paragraphs.
const PARAGRAPH: f64 = 1.35;

/// A line of text.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    base: f64,
    size: f64,
}

/// The text of a page: each direction of text separately, the most frequent first.
pub(super) fn text(spans: Vec<Span>) -> String {
    let mut directions: Vec<(usize, Vec<Span>)> = Vec::new();
    for direction in [Direction::Right, Direction::Up, Direction::Left, Direction::Down] {
        let group: Vec<Span> = spans.iter().filter(|span| span.direction == direction).cloned().collect();
        directions.push((group.iter().map(|span| span.text.len()).sum(), group));
    }
    directions.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
    let parts = directions.into_iter().map(|(_, group)| paragraphs(&columns::blocks(group)));
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// Sorts spans into rows from top to bottom, each from left to right.
pub(super) fn rows(mut spans: Vec<Span>) -> Vec<Vec<Span>> {
    spans.sort_by(|a, b| b.base.total_cmp(&a.base));
    let mut rows: Vec<Vec<Span>> = Vec::new();
    // The baseline of a row is that of its largest text, not of a superscript that comes first.
    let (mut base, mut size) = (0.0, 0.0);
    for span in spans {
        match rows.last_mut() {
            Some(row) if (base - span.base).abs() <= SAME_LINE * span.size.max(size) => {
                if span.size > size {
                    (base, size) = (span.base, span.size);
                }
                row.push(span);
            }
            _ => {
                (base, size) = (span.base, span.size);
                rows.push(vec![span]);
            }
        }
    }
    for row in &mut rows {
        row.sort_by(|a, b| a.left.total_cmp(&b.left));
        row.dedup_by(|next, last| is_drawn_twice(last, next));
    }
    rows
}

/// Whether the same text is drawn again at the same place, as some programs do for bold.
fn is_drawn_twice(last: &Span, next: &Span) -> bool {
    let near = 0.3 * last.size;
    last.text == next.text && (last.left - next.left).abs() < near && (last.base - next.base).abs() < near
}

fn line(row: &[Span]) -> Line {
    let mut line = Line { text: String::new(), base: 0.0, size: 0.0 };
    let mut right = f64::INFINITY;
    for span in row {
        let gap = (span.left - right) / span.size;
        if gap > TAB {
            line.text.truncate(line.text.trim_end().len());
            line.text.push('\t');
        } else if gap > SPACE && !line.text.ends_with(' ') && !span.text.starts_with(' ') {
            line.text.push(' ');
        }
        line.text.push_str(&span.text);
        if span.size > line.size {
            (line.base, line.size) = (span.base, span.size);
        }
        right = span.right;
    }
    line.text.truncate(line.text.trim_end().len());
    line
}

fn paragraphs(blocks: &[Vec<Vec<Span>>]) -> String {
    let blocks: Vec<Vec<Line>> = blocks.iter().map(|rows| rows.iter().map(|row| line(row)).collect()).collect();
    let usual = usual_leading(&blocks);
    let mut text = String::new();
    let mut last: Option<&Line> = None;
    for line in blocks.iter().flatten() {
        if let Some(last) = last {
            let down = last.base - line.base;
            let apart = down > (usual * PARAGRAPH).max(last.size.min(line.size) * PARAGRAPH);
            // At the start of a new column the position moves up: a paragraph may continue there.
            text.push_str(if apart { "\n\n" } else { "\n" });
        }
        text.push_str(line.text.trim_start());
        last = Some(line);
    }
    text
}

/// The median distance between consecutive lines.
fn usual_leading(blocks: &[Vec<Line>]) -> f64 {
    let mut steps: Vec<f64> = blocks
        .iter()
        .flat_map(|lines| lines.windows(2).map(|pair| pair[0].base - pair[1].base))
        .filter(|step| *step > 0.0)
        .collect();
    steps.sort_by(f64::total_cmp);
    steps.get(steps.len() / 2).copied().unwrap_or(0.0)
}
