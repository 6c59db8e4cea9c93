//! Raised and lowered text in one line: "10^6" and not "106".

/// Where a piece of text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Level {
    /// On the line.
    #[default]
    Line,
    /// Above the line.
    Raised,
    /// Below the line.
    Lowered,
    /// Above the line, and it links to a note.
    Note,
}

/// A raised number that was just written, and may be the numerator of a fraction.
#[derive(Debug)]
struct Numerator {
    from: usize,
    to: usize,
    digits: String,
}

/// What was written last at another level of a line.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    numerator: Option<Numerator>,
    /// The line ends with the last digit of a number.
    number_ended: bool,
}

impl Levels {
    /// Appends `part`, which stands at `level`, to the line so far, so that it cannot be read as a part of the word
    /// before it, nor digits that follow as a part of it.
    pub(crate) fn append(&mut self, line: &mut String, level: Level, part: &str) {
        if level == Level::Line || part.trim().is_empty() {
            if self.take_number_ended() && part.starts_with(|first: char| first.is_ascii_digit()) {
                line.push(' ');
            }
            line.push_str(part);
            return;
        }
        let text = part.trim();
        // A space before an exponent is only set so.
        if !text.starts_with(is_digit_or_sign) {
            line.push_str(&part[..part.len() - part.trim_start().len()]);
        }
        let from = line.len();
        let is_fraction = level == Level::Lowered && self.is_denominator(line, text);
        if !is_fraction {
            append(line, level, text);
        }
        self.numerator = (level == Level::Raised && is_number(text)).then(|| Numerator {
            from,
            to: line.len(),
            digits: text.to_owned(),
        });
        self.number_ended = text.ends_with(|last: char| last.is_ascii_digit());
        line.push_str(&part[part.trim_end().len()..]);
    }

    /// Whether the lowered text `part`, written now, would be under the numerator that was written last.
    pub(crate) fn awaits_denominator(&self, line: &str, part: &str) -> bool {
        self.numerator.as_ref().is_some_and(|numerator| numerator.to == line.len()) && is_number(part.trim())
    }

    /// Digits that follow belong to another number than those at the end of the line, if there are any.
    pub(crate) fn end_number(&mut self, line: &str) {
        self.number_ended = line.ends_with(|letter: char| letter.is_ascii_digit());
    }

    /// Whether the line ends with a number that has ended; what follows now is written.
    pub(crate) fn take_number_ended(&mut self) -> bool {
        std::mem::take(&mut self.number_ended)
    }

    /// A raised number, a stroke and a lowered number are a fraction: it is written as one, behind a whole number if
    /// there is one.
    fn is_denominator(&mut self, line: &mut String, part: &str) -> bool {
        let Some(numerator) = self.numerator.take() else { return false };
        let stroke = line.get(numerator.to..).unwrap_or_default().trim();
        if !is_number(part) || !matches!(stroke, "/" | "\u{2044}" | "\u{2215}") {
            return false;
        }
        line.truncate(numerator.from);
        if line.ends_with(char::is_alphanumeric) {
            line.push(' ');
        }
        line.push_str(&format!("{}/{part}", numerator.digits));
        true
    }
}

fn append(line: &mut String, level: Level, part: &str) {
    // Behind a space it is a word of its own, but not behind a number.
    let last = line.trim_end().chars().next_back();
    let is_apart = line.ends_with(char::is_whitespace);
    let before = last.filter(|letter| match is_apart {
        true => letter.is_ascii_digit(),
        false => !"([{/⁄".contains(*letter),
    });
    let Some(before) = before else {
        line.push_str(part);
        return;
    };
    let sign = match level {
        _ if part.starts_with(['[', '(', '^', '_']) || has_no_letters(part) => "",
        Level::Line => "",
        Level::Note if part.chars().all(char::is_alphanumeric) => {
            line.push('[');
            line.push_str(part);
            line.push(']');
            return;
        }
        Level::Raised | Level::Note => match is_ordinal(before, part) {
            true => "",
            false => "^",
        },
        Level::Lowered => match (before.is_alphabetic() || before == ')' || before == ']') && is_number(part) {
            true => "",
            false => "_",
        },
    };
    line.push_str(sign);
    match !sign.is_empty() && has_operator(part) {
        true => {
            line.push('(');
            line.push_str(part);
            line.push(')');
        }
        false => line.push_str(part),
    }
}

fn is_digit_or_sign(letter: char) -> bool {
    letter.is_ascii_digit() || matches!(letter, '+' | '-' | '−' | '–')
}

/// Whether `part` is digits only.
fn is_number(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|letter| letter.is_ascii_digit())
}

/// Signs such as "®" and "*" cannot be misread.
fn has_no_letters(part: &str) -> bool {
    !part.chars().any(|letter| letter.is_alphanumeric() || matches!(letter, '+' | '-' | '−' | '–'))
}

/// "1st", "No", "Mme" and trade marks, but not "10^n" and "x^ab".
fn is_ordinal(before: char, part: &str) -> bool {
    const ENDINGS: &[&str] = &[
        "st", "nd", "rd", "th", "er", "re", "ère", "nde", "ème", "eme", "ième", "me", "os", "as", "ra", "ro", "do",
        "to",
    ];
    let letters = part.trim_end_matches('.');
    match letters {
        "TM" | "SM" | "MC" => true,
        "ST" | "ND" | "RD" | "TH" => before.is_ascii_digit(),
        "e" | "o" | "a" => before.is_ascii_digit() || "nNº.".contains(before),
        "r" => "DMS".contains(before),
        // "LaTeX".
        "A" => before == 'L',
        _ if before.is_uppercase() => letters.chars().count() > 1 && letters.chars().all(char::is_lowercase),
        _ => ENDINGS.contains(&letters),
    }
}

/// An operator between two terms; a sign at either end is part of a number or a charge.
fn has_operator(part: &str) -> bool {
    let inner = part.trim_matches(['+', '-', '−', '–']);
    inner.contains(|letter: char| letter.is_whitespace() || "+-−–*/=^_·".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(before: &str, level: Level, part: &str) -> String {
        written(&[(before, Level::Line), (part, level)])
    }

    fn written(parts: &[(&str, Level)]) -> String {
        let (mut line, mut levels) = (String::new(), Levels::default());
        parts.iter().for_each(|(part, level)| levels.append(&mut line, *level, part));
        line
    }

    #[test]
    fn a_raised_and_a_lowered_number_around_a_stroke_are_a_fraction() {
        use Level::{Line, Lowered, Raised};
        assert_eq!(written(&[("1", Line), ("2", Raised), ("/", Line), ("5", Lowered), ("cm", Line)]), "1 2/5cm");
        assert_eq!(written(&[("2", Raised), ("\u{2044}", Line), ("5", Lowered), ("7", Line)]), "2/5 7");
        assert_eq!(written(&[("1/", Line), ("2", Lowered)]), "1/2");
        assert_eq!(written(&[("x", Line), ("2", Raised), (" of ", Line), ("5", Lowered)]), "x^2 of 5");
    }

    #[test]
    fn digits_behind_a_raised_number_are_apart_and_spaces_are_kept() {
        use Level::{Line, Raised};
        assert_eq!(written(&[("10", Line), ("6", Raised), ("5", Line)]), "10^6 5");
        assert_eq!(written(&[("word", Line), ("1 ", Raised), ("next", Line)]), "word^1 next");
        assert_eq!(written(&[("10", Line), (" 6", Raised)]), "10^6");
        assert_eq!(written(&[("a ", Line), (" ", Raised), ("b", Line)]), "a  b");
        assert_eq!(written(&[("14", Raised), ("C", Line)]), "14C");
    }

    #[test]
    fn powers_and_indices_are_marked() {
        assert_eq!(line("10", Level::Raised, "6"), "10^6");
        assert_eq!(line("10", Level::Raised, "−3"), "10^−3");
        assert_eq!(line("x", Level::Raised, "n+1"), "x^(n+1)");
        assert_eq!(line("Ca", Level::Raised, "2+"), "Ca^2+");
        assert_eq!(line("10", Level::Lowered, "2"), "10_2");
        assert_eq!(line("x", Level::Lowered, "i"), "x_i");
        assert_eq!(line("10 ", Level::Raised, "6"), "10 ^6");
    }

    #[test]
    fn formulas_of_substances_and_ordinals_are_written_as_usual() {
        assert_eq!(line("H", Level::Lowered, "2"), "H2");
        assert_eq!(line("1", Level::Raised, "st"), "1st");
        assert_eq!(line("n", Level::Raised, "o"), "no");
        assert_eq!(line("D", Level::Raised, "r"), "Dr");
        assert_eq!(line("L", Level::Raised, "A"), "LA");
        assert_eq!(line("(", Level::Raised, "2"), "(2");
        assert_eq!(line("M", Level::Raised, "me"), "Mme");
        assert_eq!(line("e", Level::Raised, "iπ"), "e^iπ");
        assert_eq!(line("Mill", Level::Raised, "®"), "Mill®");
    }

    #[test]
    fn notes_are_in_brackets() {
        assert_eq!(line("word", Level::Note, "3"), "word[3]");
        assert_eq!(line("word", Level::Raised, "[3]"), "word[3]");
        assert_eq!(line("word ", Level::Raised, "3"), "word 3");
    }
}
