//! Where a piece is in the text: page and heading path, for ascending positions.

use crate::outline::Heading;

/// What is known of the document that a text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Document {
    /// It has pages, of which one has no form feed.
    Paged,
    /// Nothing.
    Unknown,
}

/// Counts pages.
#[derive(Debug)]
pub(crate) struct Pages<'a> {
    text: &'a str,
    at: usize,
    page: usize,
}

impl<'a> Pages<'a> {
    /// `None` if the text has no pages: no form feed divides it, and it is not known to be of a paged document.
    pub(crate) fn of(text: &'a str, document: Document) -> Option<Self> {
        let is_paged = document == Document::Paged || memchr::memchr(b'\x0c', text.as_bytes()).is_some();
        is_paged.then_some(Self { text, at: 0, page: 1 })
    }

    /// The page of `position`; the first is 1.
    pub(crate) fn at(&mut self, position: usize) -> usize {
        self.page += self.text[self.at..position].matches('\u{c}').count();
        self.at = position;
        self.page
    }
}

/// Follows the headings.
#[derive(Debug)]
pub(crate) struct Path<'a> {
    ahead: &'a [Heading],
    open: Vec<&'a Heading>,
}

impl<'a> Path<'a> {
    pub(crate) fn along(headings: &'a [Heading]) -> Self {
        Self { ahead: headings, open: Vec::new() }
    }

    /// The titles of the headings above `position`, joined by " > "; `None` if there are none.
    pub(crate) fn at(&mut self, position: usize) -> Option<String> {
        self.above(position + 1, position)
    }

    /// The titles of the headings before `start` that `position`, the first written one after it, is under.
    pub(crate) fn above(&mut self, start: usize, position: usize) -> Option<String> {
        while let [next, rest @ ..] = self.ahead
            && next.at <= position
        {
            self.open.retain(|heading| heading.level < next.level);
            self.open.push(next);
            self.ahead = rest;
        }
        let above = self.open.iter().filter(|heading| heading.at < start);
        let titles: Vec<&str> = above.map(|heading| heading.title.as_str()).collect();
        (!titles.is_empty()).then(|| titles.join(" > "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(at: usize, level: u8, title: &str) -> Heading {
        Heading { at, end: at + 1, level, title: title.into() }
    }

    #[test]
    fn a_form_feed_turns_the_page() {
        let mut pages = Pages::of("a\u{c}b\u{c}c", Document::Unknown).unwrap();
        assert_eq!([pages.at(0), pages.at(1), pages.at(2), pages.at(4)], [1, 1, 2, 3]);
    }

    #[test]
    fn a_text_without_form_feeds_has_a_page_only_if_its_document_has_pages() {
        assert!(Pages::of("a\n\nb", Document::Unknown).is_none());
        assert_eq!(Pages::of("a\n\nb", Document::Paged).unwrap().at(3), 1);
    }

    #[test]
    fn a_heading_closes_those_of_its_level_and_below() {
        let headings = [heading(2, 1, "A"), heading(4, 3, "B"), heading(6, 2, "C"), heading(8, 1, "D")];
        let mut path = Path::along(&headings);
        assert_eq!(path.at(0), None);
        assert_eq!(path.at(5).unwrap(), "A > B");
        assert_eq!(path.at(6).unwrap(), "A > C");
        assert_eq!(path.at(9).unwrap(), "D");
    }

    #[test]
    fn headings_at_the_start_of_a_piece_are_not_above_it() {
        let headings = [heading(2, 1, "A"), heading(4, 2, "B"), heading(8, 2, "C")];
        let mut path = Path::along(&headings);
        assert_eq!(path.above(4, 4).unwrap(), "A");
        assert_eq!(path.above(6, 8).unwrap(), "A");
    }
}
