//! Superscripts and subscripts: finds the row that they belong to.

use super::rows::{Row, rows};
use super::span::Span;
use crate::words::levels::Level;

/// The sizes of scripts, relative to their row.
const SIZES: std::ops::RangeInclusive<f64> = 0.4..=0.87;
/// How far scripts are above and below the baseline, in font sizes of the row.
const ABOVE: std::ops::RangeInclusive<f64> = 0.12..=0.85;
const BELOW: std::ops::RangeInclusive<f64> = -0.6..=-0.04;
/// How near scripts are to what they belong to, in their own size.
const NEAR: f64 = 0.45;
/// The maximum number of characters of a script.
const LONGEST: usize = 12;
/// The number of rows above and below in which to look.
const ROWS: usize = 3;

/// Marks superscripts and subscripts, and moves them to the baseline that they belong to.
pub(super) fn mark(spans: &mut [Span]) {
    let mut scripts: Vec<(usize, f64, Level)> = Vec::new();
    let rows = rows(spans.iter().collect());
    for (number, row) in rows.iter().enumerate() {
        for span in &row.parts {
            scripts.extend(owner(&rows, number, span).map(|(base, script)| (span.order, base, script)));
        }
    }
    scripts.sort_unstable_by_key(|(order, ..)| *order);
    for span in spans {
        if let Ok(place) = scripts.binary_search_by_key(&span.order, |(order, ..)| *order) {
            (span.base, span.level) = (scripts[place].1, scripts[place].2);
        }
    }
}

/// The baseline that a span is a script of.
fn owner(rows: &[Row<'_>], from: usize, span: &Span) -> Option<(f64, Level)> {
    if span.text.len() > 4 * LONGEST || span.text.trim().chars().count() > LONGEST {
        return None;
    }
    let near = from.saturating_sub(ROWS)..(from + ROWS + 1).min(rows.len());
    near.filter_map(|number| {
        let text = touching(&rows[number], span)?;
        let (size, rise) = (span.size / text.size, (span.base - text.base) / text.size);
        match (SIZES.contains(&size), ABOVE.contains(&rise), BELOW.contains(&rise)) {
            (true, true, _) => Some((text.base, Level::Raised)),
            (true, false, true) => Some((text.base, Level::Lowered)),
            _ => None,
        }
    })
    .next()
}

/// Larger text of a row that ends where the span begins, or begins where it ends.
fn touching<'a>(row: &Row<'a>, span: &Span) -> Option<&'a Span> {
    let near = NEAR * span.size;
    let end = row.parts.partition_point(|part| part.left < span.left);
    let is_text = |part: &&Span| part.size > 1.1 * span.size;
    let before = row.parts[..end].iter().rev().take(3).copied().find(is_text);
    let after = row.parts[end..].iter().take(3).copied().find(is_text);
    let before = before.filter(|part| (span.left - part.right).abs() <= near && !part.text.ends_with(' '));
    before.or(after.filter(|part| (part.left - span.right).abs() <= near))
}
