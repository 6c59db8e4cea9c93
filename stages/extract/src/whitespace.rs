//! White space that is layout: what a page or a print needs is a plain space in text.

/// Makes a space of the spaces that only say "no line break here" or how wide to be.
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
    fn spaces_of_layout_are_plain_and_those_of_writing_stay() {
        assert_eq!(
            ['\u{A0}', '\u{202F}', '\u{2009}', '\u{3000}', '\u{200D}', 'a'].map(plain),
            [' ', ' ', ' ', '\u{3000}', '\u{200D}', 'a']
        );
    }
}
