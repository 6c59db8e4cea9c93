//! What may come directly before and after a match, and which words announce it.

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

/// How far back to look for an announcing phrase, in bytes.
const REACH: usize = 48;

/// Words between the announcing phrase and the match, as in "phone number is".
const FILLERS: [&str; 8] = ["number", "numbers", "nummer", "no", "nr", "num", "is", "are"];

/// Whether one of `phrases` (in lower case) comes directly before `at`, as in `Tel. no.: ` or `"phone": "`.
pub(super) fn announced(text: &str, at: usize, phrases: &[&str]) -> bool {
    let start = (at.saturating_sub(REACH)..=at).find(|start| text.is_char_boundary(*start)).unwrap_or(at);
    let window = text[start..at].to_lowercase();
    let mut before = window.as_str();
    loop {
        before = before.trim_end_matches([' ', '\t', '\u{a0}', ':', '.', '#', '=', '(', '"', '\'']);
        if phrases.iter().any(|phrase| ends_with_word(before, phrase)) {
            return true;
        }
        match FILLERS.iter().find(|filler| ends_with_word(before, filler)) {
            Some(filler) => before = &before[..before.len() - filler.len()],
            None => return false,
        }
    }
}

fn ends_with_word(text: &str, word: &str) -> bool {
    // "_" joins the parts of a field name, as in `home_phone`.
    text.strip_suffix(word).is_some_and(|rest| !rest.ends_with(|c| is_word(c) && c != '_'))
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

    #[test]
    fn an_announcement_comes_directly_before() {
        let phrases = ["phone", "social security"];
        for text in
            ["Phone: ", "\"home_phone\": \"", "phone number is ", "PHONE NO. ", "Social Security Number: ", "(phone "]
        {
            assert!(announced(text, text.len(), &phrases), "{text}");
        }
        for text in ["", "telephones ", "phone call about ", "megaphone ", "phone] ", "security "] {
            assert!(!announced(text, text.len(), &phrases), "{text}");
        }
    }

    #[test]
    fn the_reach_of_an_announcement_may_begin_within_a_character() {
        let text = "€".repeat(40) + " phone ";
        assert!(announced(&text, text.len(), &["phone"]));
    }
}
