//! Where a piece is in the text: page and heading path, for ascending positions.

use crate::outline::Heading;

/// Counts pages.
#[derive(Debug)]
pub(crate) struct Pages<'a> {
    text: &'a str,
    at: usize,
    page: usize,
}

impl<'a> Pages<'a> {
    /// `None` if the text has no form feeds and so no pages.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        memchr::memchr(b'\x0c', text.as_bytes()).map(|_| Self { text, at: 0, page: 1 })
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
        while let [next, rest @ ..] = self.ahead
            && next.at <= position
        {
            self.open.retain(|heading| heading.level < next.level);
            self.open.push(next);
            self.ahead = rest;
        }
        let titles: Vec<&str> = self.open.iter().map(|heading| heading.title.as_str()).collect();
        (!titles.is_empty()).then(|| titles.join(" > "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(at: usize, level: u8, title: &str) -> Heading {
        Heading { at, level, title: title.into() }
    }

    #[test]
    fn a_form_feed_turns_the_page() {
        let mut pages = Pages::of("a\u{c}b\u{c}c").unwrap();
        assert_eq!([pages.at(0), pages.at(1), pages.at(2), pages.at(4)], [1, 1, 2, 3]);
    }

    #[test]
    fn a_text_without_form_feeds_has_no_pages() {
        assert!(Pages::of("a\n\nb").is_none());
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
}
