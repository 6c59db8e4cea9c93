//! Which gaps between glyphs are spaces.
//!
//! Many producers write no space at all and leave a gap. How wide it must be depends on the span: where spaces are written,
//! other gaps are kerning; and letters that are spaced out have a gap after each of them.

use super::span::Span;

/// A gap of this many font sizes is a space, in text that has none written, and in text that has.
const SPACE: f64 = 0.095;
const SPACE_BESIDE_WRITTEN: f64 = 0.17;
/// The widest letter space, in font sizes; wider gaps divide cells.
const WIDEST_LETTER_SPACE: f64 = 0.8;
/// Letters are spaced out if most gaps are wider than this, in font sizes, in a span of at least so many glyphs.
const SPACED_OUT: f64 = 0.08;
const FEWEST_SPACED_OUT: usize = 5;
/// A gap between ideographs, which are justified by the gaps between them, is a space from this many font sizes.
const SPACE_OF_IDEOGRAPHS: f64 = 0.6;

/// The gaps of a span.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gaps {
    size: f64,
    /// The gap after every letter.
    spacing: f64,
    /// How much wider a gap must be to be a space.
    least: f64,
}

impl Gaps {
    pub(super) fn of(span: &Span) -> Self {
        let least = if span.text.contains(' ') { SPACE_BESIDE_WRITTEN } else { SPACE } * span.size;
        let limits = -WIDEST_LETTER_SPACE * span.size..=WIDEST_LETTER_SPACE * span.size;
        let stated = if limits.contains(&span.spacing) { span.spacing } else { 0.0 };
        let gaps = Self { size: span.size, spacing: stated, least };
        match gaps.has_none(span) {
            true => gaps,
            false => gaps.spaced_out(span),
        }
    }

    /// Whether no gap of the span is a space, as in most text, where spaces are written.
    pub(super) fn has_none(&self, span: &Span) -> bool {
        let limit = (self.spacing + self.least) as f32;
        span.glyphs.windows(2).all(|pair| pair[1].left - pair[0].right <= limit)
    }

    /// Takes a gap that most letters have for the space between letters.
    fn spaced_out(self, span: &Span) -> Self {
        let letters = span.text.chars().filter(|letter| letter.is_alphanumeric()).count();
        // Leaders of dots are not words.
        if span.glyphs.len() < FEWEST_SPACED_OUT || 2 * letters < span.glyphs.len() {
            return self;
        }
        let mut gaps: Vec<f64> =
            span.glyphs.windows(2).map(|pair| f64::from(pair[1].left - pair[0].right) - self.spacing).collect();
        gaps.sort_by(f64::total_cmp);
        let (low, middle) = (gaps[gaps.len() / 5], gaps[gaps.len() / 2]);
        match middle > SPACED_OUT * span.size && low > 0.6 * middle {
            true => {
                let least = self.least.max(0.6 * middle);
                Self { spacing: self.spacing + middle, least, ..self }
            }
            false => self,
        }
    }

    /// Whether a gap between two letters is a space.
    pub(super) fn is_space(&self, gap: f64, letters: (char, char)) -> bool {
        let is_ideographs = is_ideograph(letters.0) && is_ideograph(letters.1);
        let least = if is_ideographs { self.least.max(SPACE_OF_IDEOGRAPHS * self.size) } else { self.least };
        gap - self.spacing > least
    }
}

/// Whether a script is written without spaces between its letters.
fn is_ideograph(letter: char) -> bool {
    matches!(letter, '\u{2E80}'..='\u{A4CF}' | '\u{F900}'..='\u{FAFF}' | '\u{FF00}'..='\u{FFEF}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::super::span::Glyph;
    use super::*;

    /// A span of letters five wide with these gaps between them.
    fn span(text: &str, gaps: &[f32]) -> Span {
        let mut span = Span::sample(text, (0.0, 10.0), 0.0);
        let mut left = 0.0;
        span.glyphs = Vec::new();
        for (number, gap) in gaps.iter().chain(&[0.0]).enumerate() {
            let end = u32::try_from(number + 1).unwrap();
            span.glyphs.push(Glyph { left, right: left + 5.0, end });
            left += 5.0 + gap;
        }
        span
    }

    fn spaces(span: &Span) -> Vec<bool> {
        let gaps = Gaps::of(span);
        let gap = |pair: &[Glyph]| f64::from(pair[1].left - pair[0].right);
        span.glyphs.windows(2).map(|pair| gaps.is_space(gap(pair), ('a', 'a'))).collect()
    }

    #[test]
    fn narrow_gaps_are_spaces_where_none_is_written() {
        assert_eq!(spaces(&span("abcd", &[0.0, 1.2, 0.5])), [false, true, false]);
        assert_eq!(spaces(&span("ab d", &[0.0, 1.2, 0.5])), [false, false, false]);
    }

    #[test]
    fn letters_that_are_spaced_out_are_still_words() {
        assert_eq!(spaces(&span("abcdef", &[2.0, 2.0, 7.0, 2.1, 2.0])), [false, false, true, false, false]);
        let spaced = Span { spacing: 2.0, ..span("abcd", &[2.0, 6.0, 2.0]) };
        assert_eq!(spaces(&spaced), [false, true, false]);
    }

    #[test]
    fn ideographs_may_stand_apart() {
        let gaps = Gaps::of(&span("ab", &[0.0]));
        assert!(!gaps.is_space(3.0, ('契', '約')));
        assert!(gaps.is_space(3.0, ('契', 'a')));
    }
}
