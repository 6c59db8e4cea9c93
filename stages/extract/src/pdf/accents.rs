//! Accents that are drawn as glyphs of their own, over or under their letter.

use unicode_normalization::char::{compose as compose_marks, is_combining_mark};

/// Whether this is an accent: one that takes space, as old fonts have them, or a combining one.
pub(super) fn is_accent(letter: char) -> bool {
    combining(letter).is_some()
}

/// The combining form of an accent.
fn combining(accent: char) -> Option<char> {
    Some(match accent {
        '`' | '\u{2CB}' => '\u{300}',
        '´' | '\u{2CA}' => '\u{301}',
        '^' | 'ˆ' => '\u{302}',
        '~' | '˜' => '\u{303}',
        '¯' | 'ˉ' => '\u{304}',
        '˘' => '\u{306}',
        '˙' => '\u{307}',
        '¨' => '\u{308}',
        '˚' | '°' => '\u{30A}',
        '˝' => '\u{30B}',
        'ˇ' => '\u{30C}',
        '¸' => '\u{327}',
        '˛' => '\u{328}',
        '\u{300}'..='\u{36F}' if is_combining_mark(accent) => accent,
        _ => return None,
    })
}

/// The letter with the accent, if there is such a letter.
pub(super) fn compose(letter: char, accent: char) -> Option<char> {
    let letter = match letter {
        'ı' => 'i',
        'ȷ' => 'j',
        _ => letter,
    };
    if !letter.is_alphabetic() {
        return None;
    }
    compose_marks(letter, combining(accent)?)
}

/// Whether an accent with these edges stands over a letter with those.
pub(super) fn is_over(accent: (f64, f64), letter: (f64, f64)) -> bool {
    let width = letter.1 - letter.0;
    let middle = (accent.0 + accent.1) / 2.0;
    width > 0.0 && middle > letter.0 - 0.05 * width && middle < letter.1 + 0.05 * width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_take_accents_that_exist_for_them() {
        assert_eq!(compose('e', '´'), Some('é'));
        assert_eq!(compose('ı', '\u{308}'), Some('ï'));
        assert_eq!(compose('c', '¸'), Some('ç'));
        assert_eq!(compose('1', '´'), None);
        assert_eq!(compose('e', 'x'), None);
    }
}
