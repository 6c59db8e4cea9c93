//! Superscripts and subscripts: finds the row they belong to, and writes them so that "10⁶" does not become "106".

use super::rows::{Part, Row, Script};
use super::span::Span;

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

/// Moves superscripts and subscripts to the rows that they belong to.
pub(super) fn attach<'a>(rows: &mut Vec<Row<'a>>) {
    let mut moves: Vec<(usize, usize, usize, Script)> = Vec::new();
    for (from, row) in rows.iter().enumerate() {
        for (number, part) in row.parts.iter().enumerate() {
            if let Some((to, script)) = owner(rows, from, part.span) {
                moves.push((from, number, to, script));
            }
        }
    }
    if moves.is_empty() {
        return;
    }
    let mut moved: Vec<(usize, Part<'a>)> = Vec::new();
    let mut next = moves.iter().peekable();
    for (from, row) in rows.iter_mut().enumerate() {
        for (number, part) in std::mem::take(&mut row.parts).into_iter().enumerate() {
            match next.next_if(|(row, place, ..)| (*row, *place) == (from, number)) {
                Some((_, _, to, script)) => moved.push((*to, Part { script: *script, ..part })),
                None => row.parts.push(part),
            }
        }
    }
    for (to, part) in moved {
        rows[to].parts.push(part);
    }
    let mut to: Vec<usize> = moves.iter().map(|(_, _, to, _)| *to).collect();
    to.sort_unstable();
    to.dedup();
    for to in to {
        rows[to].parts.sort_by(|a, b| a.span.left.total_cmp(&b.span.left));
    }
    rows.retain(|row| !row.parts.is_empty());
}

/// The row that a span is a script of.
fn owner(rows: &[Row<'_>], from: usize, span: &Span) -> Option<(usize, Script)> {
    if span.text.len() > 4 * LONGEST || span.text.trim().chars().count() > LONGEST {
        return None;
    }
    let near = from.saturating_sub(ROWS)..(from + ROWS + 1).min(rows.len());
    near.filter_map(|to| {
        let row = &rows[to];
        let (size, rise) = (span.size / row.size, (span.base - row.base) / row.size);
        let script = match (SIZES.contains(&size), ABOVE.contains(&rise), BELOW.contains(&rise)) {
            (true, true, _) => Script::Above,
            (true, false, true) => Script::Below,
            _ => return None,
        };
        touches(row, span).then_some((to, script))
    })
    .next()
}

/// Whether text of the row's size ends where the span begins, or begins where it ends.
fn touches(row: &Row<'_>, span: &Span) -> bool {
    let near = NEAR * span.size;
    let end = row.parts.partition_point(|part| part.span.left < span.left);
    let is_text = |part: &&Part<'_>| part.span.size > 1.1 * span.size;
    let before = row.parts[..end].iter().rev().take(3).find(is_text);
    let after = row.parts[end..].iter().take(3).find(is_text);
    before.is_some_and(|part| (span.left - part.span.right).abs() <= near && !part.span.text.ends_with(' '))
        || after.is_some_and(|part| (part.span.left - span.right).abs() <= near)
}

/// Appends a script to the text that it belongs to.
pub(super) fn push(script: Script, text: &str, line: &mut String) {
    let before = line.chars().next_back();
    match script {
        Script::None => line.push_str(text),
        Script::Above if text.chars().all(|letter| superscript(letter).is_some()) => {
            line.extend(text.chars().filter_map(superscript));
        }
        Script::Below if before.is_some_and(|letter| letter.is_ascii_digit()) && text.chars().all(is_digit) => {
            line.extend(text.chars().filter_map(|digit| char::from_u32(0x2080 + digit.to_digit(10)?)));
        }
        Script::Above if is_variable(text) => {
            line.push('^');
            line.push_str(text);
        }
        Script::Above | Script::Below => line.push_str(text),
    }
}

/// Appends a fraction of two scripts.
pub(super) fn push_fraction(above: &str, below: &str, line: &mut String) {
    if line.chars().next_back().is_some_and(|letter| letter.is_ascii_digit()) {
        line.push(' ');
    }
    line.push_str(above);
    line.push('/');
    line.push_str(below);
}

/// Whether both are numbers and so may be a fraction.
pub(super) fn is_fraction(above: &str, below: &str) -> bool {
    !above.is_empty() && !below.is_empty() && above.chars().chain(below.chars()).all(is_digit)
}

fn is_digit(letter: char) -> bool {
    letter.is_ascii_digit()
}

/// Whether a superscript is the letter of an exponent, and not the end of an ordinal number or an abbreviation.
fn is_variable(text: &str) -> bool {
    text.chars().count() == 1 && text.chars().all(|letter| matches!(letter, 'x' | 'y' | 'z' | 'k' | 'm' | 't' | 'T'))
}

/// The superscript character, for digits and signs; what may stand between numbers is left as it is.
fn superscript(letter: char) -> Option<char> {
    Some(match letter {
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '0' | '4'..='9' => char::from_u32(0x2070 + letter.to_digit(10)?)?,
        '+' => '⁺',
        '-' | '−' | '–' => '⁻',
        '=' => '⁼',
        '(' => '⁽',
        ')' => '⁾',
        'n' => 'ⁿ',
        ',' | ' ' | '.' | '*' | '/' => letter,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(before: &str, script: Script, text: &str) -> String {
        let mut line = before.to_owned();
        push(script, text, &mut line);
        line
    }

    #[test]
    fn powers_are_not_written_as_digits_of_the_number() {
        assert_eq!(written("10", Script::Above, "6"), "10⁶");
        assert_eq!(written("10", Script::Above, "-9"), "10⁻⁹");
        assert_eq!(written("e", Script::Above, "x"), "e^x");
        assert_eq!(written("101", Script::Below, "2"), "101₂");
    }

    #[test]
    fn ordinals_and_formulas_are_written_as_one_types_them() {
        assert_eq!(written("1", Script::Above, "st"), "1st");
        assert_eq!(written("H", Script::Below, "2"), "H2");
        assert_eq!(written("Brand", Script::Above, "TM"), "BrandTM");
    }

    #[test]
    fn a_fraction_stays_apart_from_the_number_before_it() {
        let mut line = "1".to_owned();
        push_fraction("1", "2", &mut line);
        assert_eq!(line, "1 1/2");
    }
}
