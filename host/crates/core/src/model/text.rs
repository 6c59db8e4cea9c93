//! Text that others wrote, made safe to show.

/// The text on one line, without control characters that a terminal would act on: line breaks become spaces, and others
/// become the replacement character. Tabs are kept.
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
