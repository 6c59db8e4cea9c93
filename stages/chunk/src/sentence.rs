//! Where sentences end.

/// How many characters may close a sentence: enough for what people write, and a bound for a line of a million dots.
const CLOSING_MAX: usize = 8;

/// Where the next sentence starts, after closing quotes and the gap, if the character at `at` ends a sentence.
pub(crate) fn sentence_end(text: &str, at: usize, character: char) -> Option<usize> {
    let gap_needed = match Stop::of(character)? {
        Stop::Western => true,
        Stop::Eastern => false,
    };
    let (end, _) =
        text[at..].char_indices().take(CLOSING_MAX).find(|(_, c)| Stop::of(*c).is_none() && !is_closing(*c))?;
    let closed = &text[at + end..];
    let next = closed.trim_start();
    let gap = closed.len() - next.len();
    if gap_needed && (gap == 0 || continues(next) || (character == '.' && is_short(&text[..at]))) {
        return None;
    }
    Some(text.len() - next.len())
}

/// A character that ends a sentence.
enum Stop {
    /// Ends a sentence if a gap follows.
    Western,
    /// Ends a sentence with or without a gap.
    Eastern,
}

impl Stop {
    fn of(character: char) -> Option<Self> {
        match character {
            '.' | '!' | '?' | '…' => Some(Self::Western),
            // Chinese and Japanese; then Arabic, Urdu, Hindi, Armenian, Ethiopic, Khmer and Burmese.
            '。' | '！' | '？' | '｡' | '؟' | '۔' | '।' | '॥' | '։' | '።' | '។' | '။' => {
                Some(Self::Eastern)
            }
            _ => None,
        }
    }
}

fn is_closing(character: char) -> bool {
    matches!(character, '"' | '\'' | ')' | ']' | '*' | '_' | '”' | '’' | '“' | '»' | '›' | '」' | '』' | '）' | '】')
}

/// A lower-case letter continues the sentence: "e.g. this", "z. B. das".
fn continues(next: &str) -> bool {
    next.starts_with(char::is_lowercase)
}

/// One letter or up to two digits before the full stop: an initial, or an ordinal as in "3. Mai".
fn is_short(before: &str) -> bool {
    let mut word = before.chars().rev().take_while(|c| c.is_alphanumeric());
    match (word.next(), word.next(), word.next()) {
        (Some(_), None, _) => true,
        (Some(last), Some(first), None) => last.is_ascii_digit() && first.is_ascii_digit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sentences of a text.
    fn sentences(text: &str) -> Vec<&str> {
        let mut sentences = Vec::new();
        let mut start = 0;
        for (at, character) in text.char_indices() {
            if let Some(next) = sentence_end(text, at, character)
                && next > start
            {
                sentences.push(&text[start..next]);
                start = next;
            }
        }
        sentences.push(&text[start..]);
        sentences.retain(|sentence| !sentence.is_empty());
        sentences
    }

    #[test]
    fn a_sentence_ends_with_its_gap() {
        assert_eq!(sentences("One two. Three? Yes!  No…\nEnd"), ["One two. ", "Three? ", "Yes!  ", "No…\n", "End"]);
    }

    #[test]
    fn quotes_and_brackets_belong_to_the_sentence_they_close() {
        assert_eq!(sentences("\"Go.\" He went. (He did.) Then?!"), ["\"Go.\" ", "He went. ", "(He did.) ", "Then?!"]);
    }

    #[test]
    fn abbreviations_numbers_and_names_do_not_end_a_sentence() {
        for text in
            ["See e.g. this.", "Am 3. Mai um 21. Uhr.", "J. R. Smith", "Version 1.2.3 of a.example", "wait... what"]
        {
            assert_eq!(sentences(text), [text]);
        }
    }

    #[test]
    fn sentences_of_scripts_without_spaces_are_found() {
        assert_eq!(sentences("你好。「再见！」他说。"), ["你好。", "「再见！」", "他说。"]);
        assert_eq!(sentences("नमस्ते। कैसे हो?"), ["नमस्ते। ", "कैसे हो?"]);
    }
}
