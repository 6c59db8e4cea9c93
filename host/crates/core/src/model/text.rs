//! Text that others wrote, made safe to show.

/// The text on one line, without anything that a terminal would obey: line breaks become spaces, other control characters
/// the replacement character. Tabs stay.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '\t' => '\t',
            '\n' | '\r' => ' ',
            char if char.is_control() => char::REPLACEMENT_CHARACTER,
            char => char,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing() {
        assert_eq!(printable("a\tb\x1b[2Jc\nd\u{9b}e"), "a\tb\u{fffd}[2Jc d\u{fffd}e");
    }
}
