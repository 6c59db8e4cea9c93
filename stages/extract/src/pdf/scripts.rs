//! Superscripts and subscripts: finds the row they belong to, and writes them so that "10⁶" does not become "106".

use super::rows::{Row, rows};
use super::span::{Script, Span};

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
    let mut scripts: Vec<(usize, f64, Script)> = Vec::new();
    let rows = rows(spans.iter().collect());
    for (number, row) in rows.iter().enumerate() {
        for span in &row.parts {
            scripts.extend(owner(&rows, number, span).map(|(base, script)| (span.order, base, script)));
        }
    }
    scripts.sort_unstable_by_key(|(order, ..)| *order);
    for span in spans {
        if let Ok(place) = scripts.binary_search_by_key(&span.order, |(order, ..)| *order) {
            (span.base, span.script) = (scripts[place].1, scripts[place].2);
        }
    }
}

/// The baseline that a span is a script of.
fn owner(rows: &[Row<'_>], from: usize, span: &Span) -> Option<(f64, Script)> {
    if span.text.len() > 4 * LONGEST || span.text.trim().chars().count() > LONGEST {
        return None;
    }
    let near = from.saturating_sub(ROWS)..(from + ROWS + 1).min(rows.len());
    near.filter_map(|number| {
        let text = touching(&rows[number], span)?;
        let (size, rise) = (span.size / text.size, (span.base - text.base) / text.size);
        match (SIZES.contains(&size), ABOVE.contains(&rise), BELOW.contains(&rise)) {
            (true, true, _) => Some((text.base, Script::Above)),
            (true, false, true) => Some((text.base, Script::Below)),
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
