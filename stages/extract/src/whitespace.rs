//! Letters that only serve the layout of a page: in text, spaces of any width are plain, and what is not seen is nothing.

/// The letter as text has it: a plain space for spaces that only forbid a line break or have a special width, and nothing
/// for soft hyphens and the signs that join words or set their direction.
pub(crate) fn plain(letter: char) -> Option<char> {
    match letter {
        '\u{A0}' | '\u{2007}' | '\u{202F}' | '\u{2002}'..='\u{2006}' | '\u{2008}'..='\u{200A}' => Some(' '),
        '\u{AD}'
        | '\u{200E}'
        | '\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'
        | '\u{2066}'..='\u{2069}'
        | '\u{FEFF}' => None,
        _ => Some(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn spaces_of_layout_become_plain_and_those_of_scripts_stay() {
        let text: String = "\u{A0}\u{202F}\u{2009}\u{3000}\u{200D}a".chars().filter_map(plain).collect();
        assert_eq!(text, "   \u{3000}\u{200D}a");
    }

    #[test]
    fn what_is_not_seen_is_nothing() {
        let text: String =
            "in\u{AD}fo \u{200F}12%\u{200E} \u{202B}a\u{202C} b\u{2060}c".chars().filter_map(plain).collect();
        assert_eq!(text, "info 12% a bc");
    }
}
