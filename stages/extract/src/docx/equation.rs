//! Formulas of old Word files, which are the code of a field without a result: `EQ \f(1,2)`.

use std::iter::Peekable;
use std::str::Chars;

/// Structures inside so many others are read as letters.
const DEEPEST: usize = 8;

/// The text of a field with this code, if it is a formula.
pub(super) fn of_code(code: &str) -> Option<String> {
    let code = code.trim();
    let formula = code.get(..2).filter(|name| name.eq_ignore_ascii_case("EQ")).and_then(|_| code.get(2..))?;
    // "\* jc2" and the like say how a reading above a word is set.
    let start = formula.rfind("\\*").map_or(0, |star| formula[star..].find("\\o").map_or(0, |place| star + place));
    let text = sequence(&mut formula[start..].trim().chars().peekable(), 0);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// What is written up to the end of an argument.
fn sequence(letters: &mut Peekable<Chars<'_>>, depth: usize) -> String {
    let mut out = String::new();
    let mut switch = None;
    let mut mark = "^";
    while let Some(letter) = letters.peek().copied() {
        match letter {
            ')' | ',' | ';' if depth > 0 => break,
            '\\' => {
                letters.next();
                let mut name = String::new();
                while let Some(letter) = letters.next_if(char::is_ascii_alphabetic) {
                    name.push(letter.to_ascii_lowercase());
                }
                match name.as_str() {
                    // A sign that would have a meaning otherwise.
                    "" => out.extend(letters.next()),
                    "f" | "o" | "r" | "s" | "b" | "l" | "a" | "x" | "d" | "i" => switch = name.chars().next(),
                    "do" => mark = "_",
                    _ => {}
                }
            }
            '(' if switch.is_some() && depth < DEEPEST => {
                letters.next();
                let mut arguments = vec![sequence(letters, depth + 1)];
                while letters.next_if(|next| matches!(next, ',' | ';')).is_some() {
                    arguments.push(sequence(letters, depth + 1));
                }
                letters.next();
                out.push_str(&written(switch.take(), mark, &arguments));
                mark = "^";
            }
            // The distances of an option.
            _ if switch.is_some() => drop(letters.next()),
            _ => {
                out.push(letter);
                letters.next();
            }
        }
    }
    out
}

fn written(switch: Option<char>, mark: &str, arguments: &[String]) -> String {
    match (switch, arguments) {
        (Some('f'), [above, below]) => format!("{}/{}", above.trim(), below.trim()),
        // Letters over each other: a reading, and the word it is of.
        (Some('o'), [.., last]) => last.clone(),
        (Some('r'), [inside]) => format!("√{inside}"),
        (Some('r'), [degree, inside]) if degree.trim().is_empty() => format!("√{inside}"),
        (Some('r'), [degree, inside]) => format!("root({degree}, {inside})"),
        (Some('s'), arguments) => format!("{mark}{}", arguments.join(" ")),
        (Some('b'), arguments) => format!("({})", arguments.join(", ")),
        (_, arguments) => arguments.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::of_code;

    #[test]
    fn formulas_and_readings_in_codes_are_read() {
        for (code, expected) in [
            (" EQ \\f(12,5) ", Some("12/5")),
            ("eq \\F(1;2)m", Some("1/2m")),
            ("EQ \\r(3,x+1)", Some("root(3, x+1)")),
            ("EQ 10\\s\\up6(4)", Some("10^4")),
            ("EQ x\\s\\do4(1)", Some("x_1")),
            ("EQ \\* jc2 \\* \"Font:MS Mincho\" \\* hps10 \\o\\ad(\\s\\up 9(かんじ),漢字)", Some("漢字")),
            ("EQ ", None),
            ("REF a", None),
        ] {
            assert_eq!(of_code(code).as_deref(), expected, "{code}");
        }
        assert!(of_code(&format!("EQ {}", "\\f(".repeat(5000))).is_none_or(|text| text.len() < 50_000));
    }
}
