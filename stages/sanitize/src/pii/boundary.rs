//! What may come directly before and after a match.

/// Letters, digits and "_" of alphabets with spaces between words. An ideograph, for example, ends a number.
pub(super) fn is_word(c: char) -> bool {
    match c {
        '_' => true,
        '\0'..='\x7f' => c.is_ascii_alphanumeric(),
        '\u{80}'..='\u{58f}' => c.is_alphanumeric(),
        _ => false,
    }
}

/// Whether a match can begin at `at`: nothing before it (a word, `word-`, `digit.`) makes it part of something longer.
pub(super) fn opens(text: &str, at: usize) -> bool {
    let mut before = text[..at].chars().rev();
    match before.next() {
        Some('-') => !before.next().is_some_and(is_word),
        Some('.') => !before.next().is_some_and(|c| c.is_ascii_digit()),
        Some(c) => !is_word(c),
        None => true,
    }
}

/// Whether a match can end at `end`: nothing after it (a word, `-word`, `.digit`) makes it part of something longer.
pub(super) fn closes(text: &str, end: usize) -> bool {
    let mut after = text[end..].chars();
    match after.next() {
        Some('-') => !after.next().is_some_and(is_word),
        Some('.') => !after.next().is_some_and(|c| c.is_ascii_digit()),
        Some(c) => !is_word(c),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_characters_that_join_words_are_not_boundaries() {
        for text in ["x7", "_7", "ä7", "a-7", "1.7"] {
            assert!(!opens(text, text.len() - 1), "{text}");
        }
        for text in ["7", " 7", "(7", "号7", ".7", " -7", "No.7", ":7", "=7"] {
            assert!(opens(text, text.len() - 1), "{text}");
        }
        for text in ["7x", "7_", "7-1", "7.1"] {
            assert!(!closes(text, 1), "{text}");
        }
        for text in ["7", "7 ", "7. ", "7,1", "7号", "7-", "7)"] {
            assert!(closes(text, 1), "{text}");
        }
    }
}
