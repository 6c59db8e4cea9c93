//! Where invisible characters are meaningful: emoji sequences and scripts that need joiners.

/// Whether a joiner after this character can change its shape: Arabic and related scripts, the scripts of India and
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

/// Scripts without spaces, where a zero-width space separates words: Thai, Lao, Tibetan, Burmese, Khmer, Tai and Cham.
pub(super) fn separates_words_invisibly(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{fff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{1950}'..='\u{1aaf}'
        | '\u{a9e0}'..='\u{a9ff}'
        | '\u{aa00}'..='\u{aadf}')
}

/// A pictograph that joiners can combine with others, or a mark that may follow one.
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

/// The black flag, which tag characters turn into the flag of a region.
pub(super) const FLAG: char = '\u{1f3f4}';
const LAST_TAG: char = '\u{e007f}';
/// A region has at most six tag characters, as in "gbsct".
const MAX_TAGS: usize = 6;

pub(super) fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0000}'..=LAST_TAG)
}

/// The length in bytes of the tags at the start of `text` that form the flag of a region; `None` for any other tags.
pub(super) fn region_length(text: &str) -> Option<usize> {
    let (tags, _) = text.split_once(LAST_TAG)?;
    let named = tags.chars().take(MAX_TAGS + 1).filter(|c| is_tag(*c)).count();
    ((1..=MAX_TAGS).contains(&named) && tags.chars().count() == named).then(|| tags.len() + LAST_TAG.len_utf8())
}
