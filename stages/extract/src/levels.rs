//! Raised and lowered text in one line: "10^6" and not "106".

/// Where a piece of text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Above the line.
    Raised,
    /// Below the line.
    Lowered,
    /// Above the line, and it links to a note.
    Note,
}

/// Appends `part`, which stands at `level`, to the line so far, so that it cannot be read as a part of the word before it.
pub(crate) fn append(line: &mut String, level: Level, part: &str) {
    let part = part.trim();
    // Behind a space it is a word of its own, but not behind a number.
    let last = line.trim_end().chars().next_back();
    let is_apart = line.ends_with(char::is_whitespace);
    let Some(before) = last.filter(|letter| !is_apart || letter.is_ascii_digit()) else {
        line.push_str(part);
        return;
    };
    let sign = match level {
        _ if part.is_empty() || part.starts_with(['[', '(', '^', '_']) || has_no_letters(part) => "",
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

/// Whether `part` is digits only.
pub(crate) fn is_number(part: &str) -> bool {
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
        "TM" | "SM" => true,
        "e" | "o" | "a" => before.is_ascii_digit() || "nNº.".contains(before),
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
        let mut line = before.to_owned();
        append(&mut line, level, part);
        line
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
