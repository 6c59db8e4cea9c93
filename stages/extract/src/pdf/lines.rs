//! Writes a row of spans as a line of text: which gaps are spaces, and which divide cells.

use unicode_normalization::char::is_combining_mark;

use super::bidi;
use super::gaps::Gaps;
use super::rows::Row;
use super::span::{Ending, Span, Weight};
use super::stretch::{self, Cells, TAB};
use crate::words::levels::{Level, Levels};

/// How many rows above and below are looked at to tell cells from words.
const NEAR: usize = 3;
/// Text that begins this many font sizes before the end of the text before it is not a part of the same word.
const OVERLAP: f64 = 0.25;

/// A gap of this many font sizes beside a superscript or subscript is a space.
const SPACE_BESIDE_SCRIPT: f64 = 0.15;

/// A line of text.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) base: f64,
    pub(super) size: f64,
    pub(super) weight: Weight,
    /// What divides it from the line before it.
    pub(super) before: Break,
    /// Whether it runs from left to right on the page as it is seen.
    pub(super) lie: Lie,
    /// Left and right edges of its cells, which tabs divide in its text.
    pub(super) cells: Vec<(f64, f64)>,
}

/// What divides two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Break {
    Line,
    Paragraph,
}

/// How a line lies on its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    Upright,
    Turned,
}

/// What divides two pieces of text on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Separator {
    None,
    Space,
    Tab,
}

/// The text of one of the rows of a block, on a page with these rows.
pub(super) fn line(rows: &[Row<'_>], number: usize, page: &[Row<'_>], lie: Lie) -> Line {
    let row = &rows[number];
    let beside = [number.checked_sub(1), number.checked_add(1)];
    let beside: Vec<&Row<'_>> = beside.into_iter().flatten().filter_map(|number| rows.get(number)).collect();
    let gaps = Cells::of(row, nearby(row, page));
    let mut cells: Vec<(f64, f64)> = Vec::new();
    let mut pieces: Vec<(Separator, Piece)> = Vec::new();
    let (mut bold, mut length) = (0, 0);
    let is_stretched = stretch::is_stretched(row, &beside);
    for (number, part) in row.parts.iter().enumerate() {
        let separator = match number.checked_sub(1).and_then(|number| row.parts.get(number)) {
            None => Separator::None,
            Some(last) => match separator(last, part) {
                Separator::Tab if is_stretched => Separator::Space,
                Separator::Space if gaps.divide(last, part) => Separator::Tab,
                separator => separator,
            },
        };
        match cells.last_mut() {
            Some((_, right)) if separator != Separator::Tab => *right = right.max(part.right),
            _ => cells.push((part.left, part.right)),
        }
        length += part.text.len();
        bold += if part.weight == Weight::Bold { part.text.len() } else { 0 };
        pieces.push((separator, Piece { level: part.level, letters: spaced(part), edges: (part.left, part.right) }));
    }
    let mut text = String::new();
    match pieces.iter().any(|(_, piece)| piece.letters.iter().any(|letters| bidi::is_needed(letters))) {
        true => text = turned(&pieces),
        false => write(&pieces, &mut text),
    }
    text.truncate(text.trim_end().len());
    let weight = if 2 * bold > length { Weight::Bold } else { Weight::Regular };
    let start = text.len() - text.trim_start().len();
    text.drain(..start);
    Line { text, base: row.base, size: row.size, weight, before: Break::Line, lie, cells }
}

/// The rows of a page that are just above and below.
fn nearby<'r, 'a>(row: &Row<'a>, page: &'r [Row<'a>]) -> Vec<&'r Row<'a>> {
    let place = page.partition_point(|other| other.base > row.base);
    let rows = &page[place.saturating_sub(NEAR + 1)..(place + NEAR + 1).min(page.len())];
    rows.iter().filter(|other| (other.base - row.base).abs() > 0.3 * row.size).collect()
}

/// A part of a line: the text of a span with its spaces, glyph by glyph if it has any to turn around.
struct Piece {
    level: Level,
    letters: Vec<String>,
    edges: (f64, f64),
}

fn write(pieces: &[(Separator, Piece)], line: &mut String) {
    let mut levels = Levels::default();
    let mut rest = pieces;
    while let Some(((separator, piece), _)) = rest.split_first() {
        push_separator(*separator, piece.letters.first(), line);
        let mut part = piece.letters.concat();
        let mut count = 1;
        // What stands at one level may be drawn in several pieces: "−" and "6".
        while piece.level != Level::Line
            && let Some((separator @ (Separator::None | Separator::Space), next)) = rest.get(count)
            && next.level == piece.level
        {
            push_separator(*separator, next.letters.first(), &mut part);
            part.push_str(&next.letters.concat());
            count += 1;
        }
        // Under the numerator, without a stroke that is text.
        if is_under(pieces, pieces.len() - rest.len()) && levels.awaits_denominator(line, &part) {
            line.push('/');
        }
        levels.append(line, piece.level, &part);
        rest = &rest[count..];
    }
}

/// Whether a lowered piece stands under the raised one before it.
fn is_under(pieces: &[(Separator, Piece)], number: usize) -> bool {
    let Some((_, above)) = number.checked_sub(1).and_then(|number| pieces.get(number)) else { return false };
    let below = &pieces[number].1;
    above.level == Level::Raised && below.level == Level::Lowered && below.edges.0 < above.edges.1
}

/// A line with letters of right-to-left scripts, in reading order.
fn turned(pieces: &[(Separator, Piece)]) -> String {
    let mut letters: Vec<String> = Vec::new();
    for (separator, piece) in pieces {
        let mut between = letters.last().cloned().unwrap_or_default();
        let length = between.len();
        push_separator(*separator, piece.letters.first(), &mut between);
        if between.len() > length {
            letters.push(between.split_off(length));
        }
        letters.extend(piece.letters.iter().cloned());
    }
    bidi::logical(letters)
}

fn push_separator(separator: Separator, next: Option<&String>, line: &mut String) {
    match separator {
        Separator::Tab => {
            line.truncate(line.trim_end_matches(' ').len());
            line.push('\t');
        }
        Separator::Space if !line.ends_with(' ') && !next.is_some_and(|next| next.starts_with(' ')) => line.push(' '),
        Separator::Space | Separator::None => {}
    }
}

/// What divides two parts of a row.
fn separator(a: &Span, b: &Span) -> Separator {
    let size = if b.level == Level::Line && a.level == Level::Line { a.size.min(b.size) } else { b.size };
    let gap = b.left - a.right;
    if gap > TAB * size || a.ending == Ending::Cut {
        return Separator::Tab;
    }
    if a.level != Level::Line || b.level != Level::Line {
        let is_apart = gap > SPACE_BESIDE_SCRIPT * a.size.max(b.size);
        return if is_apart { Separator::Space } else { Separator::None };
    }
    let gaps = Gaps::of(if a.glyphs.len() >= b.glyphs.len() { a } else { b });
    let letters = (a.text.chars().next_back().unwrap_or(' '), b.text.chars().next().unwrap_or(' '));
    match gaps.is_space(gap, letters) || gap < -OVERLAP * size {
        true => Separator::Space,
        false => Separator::None,
    }
}

/// The text of a span, with spaces where its gaps are wide. All of it at once, unless something has to be turned around.
fn spaced(span: &Span) -> Vec<String> {
    let is_turned = bidi::is_needed(&span.text);
    let gaps = Gaps::of(span);
    if !is_turned && gaps.has_none(span) {
        return vec![span.text.clone()];
    }
    let mut letters: Vec<String> = Vec::with_capacity(if is_turned { span.glyphs.len() } else { 1 });
    let mut marks: Vec<String> = Vec::new();
    let (mut right, mut last) = (f64::INFINITY, ' ');
    for (piece, glyph) in span.pieces() {
        // Marks stand over letters, and have no gaps of their own. Those of right-to-left scripts come before their letter.
        if piece.chars().all(is_combining_mark) {
            if is_turned {
                marks.push(piece.to_owned())
            } else {
                push_piece(piece, is_turned, &mut letters)
            }
            continue;
        }
        let gap = f64::from(glyph.left) - right;
        let is_space = gaps.is_space(gap, (last, piece.chars().next().unwrap_or(' ')));
        if is_space && last != ' ' && !piece.starts_with(' ') {
            push_piece(" ", is_turned, &mut letters);
        }
        letters.append(&mut marks);
        push_piece(piece, is_turned, &mut letters);
        right = f64::from(glyph.right);
        last = piece.chars().next_back().unwrap_or(last);
    }
    letters.append(&mut marks);
    letters
}

fn push_piece(piece: &str, is_turned: bool, letters: &mut Vec<String>) {
    match letters.last_mut().filter(|_| !is_turned) {
        Some(text) => text.push_str(piece),
        None => letters.push(piece.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::rows;
    use super::*;

    fn text(spans: &[Span]) -> String {
        let rows = rows(spans.iter().collect());
        line(&rows, 0, &rows, Lie::Upright).text
    }

    #[test]
    fn gaps_between_spans_are_spaces_or_tabs() {
        let span = |text, left, right| Span::sample(text, (left, right), 0.0);
        assert_eq!(text(&[span("ab", 0.0, 10.0), span("cd", 10.2, 20.0)]), "abcd");
        assert_eq!(text(&[span("ab", 0.0, 10.0), span("cd", 12.0, 22.0)]), "ab cd");
        assert_eq!(text(&[span("ab", 0.0, 10.0), span("cd", 30.0, 40.0)]), "ab\tcd");
    }

    #[test]
    fn narrow_gaps_that_align_divide_cells() {
        let span = |text, left, right, base| Span::sample(text, (left, right), base);
        let table = [
            span("North", 0.0, 28.0, 20.0),
            span("06:00", 36.0, 60.0, 20.0),
            span("East", 0.0, 22.0, 0.0),
            span("07:30", 36.0, 60.0, 0.0),
        ];
        assert_eq!(text(&table), "North\t06:00");
        assert_eq!(text(&table[..2]), "North 06:00");
    }

    #[test]
    fn spans_that_overlap_or_are_cut_are_apart() {
        let span = |text, left, right| Span::sample(text, (left, right), 0.0);
        assert_eq!(text(&[span("ab", 0.0, 10.0), span("cd", 6.0, 16.0)]), "ab cd");
        let cut = Span { ending: Ending::Cut, ..span("ab", 0.0, 10.0) };
        assert_eq!(text(&[cut, span("cd", 10.2, 20.0)]), "ab\tcd");
    }
}
