//! Which pages of a document have no text, and what that means for it.

use std::fmt;

/// The pages of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pages {
    /// How many there are.
    pub(crate) count: usize,
    /// Those without text.
    pub(crate) without_text: PageList,
    /// Whether one of those shows an image, and so is probably a scan: a blank page needs nobody.
    pub(crate) has_scans: bool,
    /// Those on which more than a few glyphs have no character.
    pub(crate) unmapped: PageList,
    /// How many glyphs of all pages were read, and how many of them have no character.
    pub(crate) glyphs: usize,
    pub(crate) glyphs_unmapped: usize,
}

/// What was seen on a page.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sight {
    pub(crate) has_text: bool,
    pub(crate) has_image: bool,
    pub(crate) glyphs: usize,
    pub(crate) unmapped: usize,
}

/// A page is listed if more than one of so many glyphs has no character.
const FEW: usize = 20;

impl Pages {
    /// Adds the next page.
    pub(crate) fn add(&mut self, page: Sight) {
        self.count += 1;
        if !page.has_text {
            self.without_text.push(self.count);
            self.has_scans |= page.has_image;
        }
        if page.unmapped * FEW > page.glyphs {
            self.unmapped.push(self.count);
        }
        self.glyphs += page.glyphs;
        self.glyphs_unmapped += page.unmapped;
    }

    /// Whether no page has text.
    pub(crate) fn none_has_text(&self) -> bool {
        self.without_text.pages == self.count
    }
}

/// Page numbers, from 1, in ascending order; written as "1-3,7".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PageList {
    /// First and last page of each range.
    ranges: Vec<(usize, usize)>,
    pages: usize,
}

impl PageList {
    pub(crate) fn is_empty(&self) -> bool {
        self.pages == 0
    }

    fn push(&mut self, page: usize) {
        self.pages += 1;
        match self.ranges.last_mut() {
            Some((_, last)) if *last + 1 == page => *last = page,
            _ => self.ranges.push((page, page)),
        }
    }
}

impl fmt::Display for PageList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(text_and_image: &[(bool, bool)]) -> Pages {
        let mut pages = Pages::default();
        text_and_image.iter().for_each(|(has_text, has_image)| {
            pages.add(Sight { has_text: *has_text, has_image: *has_image, ..Sight::default() })
        });
        pages
    }

    #[test]
    fn pages_without_text_are_listed_as_ranges() {
        let (text, none) = ((true, false), (false, false));
        for (given, list) in [
            (vec![], ""),
            (vec![text, text], ""),
            (vec![none], "1"),
            (vec![none, none, none, text, text, text, none], "1-3,7"),
            (vec![text, none, text, none, none], "2,4-5"),
        ] {
            let pages = pages(&given);
            assert_eq!(pages.without_text.to_string(), list);
            assert_eq!(pages.count, given.len());
        }
    }

    #[test]
    fn pages_with_many_glyphs_without_a_character_are_listed() {
        let mut pages = Pages::default();
        for unmapped in [0, 5, 6, 100] {
            pages.add(Sight { has_text: true, glyphs: 100, unmapped, ..Sight::default() });
        }
        assert_eq!((pages.unmapped.to_string().as_str(), pages.glyphs, pages.glyphs_unmapped), ("3-4", 400, 111));
    }

    #[test]
    fn a_page_with_an_image_and_no_text_is_a_scan() {
        assert!(pages(&[(true, true), (false, true)]).has_scans);
        assert!(!pages(&[(true, true), (false, false)]).has_scans);
        assert!(pages(&[(false, false)]).none_has_text());
        assert!(!pages(&[(false, true), (true, false)]).none_has_text());
    }
}
