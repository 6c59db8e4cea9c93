//! Accents that are drawn on their own, after the word that they belong to.

use unicode_normalization::char::is_combining_mark;

use super::accents;
use super::span::Span;

/// The maximum number of such accents of a page; each is looked for in all spans.
const MOST: usize = 100;
/// How far above or below its letter an accent is drawn, in font sizes.
const HEIGHT: f64 = 0.6;

/// Puts accents onto the letters that they stand over.
pub(super) fn join(spans: &mut Vec<Span>) {
    let strays: Vec<usize> = (0..spans.len()).filter(|number| accent(&spans[*number]).is_some()).take(MOST).collect();
    let mut joined: Vec<usize> = Vec::new();
    for stray in strays {
        let Some(accent) = accent(&spans[stray]) else { continue };
        let (edges, base) = ((spans[stray].left, spans[stray].right), spans[stray].base);
        let owner = spans.iter_mut().enumerate().find(|(number, span)| {
            let is_near = (span.base - base).abs() <= HEIGHT * span.size;
            *number != stray && is_near && span.left <= edges.1 && span.right >= edges.0
        });
        if owner.is_some_and(|(_, span)| put(accent, edges, span)) {
            joined.push(stray);
        }
    }
    if !joined.is_empty() {
        let mut number = 0;
        spans.retain(|_| {
            number += 1;
            joined.binary_search(&(number - 1)).is_err()
        });
    }
}

/// The accent that a span is.
fn accent(span: &Span) -> Option<char> {
    let mut letters = span.text.trim().chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) if accents::is_accent(letter) || is_combining_mark(letter) => Some(letter),
        _ => None,
    }
}

/// Puts an accent onto the letter of a span that it stands over, if there is one.
fn put(accent: char, edges: (f64, f64), span: &mut Span) -> bool {
    let mut text = String::with_capacity(span.text.len() + 2);
    let mut ends: Vec<u32> = Vec::with_capacity(span.glyphs.len());
    let mut is_put = false;
    for (piece, glyph) in span.pieces() {
        let letter_edges = (span.left + f64::from(glyph.left), span.left + f64::from(glyph.right));
        let mut letters = piece.chars();
        let composed = match (letters.next(), letters.next()) {
            (Some(letter), None) if !is_put && accents::is_over(edges, letter_edges) => {
                accents::compose(letter, accent)
            }
            _ => None,
        };
        match composed {
            Some(letter) => {
                text.push(letter);
                is_put = true;
            }
            None => text.push_str(piece),
        }
        ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
    }
    if is_put {
        span.text = text;
        span.glyphs.iter_mut().zip(ends).for_each(|(glyph, end)| glyph.end = end);
    }
    is_put
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accent_is_put_onto_the_letter_under_it() {
        let mut spans = vec![Span::sample("cafe", (0.0, 20.0), 0.0), Span::sample("´", (16.0, 19.0), 1.0)];
        join(&mut spans);
        assert_eq!(spans.iter().map(|span| span.text.as_str()).collect::<Vec<_>>(), ["café"]);
        let mut spans = vec![Span::sample("cafe", (0.0, 20.0), 0.0), Span::sample("´", (40.0, 43.0), 1.0)];
        join(&mut spans);
        assert_eq!(spans.len(), 2);
    }
}
