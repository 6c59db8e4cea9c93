//! A view of a text in which digits, signs and spaces of all scripts are ASCII, so that each detector knows one spelling.

use std::borrow::Cow;
use std::ops::Range;

use crate::sweep::Sweep;

/// The first digits of the decimal systems below U+FFFF that are in use beside 0 to 9.
const ZEROS: [u32; 18] = [
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0e50, 0x0ed0,
    0x0f20, 0x1040, 0x17e0, 0x1810,
];

/// A folded text, and where its bytes come from.
pub(crate) struct Folded<'t> {
    text: Cow<'t, str>,
    /// Positions in the folded text, ascending, and where the original continues there.
    jumps: Vec<(usize, usize)>,
}

impl<'t> Folded<'t> {
    /// A text in which nothing is to fold.
    pub(crate) fn of_plain(original: &'t str) -> Self {
        Self { text: Cow::Borrowed(original), jumps: Vec::new() }
    }

    pub(crate) fn is_changed(&self) -> bool {
        !self.jumps.is_empty()
    }

    pub(crate) fn new(original: &'t str) -> Self {
        let mut text = String::new();
        let mut jumps: Vec<(usize, usize)> = Vec::new();
        let mut copied = 0;
        for at in Sweep::new(original.as_bytes(), |eight| eight.outside(0, 0x7f)) {
            if !may_fold(original.as_bytes()[at]) {
                continue;
            }
            let Some(c) = original[at..].chars().next() else { continue };
            let Some(folded) = fold(c) else { continue };
            text.push_str(&original[copied..at]);
            let to = match folded {
                Fold::To(to) => {
                    jump(&mut jumps, text.len(), at);
                    text.push(to);
                    at + c.len_utf8()
                }
                Fold::Nothing => at + c.len_utf8(),
            };
            copied = to;
            jump(&mut jumps, text.len(), copied);
        }
        if jumps.is_empty() {
            return Self { text: Cow::Borrowed(original), jumps };
        }
        text.push_str(&original[copied..]);
        Self { text: Cow::Owned(text), jumps }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The range of the original that a range of the folded text stands for.
    pub(crate) fn original(&self, range: &Range<usize>) -> Range<usize> {
        self.place(range.start)..self.place(range.end)
    }

    fn place(&self, folded: usize) -> usize {
        match self.jumps.partition_point(|(at, _)| *at <= folded) {
            0 => folded,
            after => {
                let (at, original) = self.jumps[after - 1];
                original + (folded - at)
            }
        }
    }
}

fn jump(jumps: &mut Vec<(usize, usize)>, folded: usize, original: usize) {
    match jumps.last_mut() {
        Some(last) if last.0 == folded => last.1 = original,
        _ => jumps.push((folded, original)),
    }
}

enum Fold {
    To(char),
    /// Invisible: it can only hide what it stands in.
    Nothing,
}

/// Whether a character with this first byte may fold: most of Latin, Greek, Cyrillic and ideographs is passed over.
fn may_fold(first: u8) -> bool {
    matches!(first, 0xc2 | 0xcb | 0xd9 | 0xdb | 0xdf..=0xe3 | 0xef | 0xf0)
}

fn fold(c: char) -> Option<Fold> {
    let to = match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0)?,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        // The long dashes separate words, so they are none of the signs within a number.
        '\u{2010}'..='\u{2013}' | '\u{2212}' | '\u{2d7}' | '\u{fe58}' | '\u{fe63}' => '-',
        '\u{3002}' | '\u{ff61}' | '\u{2024}' | '\u{fe52}' => '.',
        '\u{fe6b}' => '@',
        '\u{fe62}' => '+',
        '\u{fe55}' | '\u{2236}' => ':',
        '\u{ad}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2060}'
        | '\u{20e3}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' => {
            return Some(Fold::Nothing);
        }
        '\u{1d7ce}'..='\u{1d7ff}' => char::from_digit((u32::from(c) - 0x1d7ce) % 10, 10)?,
        _ => {
            let code = u32::from(c);
            let zero = ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code))?;
            char::from_digit(code - zero, 10)?
        }
    };
    Some(Fold::To(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_signs_and_spaces_of_all_scripts_become_ascii() {
        for (original, folded) in [
            ("０９０－１２３４", "090-1234"),
            ("٠٣٠ ۱۲۳", "030 123"),
            ("९८७", "987"),
            ("a\u{a0}b\u{2009}c\u{3000}d", "a b c d"),
            ("1−2–3‑4", "1-2-3-4"),
            ("mia＠example。com", "mia@example.com"),
            ("41\u{fe0f}11\u{200b}1", "41111"),
            ("𝟜𝟙", "41"),
            ("naïve — „text“ Ж 漢", "naïve — „text“ Ж 漢"),
        ] {
            assert_eq!(Folded::new(original).text(), folded);
        }
    }

    #[test]
    fn a_text_with_nothing_to_fold_is_borrowed() {
        assert!(matches!(Folded::new("naïve text").text, Cow::Borrowed(_)));
    }

    #[test]
    fn a_range_leads_back_to_the_original() {
        let original = "é＠b 41\u{fe0f}12\u{fe0f} x";
        let folded = Folded::new(original);
        for part in ["é", "@", "b", "4112", "2", "x"] {
            let at = folded.text().find(part).unwrap();
            let range = folded.original(&(at..at + part.len()));
            assert_eq!(Folded::new(&original[range]).text(), part);
        }
    }
}
