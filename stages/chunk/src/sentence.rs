//! Where sentences end.

use crate::abbreviations::{self, is_abbreviation, is_known, is_second_part};

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
    if gap_needed && (gap == 0 || continues(next) || (character == '.' && abbreviates(&text[..at], next))) {
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

/// How much white space around a place is looked through: a bound for a gap of a million blanks.
const GAP_MAX: usize = 4;

/// Whether the place after a gap divides an abbreviation, an initial or an ordinal from what it belongs to.
pub(crate) fn is_abbreviated(text: &str, at: usize) -> bool {
    let Some(stop) = full_stop_before(text, at) else {
        return false;
    };
    let mut after = text[at..].char_indices().take(GAP_MAX).skip_while(|(_, c)| c.is_whitespace());
    let next = after.next().map_or("", |(offset, _)| &text[at + offset..]);
    abbreviates(&text[..stop], next)
}

/// Whether the place after a gap follows what is, or looks like, an abbreviation, where no sentence ends: then a full stop
/// abbreviates whatever is not much longer than an abbreviation, and any word that can be one.
pub(crate) fn is_likely_abbreviated(text: &str, at: usize) -> bool {
    let Some(stop) = full_stop_before(text, at) else {
        return false;
    };
    let (_, word, length) = last_word(&text[..stop]);
    (1..=LIKELY_MAX).contains(&length)
        || (length <= abbreviations::LONGEST && is_known(word))
        || is_street(&text[..stop])
}

/// Letters of a word that is likely an abbreviation if it has a full stop and the sentence goes on.
const LIKELY_MAX: usize = 4;

/// Where the full stop is before the gap that ends at `at`.
fn full_stop_before(text: &str, at: usize) -> Option<usize> {
    let mut before = text[..at].char_indices().rev().take(GAP_MAX).skip_while(|(_, c)| c.is_whitespace());
    before.next().filter(|(_, character)| *character == '.').map(|(stop, _)| stop)
}

/// What stands before the last word of a text, the word, and its letters; of a word that is longer than any abbreviation,
/// its end.
fn last_word(text: &str) -> (&str, &str, usize) {
    let letters = text.char_indices().rev().take_while(|(_, c)| c.is_alphanumeric());
    let (mut start, mut length) = (text.len(), 0);
    for (at, _) in letters.take(abbreviations::LONGEST + 1) {
        start = at;
        length += 1;
    }
    (&text[..start], &text[start..], length)
}

/// Whether a full stop after `before` abbreviates its last word: one letter or up to two digits, which is an initial or
/// an ordinal as in "3. Mai", or a known abbreviation.
fn abbreviates(before: &str, next: &str) -> bool {
    let (first, word, length) = last_word(before);
    match length {
        0 => false,
        1 => true,
        2 if word.bytes().all(|byte| byte.is_ascii_digit()) => true,
        2..=abbreviations::LONGEST => is_abbreviation(word, next) || is_second_part(first, word),
        _ => is_street(before) && next.starts_with(|c: char| c.is_ascii_digit()),
    }
}

/// "Schillerstr. 5"
fn is_street(before: &str) -> bool {
    before.ends_with("str")
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
        for text in [
            "See e.g. this.",
            "Am 3. Mai um 21. Uhr.",
            "J. R. Smith",
            "Version 1.2.3 of a.example",
            "wait... what",
            "Ask Dr. Smith.",
            "As Hansen et al. (2019) show in Fig. 3 of Vol. II.",
            "Example Inc. Delaware",
            "Prof. Dr. Müller, Schillerstr. 5, Nr. 12",
            "Zie o.a. De Vries, p. ex. Dupont, m.in. Nowak, p.ej. López, hr. Hansen",
        ] {
            assert_eq!(sentences(text), [text]);
        }
    }

    #[test]
    fn words_that_abbreviate_in_one_language_end_sentences_in_others() {
        for (first, second) in
            [("Han gik ud. ", "Så kom han."), ("La macchina è mio. ", "Poi."), ("He was ill. ", "Then not.")]
        {
            assert_eq!(sentences(&format!("{first}{second}")), [first, second]);
        }
        assert_eq!(sentences("Visit host.com. Then go."), ["Visit host.com. ", "Then go."]);
    }

    #[test]
    fn a_full_stop_inside_a_sentence_looks_like_an_abbreviation() {
        for text in ["the cf. ", "the enl. ", "the Schillerstr. ", "the 12. ", "the approx. "] {
            assert!(is_likely_abbreviated(text, text.len()), "{text}");
        }
        for text in ["the house. ", "the cf ", "wait... ", ". . . "] {
            assert!(!is_likely_abbreviated(text, text.len()), "{text}");
        }
    }

    #[test]
    fn sentences_of_scripts_without_spaces_are_found() {
        assert_eq!(sentences("你好。「再见！」他说。"), ["你好。", "「再见！」", "他说。"]);
        assert_eq!(sentences("नमस्ते। कैसे हो?"), ["नमस्ते। ", "कैसे हो?"]);
    }
}
