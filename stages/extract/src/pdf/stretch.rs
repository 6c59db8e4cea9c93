//! Tells the gaps between cells from those between the words of a line that is stretched to the width of its column.

use super::rows::Row;
use super::span::Span;

/// A gap of this many font sizes on a line is a tab: the next cell of a table.
pub(super) const TAB: f64 = 1.5;
/// The widest space of a stretched line, in font sizes, and how much its spaces may differ.
const WIDEST_SPACE: f64 = 8.0;
const SAME_GAP: f64 = 0.06;
/// A gap from which text that is aligned with that of the next row is a cell, in font sizes.
const CELL: f64 = 0.5;
/// Edges that are this near are aligned, in font sizes.
const ALIGNED: f64 = 0.1;

/// Whether the gaps of a row are stretched spaces: all alike, whereas those between cells depend on what the cells hold.
pub(super) fn is_stretched(row: &Row<'_>, beside: &[&Row<'_>]) -> bool {
    let gaps = || row.parts.windows(2).map(|pair| (pair[1].left - pair[0].right) / row.size);
    let (least, most) = gaps().fold((f64::INFINITY, 0.0_f64), |(least, most), gap| (least.min(gap), most.max(gap)));
    if row.parts.len() < 2 || most <= TAB || most >= WIDEST_SPACE || most - least > SAME_GAP * most {
        return false;
    }
    let words = row.parts.iter().filter(|part| part.text.trim().chars().all(is_letter)).count();
    let lower = row.parts.iter().filter(|part| part.text.starts_with(char::is_lowercase)).count();
    if words * 2 <= row.parts.len() || lower * 2 < row.parts.len() {
        return false;
    }
    let widths = || row.parts.iter().map(|part| part.right - part.left);
    let (narrow, wide) = (widths().fold(f64::INFINITY, f64::min), widths().fold(0.0, f64::max));
    // Few gaps are alike by chance: their line then has to fill its column as the next one does.
    let is_sure = row.parts.len() >= 4 || (row.parts.len() == 3 && most - least < SAME_GAP / 3.0 * most);
    let is_sure = is_sure && wide > 1.2 * narrow;
    is_sure || beside.iter().any(|other| is_as_wide(row, other))
}

fn is_letter(letter: char) -> bool {
    letter.is_alphabetic() || matches!(letter, ',' | '.' | ';' | '-' | '’')
}

/// Whether two rows begin and end at the same edges, and the other one is not divided where this one is.
fn is_as_wide(row: &Row<'_>, other: &Row<'_>) -> bool {
    let near = 2.0 * ALIGNED * row.size;
    let edges = |row: &Row<'_>| Some((row.parts.first()?.left, row.parts.last()?.right));
    let (Some(own), Some(others)) = (edges(row), edges(other)) else { return false };
    let is_same = (own.1 - others.1).abs() < near && ((own.0 - others.0).abs() < near || other.parts.len() == 1);
    is_same && !row.parts.iter().skip(1).any(|part| begins_at(other, part.left, near))
}

fn begins_at(row: &Row<'_>, left: f64, near: f64) -> bool {
    row.parts.iter().skip(1).any(|part| (part.left - left).abs() < near)
}

/// What tells whether a narrow gap of a row divides cells.
pub(super) struct Cells<'r, 'a> {
    nearby: Vec<&'r Row<'a>>,
    /// Whether the parts of the row are the words of a sentence, which may be aligned by chance.
    is_words: bool,
}

impl<'r, 'a> Cells<'r, 'a> {
    /// Looks at a row and those near it.
    pub(super) fn of(row: &Row<'a>, nearby: Vec<&'r Row<'a>>) -> Self {
        let lower = row.parts.iter().filter(|part| part.text.starts_with(char::is_lowercase)).count();
        Self { nearby, is_words: row.parts.len() > 2 && lower * 2 > row.parts.len() }
    }

    /// Whether two parts of the row with a narrow gap are cells, since a row nearby has the same gap at the same place.
    pub(super) fn divide(&self, last: &Span, next: &Span) -> bool {
        let size = last.size.min(next.size);
        if self.is_words || next.left - last.right < CELL * size {
            return false;
        }
        let near = ALIGNED * size;
        self.nearby.iter().any(|row| {
            let end = row.parts.partition_point(|part| part.left < next.left - size * WIDEST_SPACE);
            let parts = &row.parts[end.saturating_sub(1)..];
            parts.windows(2).take(16).any(|pair| {
                let is_apart = pair[1].left - pair[0].right >= CELL * size;
                let middle = |span: &Span| (span.left + span.right) / 2.0;
                let is_aligned = (pair[1].left - next.left).abs() < near
                    || (pair[1].right - next.right).abs() < near
                    || (middle(pair[1]) - middle(next)).abs() < near;
                is_apart && is_aligned
            })
        })
    }
}
