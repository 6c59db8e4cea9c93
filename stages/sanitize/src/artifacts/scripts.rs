//! Where invisible characters have a meaning: emoji sequences and scripts that need joiners.

/// A joiner after this character can change how it is written: Arabic and its relatives, the scripts of India and of
/// South-East Asia, Mongolian.
pub(super) fn shapes_with_joiners(c: char) -> bool {
    matches!(c,
        '\u{600}'..='\u{8ff}'
        | '\u{900}'..='\u{dff}'
        | '\u{f00}'..='\u{109f}'
        | '\u{1780}'..='\u{18af}'
        | '\u{1900}'..='\u{1cff}'
        | '\u{a840}'..='\u{abff}'
        | '\u{fb50}'..='\u{fdff}'
        | '\u{fe70}'..='\u{fefc}'
        | '\u{10a00}'..='\u{10eff}'
        | '\u{11000}'..='\u{11fff}'
        | '\u{1e900}'..='\u{1e95f}')
}

/// Scripts without spaces, where a space of no width parts words: Thai, Lao, Tibetan, Burmese, Khmer, Tai and Cham.
pub(super) fn parts_words_invisibly(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{fff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{1950}'..='\u{1aaf}'
        | '\u{a9e0}'..='\u{a9ff}'
        | '\u{aa00}'..='\u{aadf}')
}

/// A picture that joiners can put together with others; the marks that may follow one are included.
pub(super) fn is_pictograph(c: char) -> bool {
    matches!(c,
        '\u{2190}'..='\u{21ff}'
        | '\u{2300}'..='\u{23ff}'
        | '\u{2600}'..='\u{27bf}'
        | '\u{2b00}'..='\u{2bff}'
        | '\u{fe0f}'
        | '\u{1f000}'..='\u{1faff}')
}

pub(super) fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// The black flag, which tags turn into the flag of a region.
pub(super) const FLAG: char = '\u{1f3f4}';
const LAST_TAG: char = '\u{e007f}';
/// Region tags have up to six letters, as in "gbsct".
const MAX_TAGS: usize = 6;

pub(super) fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0000}'..=LAST_TAG)
}

/// The length in bytes of the tags at the front of `text` that make a flag of a region; `None` for any other tags.
pub(super) fn region_length(text: &str) -> Option<usize> {
    let (tags, _) = text.split_once(LAST_TAG)?;
    let named = tags.chars().take(MAX_TAGS + 1).filter(|c| is_tag(*c)).count();
    ((1..=MAX_TAGS).contains(&named) && tags.chars().count() == named).then(|| tags.len() + LAST_TAG.len_utf8())
}
