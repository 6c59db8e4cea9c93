//! Removes text that is drawn again where it has been drawn already: for bold, for a shadow, or for a longer text over a
//! shorter one.

use super::rows::rows;
use super::span::Span;

/// How far apart two drawings of one glyph may be, in font sizes.
const SAME_PLACE: f64 = 0.17;
/// How far apart two drawings of one span may be, in font sizes.
const SAME_TEXT: f64 = 0.35;
/// The maximum number of spans that may lie over each other.
const MOST_OVER: usize = 4;

/// The spans with every glyph once.
pub(super) fn removed(spans: Vec<Span>) -> Vec<Span> {
    let mut repeated: Vec<(usize, Vec<bool>)> = Vec::new();
    for row in rows(spans.iter().collect()) {
        let mut over: Vec<&Span> = Vec::new();
        for part in &row.parts {
            over.retain(|earlier| earlier.right > part.left - SAME_PLACE * part.size);
            let keep = kept(part, &over);
            if keep.iter().any(|keep| !keep) {
                repeated.push((part.order, keep));
            }
            if over.len() < MOST_OVER {
                over.push(part);
            }
        }
    }
    if repeated.is_empty() {
        return spans;
    }
    repeated.sort_by_key(|(order, _)| *order);
    let mut left = Vec::with_capacity(spans.len());
    for span in spans {
        match repeated.binary_search_by_key(&span.order, |(order, _)| *order) {
            Ok(index) => left.extend(without(&span, &repeated[index].1)),
            Err(_) => left.push(span),
        }
    }
    left
}

/// Whether all of a span is drawn again, a little beside its first place.
fn is_shadow(span: &Span, earlier: &Span) -> bool {
    let near = SAME_TEXT * span.size;
    span.text == earlier.text && (span.left - earlier.left).abs() < near && (span.base - earlier.base).abs() < near
}

/// Which glyphs of a span are not yet drawn.
fn kept(span: &Span, over: &[&Span]) -> Vec<bool> {
    if over.iter().any(|earlier| is_shadow(span, earlier)) {
        return vec![false; span.glyphs.len()];
    }
    let mut keep = vec![true; if over.is_empty() { 0 } else { span.glyphs.len() }];
    for earlier in over.iter().filter(|earlier| (earlier.base - span.base).abs() < 2.0 * SAME_PLACE * span.size) {
        let near = SAME_PLACE * span.size;
        let mut pieces = earlier.pieces().peekable();
        for ((text, glyph), keep) in span.pieces().zip(&mut keep) {
            let left = span.left + f64::from(glyph.left);
            while pieces.next_if(|(_, other)| earlier.left + f64::from(other.left) < left - near).is_some() {}
            let again = pieces.peek().is_some_and(|(other_text, other)| {
                *other_text == text && (earlier.left + f64::from(other.left) - left).abs() <= near
            });
            *keep &= !again;
        }
    }
    keep
}

/// A span without some of its glyphs; `None` if nothing is left.
fn without(span: &Span, keep: &[bool]) -> Option<Span> {
    let mut rest = Span { text: String::new(), glyphs: Vec::new(), ..span.clone() };
    for ((text, glyph), keep) in span.pieces().zip(keep) {
        if *keep && (!rest.glyphs.is_empty() || !text.trim().is_empty()) {
            rest.text.push_str(text);
            let end = u32::try_from(rest.text.len()).unwrap_or(u32::MAX);
            rest.glyphs.push(super::span::Glyph { end, ..glyph });
        }
    }
    let first = rest.glyphs.first()?.left;
    let shift = f64::from(first);
    rest.glyphs.iter_mut().for_each(|glyph| (glyph.left, glyph.right) = (glyph.left - first, glyph.right - first));
    rest.left += shift;
    rest.origin += span.along * shift;
    rest.right = rest.left + rest.glyphs.iter().fold(0.0, |width, glyph| f64::from(glyph.right).max(width));
    Some(rest)
}
