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
}

impl Pages {
    /// Adds the next page.
    pub(crate) fn add(&mut self, has_text: bool, has_image: bool) {
        self.count += 1;
        if !has_text {
            self.without_text.push(self.count);
            self.has_scans |= has_image;
        }
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
        text_and_image.iter().for_each(|(has_text, has_image)| pages.add(*has_text, *has_image));
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
    fn a_page_with_an_image_and_no_text_is_a_scan() {
        assert!(pages(&[(true, true), (false, true)]).has_scans);
        assert!(!pages(&[(true, true), (false, false)]).has_scans);
        assert!(pages(&[(false, false)]).none_has_text());
        assert!(!pages(&[(false, true), (true, false)]).none_has_text());
    }
}
