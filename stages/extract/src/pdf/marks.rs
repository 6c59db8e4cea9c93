//! Marked content: text that stands for glyphs, and content on layers that are off.

/// The pieces of marked content that are open.
#[derive(Debug, Default)]
pub(super) struct Marks {
    open: usize,
    replacement: Option<Replacement>,
    /// The number of the outermost piece that is not seen.
    hidden: Option<usize>,
}

/// Marked content whose glyphs stand for another text.
#[derive(Debug)]
struct Replacement {
    /// Number of open pieces of marked content, this one included.
    mark: usize,
    /// The text, until it has been placed at the first glyph.
    text: Option<String>,
}

impl Marks {
    pub(super) fn begin(&mut self) {
        self.open += 1;
    }

    /// The piece that was begun last stands for this text.
    pub(super) fn replace(&mut self, text: String) {
        if self.replacement.is_none() {
            self.replacement = Some(Replacement { mark: self.open, text: Some(text) });
        }
    }

    /// The piece that was begun last is not seen.
    pub(super) fn hide(&mut self) {
        self.hidden.get_or_insert(self.open);
    }

    /// Ends a piece; the result is the text that it stands for, if no glyph has taken it.
    pub(super) fn end(&mut self) -> Option<String> {
        let ended = self.replacement.take_if(|replacement| replacement.mark == self.open);
        self.hidden.take_if(|mark| *mark == self.open);
        self.open = self.open.saturating_sub(1);
        ended.and_then(|replacement| replacement.text)
    }

    /// Whether there is text that no glyph has taken yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.replacement.as_ref().is_some_and(|replacement| replacement.text.is_some())
    }

    pub(super) fn is_hidden(&self) -> bool {
        self.hidden.is_some()
    }

    /// The text of the next glyph, if it is not that of its font.
    pub(super) fn replacement(&mut self) -> Option<String> {
        self.replacement.as_mut().map(|replacement| replacement.text.take().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_text_is_placed_once_and_ends_with_its_mark() {
        let mut marks = Marks::default();
        marks.begin();
        marks.replace("all".to_owned());
        marks.begin();
        marks.replace("inner".to_owned());
        assert_eq!([marks.replacement(), marks.replacement()], [Some("all".to_owned()), Some(String::new())]);
        assert_eq!(marks.end(), None);
        assert_eq!(marks.replacement(), Some(String::new()));
        assert_eq!(marks.end(), None);
        assert_eq!(marks.replacement(), None);
        marks.begin();
        marks.replace("not taken".to_owned());
        assert!(marks.is_waiting());
        assert_eq!(marks.end().as_deref(), Some("not taken"));
    }

    #[test]
    fn what_is_hidden_stays_so_until_its_mark_ends() {
        let mut marks = Marks::default();
        marks.begin();
        marks.hide();
        marks.begin();
        marks.end();
        assert!(marks.is_hidden());
        marks.end();
        assert!(!marks.is_hidden());
        marks.end();
    }
}
