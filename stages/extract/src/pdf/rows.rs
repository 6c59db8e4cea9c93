//! Gathers spans into rows: text on one baseline.

use super::span::Span;

/// How far baselines on one line may differ, in sizes of the smaller text.
const SAME_LINE: f64 = 0.45;
/// Text this many times larger than a row belongs to it only if it stands beside it.
const MUCH_LARGER: f64 = 1.5;
/// How far text that stands beside a row may reach into it, in sizes of the smaller text.
const BESIDE: f64 = 0.3;

/// A row of text.
#[derive(Debug, Clone)]
pub(super) struct Row<'a> {
    /// From left to right.
    pub(super) parts: Vec<&'a Span>,
    /// The baseline and the size of most of the text.
    pub(super) base: f64,
    pub(super) size: f64,
}

/// A row that is being gathered.
struct Gathered<'a> {
    row: Row<'a>,
    /// Length of the text that states its baseline and size.
    length: usize,
    left: f64,
    right: f64,
}

impl<'a> Gathered<'a> {
    fn new(span: &'a Span) -> Self {
        let row = Row { parts: Vec::new(), base: span.base, size: span.size };
        let mut gathered = Self { row, length: 0, left: span.left, right: span.right };
        gathered.add(span);
        gathered
    }

    fn takes(&self, span: &Span) -> bool {
        let (least, most) = (self.row.size.min(span.size), self.row.size.max(span.size));
        let over = BESIDE * least;
        let is_beside = span.left >= self.right - over || span.right <= self.left + over;
        (self.row.base - span.base).abs() <= SAME_LINE * least && (most <= MUCH_LARGER * least || is_beside)
    }

    fn add(&mut self, span: &'a Span) {
        if span.text.len() > self.length {
            (self.row.base, self.row.size, self.length) = (span.base, span.size, span.text.len());
        }
        (self.left, self.right) = (self.left.min(span.left), self.right.max(span.right));
        self.row.parts.push(span);
    }
}

/// Sorts spans into rows from top to bottom, each from left to right.
pub(super) fn rows<'a>(mut spans: Vec<&'a Span>) -> Vec<Row<'a>> {
    spans.sort_by(|a, b| b.base.total_cmp(&a.base));
    let mut rows: Vec<Gathered<'a>> = Vec::new();
    for span in spans {
        // Text beside much larger text may lie one row further up.
        let count = rows.len();
        match rows[count.saturating_sub(2)..].iter_mut().rev().find(|row| row.takes(span)) {
            Some(row) => row.add(span),
            None => rows.push(Gathered::new(span)),
        }
    }
    let mut rows: Vec<Row<'a>> = rows.into_iter().map(|gathered| gathered.row).collect();
    for row in &mut rows {
        row.parts.sort_by(|a, b| a.left.total_cmp(&b.left));
    }
    rows
}
