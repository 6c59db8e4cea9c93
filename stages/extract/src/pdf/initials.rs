//! Large initials at the start of a paragraph: joins them to the line that they begin.

use super::span::Span;

/// How many times larger than its text an initial is, at least.
const LARGER: f64 = 1.8;
/// The maximum number of initials of a page; each is compared with all spans.
const MOST: usize = 16;
/// The height of capital letters and of the letters of a line, in font sizes.
const CAPITAL: f64 = 0.72;
/// How far the tops of an initial and its line may differ, in sizes of the line.
const SAME_TOP: f64 = 0.6;
/// How far the line may begin behind the initial, in sizes of the line.
const NEAR: f64 = 1.2;
/// A gap from which an initial is a word of its own, in sizes of the line.
const WORD: f64 = 0.45;

/// Moves each initial to the line at its top.
pub(super) fn join(spans: &mut [Span]) {
    let initials: Vec<usize> = (0..spans.len()).filter(|number| is_letter(&spans[*number])).take(MOST).collect();
    for number in initials {
        if let Some((base, left)) = line_of(&spans[number], spans) {
            let initial = &mut spans[number];
            let size = initial.size;
            initial.base = base;
            // The gap between them is not a space, unless it is a wide one behind a letter that is a word.
            let is_word =
                matches!(initial.text.as_str(), "A" | "I" | "O") && left - initial.right > WORD * size / LARGER;
            if !is_word {
                initial.right = left;
            }
        }
    }
}

fn is_letter(span: &Span) -> bool {
    let mut letters = span.text.chars();
    letters.next().is_some_and(char::is_alphabetic) && letters.next().is_none()
}

/// Baseline and left edge of the line that an initial begins: the one at its top, if another one stands below it.
fn line_of(initial: &Span, spans: &[Span]) -> Option<(f64, f64)> {
    let top = initial.base + CAPITAL * initial.size;
    let is_beside = |span: &&Span| {
        span.size * LARGER <= initial.size
            && span.left >= initial.right - 0.3 * span.size
            && span.left <= initial.right + NEAR * span.size
            && span.base >= initial.base - 0.3 * span.size
            && span.base <= top
    };
    let first = spans.iter().filter(is_beside).max_by(|a, b| a.base.total_cmp(&b.base))?;
    let is_at_top = (first.base + CAPITAL * first.size - top).abs() <= SAME_TOP * first.size;
    let has_more = spans.iter().filter(is_beside).any(|span| span.base < first.base - 0.5 * span.size);
    (is_at_top && has_more).then_some((first.base, first.left))
}
