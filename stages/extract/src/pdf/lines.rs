//! Writes a row of spans as a line of text: which gaps are spaces, and which divide cells.

use super::bidi;
use super::gaps::Gaps;
use super::rows::{Part, Row, Script};
use super::scripts;
use super::span::{Ending, Span, Weight};

/// A gap of this many font sizes on a line is a tab: the next cell of a table.
const TAB: f64 = 1.5;
/// The widest space of a stretched line, in font sizes, and how much its spaces may differ.
const WIDEST_SPACE: f64 = 5.0;
const SAME_GAP: f64 = 0.06;
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

/// The text of a row.
pub(super) fn line(row: &Row<'_>, lie: Lie) -> Line {
    let mut cells: Vec<(f64, f64)> = Vec::new();
    let mut pieces: Vec<(Separator, Piece)> = Vec::new();
    let (mut bold, mut length) = (0, 0);
    let is_justified = is_justified(row);
    for (number, part) in row.parts.iter().enumerate() {
        let separator = match number {
            0 => Separator::None,
            _ => match separator(&row.parts[number - 1], part) {
                Separator::Tab if is_justified => Separator::Space,
                separator => separator,
            },
        };
        match cells.last_mut() {
            Some((_, right)) if separator != Separator::Tab => *right = right.max(part.span.right),
            _ => cells.push((part.span.left, part.span.right)),
        }
        length += part.span.text.len();
        bold += if part.span.weight == Weight::Bold { part.span.text.len() } else { 0 };
        pieces.push((separator, Piece { script: part.script, letters: spaced(part.span), edges: edges(part) }));
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

/// A part of a line: the text of a span with its spaces, glyph by glyph if it has any to turn around.
struct Piece {
    script: Script,
    letters: Vec<String>,
    edges: (f64, f64),
}

fn edges(part: &Part<'_>) -> (f64, f64) {
    (part.span.left, part.span.right)
}

fn write(pieces: &[(Separator, Piece)], line: &mut String) {
    let mut number = 0;
    while let Some((separator, piece)) = pieces.get(number) {
        push_separator(*separator, piece.letters.first(), line);
        if let Some((parts, below)) = fraction(&pieces[number..]) {
            scripts::push_fraction(piece.letters.concat().trim(), &below, line);
            number += parts;
            continue;
        }
        match piece.script {
            Script::None => piece.letters.iter().for_each(|letters| line.push_str(letters)),
            script => scripts::push(script, &piece.letters.concat(), line),
        }
        number += 1;
    }
}

/// How many pieces from the first one are a fraction of scripts, and what is below its bar.
fn fraction(pieces: &[(Separator, Piece)]) -> Option<(usize, String)> {
    let above = pieces.first().filter(|(_, piece)| piece.script == Script::Above)?;
    let (_, next) = pieces.get(1)?;
    let (parts, below) = match next.script {
        Script::Below if next.edges.0 < above.1.edges.1 => (2, next),
        Script::None if matches!(next.letters.concat().trim(), "/" | "⁄") => (3, &pieces.get(2)?.1),
        _ => return None,
    };
    let text = below.letters.concat().trim().to_owned();
    let is_below = below.script == Script::Below && scripts::is_fraction(above.1.letters.concat().trim(), &text);
    is_below.then_some((parts, text))
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

/// Whether the gaps of a row are those between the words of a line that is stretched to the width of its column: all
/// alike, whereas those between cells depend on what the cells hold.
fn is_justified(row: &Row<'_>) -> bool {
    let gaps = || row.parts.windows(2).map(|pair| (pair[1].span.left - pair[0].span.right) / row.size);
    let (least, most) = gaps().fold((f64::INFINITY, 0.0_f64), |(least, most), gap| (least.min(gap), most.max(gap)));
    let is_alike = row.parts.len() >= 4 && most > TAB && most < WIDEST_SPACE && most - least < SAME_GAP * most;
    let words = row.parts.iter().filter(|part| part.span.text.chars().all(char::is_alphabetic)).count();
    let lower = row.parts.iter().filter(|part| part.span.text.starts_with(char::is_lowercase)).count();
    let widths = || row.parts.iter().map(|part| part.span.right - part.span.left);
    let (narrow, wide) = (widths().fold(f64::INFINITY, f64::min), widths().fold(0.0, f64::max));
    is_alike && words * 2 > row.parts.len() && lower * 2 > row.parts.len() && wide > 1.2 * narrow
}

/// What divides two parts of a row.
fn separator(last: &Part<'_>, next: &Part<'_>) -> Separator {
    let (a, b) = (last.span, next.span);
    let size = if next.script == Script::None && last.script == Script::None { a.size.min(b.size) } else { b.size };
    let gap = b.left - a.right;
    if gap > TAB * size || a.ending == Ending::Cut {
        return Separator::Tab;
    }
    if last.script != Script::None || next.script != Script::None {
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
    let mut right = f64::INFINITY;
    for (piece, glyph) in span.pieces() {
        let last = letters.last().and_then(|last| last.chars().next_back()).unwrap_or(' ');
        let gap = f64::from(glyph.left) - right;
        let is_space = gaps.is_space(gap, (last, piece.chars().next().unwrap_or(' ')));
        let space = if is_space && last != ' ' && !piece.starts_with(' ') { " " } else { "" };
        match letters.last_mut().filter(|_| !is_turned) {
            Some(text) => {
                text.push_str(space);
                text.push_str(piece);
            }
            None => {
                letters.extend((!space.is_empty()).then(|| space.to_owned()));
                letters.push(piece.to_owned());
            }
        }
        right = f64::from(glyph.right);
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::super::rows::rows;
    use super::*;

    fn text(spans: &[Span]) -> String {
        line(&rows(spans.iter().collect())[0], Lie::Upright).text
    }

    #[test]
    fn gaps_between_spans_are_spaces_or_tabs() {
        let span = |text, left, right| Span::sample(text, (left, right), 0.0);
        assert_eq!(text(&[span("ab", 0.0, 10.0), span("cd", 10.2, 20.0)]), "abcd");
        assert_eq!(text(&[span("ab", 0.0, 10.0), span("cd", 12.0, 22.0)]), "ab cd");
        assert_eq!(text(&[span("ab", 0.0, 10.0), span("cd", 30.0, 40.0)]), "ab\tcd");
    }

    #[test]
    fn spans_that_overlap_or_are_cut_are_apart() {
        let span = |text, left, right| Span::sample(text, (left, right), 0.0);
        assert_eq!(text(&[span("ab", 0.0, 10.0), span("cd", 6.0, 16.0)]), "ab cd");
        let cut = Span { ending: Ending::Cut, ..span("ab", 0.0, 10.0) };
        assert_eq!(text(&[cut, span("cd", 10.2, 20.0)]), "ab\tcd");
    }
}
