//! White space that only serves layout: on a page it matters, in text it is a plain space.

/// Replaces spaces that only forbid a line break or have a special width with a plain space.
pub(crate) fn plain(letter: char) -> char {
    match letter {
        '\u{A0}' | '\u{2007}' | '\u{202F}' | '\u{2002}'..='\u{2006}' | '\u{2008}'..='\u{200A}' => ' ',
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn spaces_of_layout_become_plain_and_those_of_scripts_stay() {
        assert_eq!(
            ['\u{A0}', '\u{202F}', '\u{2009}', '\u{3000}', '\u{200D}', 'a'].map(plain),
            [' ', ' ', ' ', '\u{3000}', '\u{200D}', 'a']
        );
    }
}
