//! Boundaries of words in text without white space.

use icu_segmenter::LineSegmenter;
use icu_segmenter::options::LineBreakOptions;
use unicode_segmentation::UnicodeSegmentation;

/// How far past a position word segmentation looks, in bytes: its rules need little more than the next letter, and a
/// dictionary little more than the longest word.
const LOOK_AHEAD: usize = 64;
/// How much of a text in Thai, Lao, Khmer or Burmese is looked up in the dictionary at a time, in bytes.
const WINDOW: usize = 384;
/// How much of its start is left out: it may begin inside a word, which shifts the words after it.
const WARM_UP: usize = 96;

/// The last boundary of a word between `start`, where a run without white space starts, and `end` that is accepted.
pub(crate) fn last_boundary(
    text: &str,
    start: usize,
    end: usize,
    accept: impl Fn(usize) -> Option<usize>,
) -> Option<usize> {
    let ahead = text.floor_char_boundary(end + LOOK_AHEAD);
    let has_dictionary = |text: &str| text.ends_with(needs_dictionary);
    if has_dictionary(&text[start..end])
        && let Some(at) = dictionary_boundary(text, start, end, ahead, &accept)
    {
        return Some(at);
    }
    text[start..ahead]
        .split_word_bound_indices()
        .map(|(offset, _)| start + offset)
        .take_while(|at| *at <= end)
        .filter_map(accept)
        .last()
}

/// Thai, Lao, Burmese and Khmer are written without spaces between words, and only a dictionary tells them apart.
fn needs_dictionary(character: char) -> bool {
    matches!(character, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}')
}

fn dictionary_boundary(
    text: &str,
    start: usize,
    end: usize,
    ahead: usize,
    accept: impl Fn(usize) -> Option<usize>,
) -> Option<usize> {
    let from = text.ceil_char_boundary(end.saturating_sub(WINDOW)).max(start);
    let first = if from == start { start } else { from + WARM_UP };
    // Line breaking asks only the dictionaries of these four; word breaking also that of Chinese and Japanese, which is
    // twice as large as all of them.
    let segmenter = LineSegmenter::new_dictionary(LineBreakOptions::default());
    let breaks = segmenter.segment_str(&text[from..ahead]).map(|offset| from + offset);
    breaks.skip_while(|at| *at < first).take_while(|at| *at <= end).filter_map(accept).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text cut at each place from which a cut may go back.
    fn cut(text: &str, end: usize) -> &str {
        &text[..last_boundary(text, 0, text.floor_char_boundary(end), |at| (at > 0).then_some(at)).unwrap()]
    }

    #[test]
    fn languages_written_without_spaces_are_cut_between_words() {
        // "Thailand has a population", "Cambodia has", "Laos has a population", "Burmese".
        assert_eq!(cut("ประเทศไทยมีประชากร", 40), "ประเทศไทยมี".get(..33).unwrap());
        assert_eq!(cut("ប្រទេសកម្ពុជាមានប្រជាជន", 46), "ប្រទេសកម្ពុជា");
        assert_eq!(cut("ປະເທດລາວມີປະຊາກອນ", 40), "ປະເທດລາວມີ");
    }

    #[test]
    fn a_long_run_is_cut_between_words_too() {
        let text = "ประเทศไทย".repeat(200);
        let cut = cut(&text, 2_000).len();
        assert!(cut > 1_960 && cut.is_multiple_of("ประเทศไทย".len()), "{cut}");
    }

    #[test]
    fn other_scripts_are_cut_by_the_rules_of_unicode() {
        assert_eq!(cut("https://host.example/one/two/three", 26), "https://host.example/one/");
        assert_eq!(cut("日本のカタカナ語", 18), "日本の");
    }
}
