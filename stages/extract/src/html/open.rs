//! The open elements of a page, and which of them a tag ends: the rules by which browsers read pages with missing tags.
//!
//! No tree is built: text is written as it is read, so the memory does not grow with the page. What needs a tree in a
//! browser is left out, because it does not move text: formatting is not repeated in the next block.

use super::names::{self, Bounds, Scope};

/// How many levels up a tag looks. Nobody nests deeper on purpose, and without a bound deep nesting takes quadratic time.
const LOOK: usize = 256;
/// The deepest nesting that is followed: elements beyond it end where the next one begins.
const DEEPEST: usize = 10_000;

/// An open element, with what the reader notes about it.
#[derive(Debug)]
struct Element<T> {
    name: Box<[u8]>,
    bounds: Bounds,
    note: T,
}

/// The open elements, outermost first.
#[derive(Debug)]
pub(super) struct Open<T> {
    elements: Vec<Element<T>>,
}

impl<T> Default for Open<T> {
    fn default() -> Self {
        Self { elements: Vec::new() }
    }
}

/// What an end tag does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing: no such element is open.
    Nothing,
    /// It ends the element at this position and all in it.
    To(usize),
    /// It ends the element at this position only: those in it are blocks, which go on.
    Only(usize),
}

impl<T> Open<T> {
    /// Opens an element.
    pub(super) fn push(&mut self, name: &[u8], note: T) {
        self.elements.push(Element { name: name.into(), bounds: Bounds::of(name), note });
    }

    /// Closes the innermost element if it is at `depth` or deeper; its name and note.
    pub(super) fn pop_from(&mut self, depth: usize) -> Option<(Box<[u8]>, T)> {
        if self.elements.len() <= depth {
            return None;
        }
        self.elements.pop().map(|element| (element.name, element.note))
    }

    /// Closes the element at `depth` and leaves those in it open; its name and note.
    pub(super) fn remove(&mut self, depth: usize) -> Option<(Box<[u8]>, T)> {
        if depth >= self.elements.len() {
            return None;
        }
        let element = self.elements.remove(depth);
        Some((element.name, element.note))
    }

    /// Whether the innermost element is a `name`.
    pub(super) fn is_innermost(&self, name: &[u8]) -> bool {
        self.is_top(self.elements.len(), &[name])
    }

    /// Whether parts of a table may begin here.
    pub(super) fn is_in_table(&self) -> bool {
        self.find(self.elements.len(), &[b"table"], Scope::Table).is_some()
    }

    /// The note of the innermost element.
    pub(super) fn innermost(&mut self) -> Option<&mut T> {
        self.elements.last_mut().map(|element| &mut element.note)
    }

    /// The notes of the open elements, outermost first.
    pub(super) fn notes(&self) -> impl DoubleEndedIterator<Item = (&[u8], &T)> {
        self.elements.iter().map(|element| (&*element.name, &element.note))
    }

    /// The number of open elements.
    pub(super) fn len(&self) -> usize {
        self.elements.len()
    }

    /// The number of elements that stay open where any element begins.
    pub(super) fn kept(&self) -> usize {
        self.elements.len().min(DEEPEST)
    }

    /// The number of elements that stay open where the element `name` of HTML begins.
    pub(super) fn kept_at_start(&self, name: &[u8]) -> usize {
        let mut kept = self.kept();
        let ended = match name {
            b"li" => self.nearest_in_list(kept, &[b"li"]),
            b"dd" | b"dt" => self.nearest_in_list(kept, &[b"dd", b"dt"]),
            b"button" => self.find(kept, &[b"button"], Scope::Default),
            b"a" => self.find(kept, &[b"a"], Scope::Special),
            b"caption" | b"colgroup" | b"col" | b"tbody" | b"thead" | b"tfoot" => self.below(kept, &[b"table"]),
            b"tr" => self.below(kept, &[b"tbody", b"thead", b"tfoot", b"table"]),
            b"td" | b"th" => self.below(kept, &[b"tr", b"tbody", b"thead", b"tfoot", b"table"]),
            b"table" if self.is_top(kept, &[b"table", b"tbody", b"thead", b"tfoot", b"tr"]) => {
                self.find(kept, &[b"table"], Scope::Table).or(Some(kept))
            }
            _ => None,
        };
        kept = ended.unwrap_or(kept);
        if names::ends_paragraph(name) {
            kept = self.find(kept, &[b"p"], Scope::Button).unwrap_or(kept);
            while self.is_top(kept, &[b"option", b"optgroup", b"select"]) {
                kept -= 1;
            }
        }
        if names::heading_level(name).is_some() && kept > 0 && self.is_heading(kept - 1) {
            kept -= 1;
        }
        match name {
            b"option" | b"hr" if self.is_top(kept, &[b"option"]) => kept - 1,
            b"optgroup" => {
                while self.is_top(kept, &[b"option", b"optgroup"]) {
                    kept -= 1;
                }
                kept
            }
            b"rb" | b"rp" | b"rt" | b"rtc" if self.is_top(kept, &[b"rb", b"rp", b"rt"]) => kept - 1,
            b"input" | b"textarea" | b"select" => self.find(kept, &[b"select"], Scope::Default).unwrap_or(kept),
            b"main" | b"article" => self.find(kept, &[b"nav"], Scope::Default).unwrap_or(kept),
            _ => kept,
        }
    }

    /// What the end tag of `name` ends.
    pub(super) fn end(&self, name: &[u8]) -> End {
        let all = self.elements.len();
        let found = match name {
            b"p" => self.find(all, &[b"p"], Scope::Button),
            b"li" => self.find(all, &[b"li"], Scope::List),
            b"table" | b"caption" | b"tbody" | b"thead" | b"tfoot" | b"tr" | b"td" | b"th" => {
                self.find(all, &[name], Scope::Table)
            }
            b"object" | b"applet" | b"marquee" | b"button" | b"select" | b"noscript" | b"template" | b"svg"
            | b"math" => self.find(all, &[name], Scope::Table),
            _ if names::heading_level(name).is_some() => {
                self.find(all, &[b"h1", b"h2", b"h3", b"h4", b"h5", b"h6"], Scope::Default)
            }
            _ if names::ends_paragraph(name) => self.find(all, &[name], Scope::Default),
            _ if names::is_formatting(name) => {
                return match (self.find(all, &[name], Scope::Special), self.find(all, &[name], Scope::Default)) {
                    (Some(depth), _) => End::To(depth),
                    (None, Some(depth)) => End::Only(depth),
                    (None, None) => End::Nothing,
                };
            }
            _ => self.find(all, &[name], Scope::Special),
        };
        found.map_or(End::Nothing, End::To)
    }

    /// The picture or formula that the tag of `name` is directly in, if the tag can only be HTML.
    pub(super) fn broken_out_of(&self, name: &[u8]) -> Option<usize> {
        if !names::breaks_out_of_foreign(name) {
            return None;
        }
        for depth in (0..self.elements.len()).rev().take(LOOK) {
            match &*self.elements[depth].name {
                b"svg" | b"math" => return Some(depth),
                inner if names::holds_html(inner) => return None,
                _ => {}
            }
        }
        None
    }

    /// The innermost of the elements `wanted` among the first `kept`, not further up than `scope` reaches.
    fn find(&self, kept: usize, wanted: &[&[u8]], scope: Scope) -> Option<usize> {
        for depth in (0..kept).rev().take(LOOK) {
            let element = &self.elements[depth];
            if wanted.contains(&&*element.name) {
                return Some(depth);
            }
            if element.bounds.end(scope) {
                return None;
            }
        }
        None
    }

    /// An open item that the next one of the same list ends.
    fn nearest_in_list(&self, kept: usize, wanted: &[&[u8]]) -> Option<usize> {
        for depth in (0..kept).rev().take(LOOK) {
            let element = &self.elements[depth];
            if wanted.contains(&&*element.name) {
                return Some(depth);
            }
            if element.bounds.end(Scope::Special) && !matches!(&*element.name, b"address" | b"div" | b"p") {
                return None;
            }
        }
        None
    }

    /// The number of elements that stay open if a part of a table begins that belongs into one of `wanted`.
    fn below(&self, kept: usize, wanted: &[&[u8]]) -> Option<usize> {
        self.find(kept, wanted, Scope::Table).map(|depth| depth + 1)
    }

    fn is_top(&self, kept: usize, wanted: &[&[u8]]) -> bool {
        kept > 0 && self.elements.get(kept - 1).is_some_and(|element| wanted.contains(&&*element.name))
    }

    fn is_heading(&self, depth: usize) -> bool {
        self.elements.get(depth).is_some_and(|element| names::heading_level(&element.name).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(names: &str) -> Open<()> {
        let mut open = Open::default();
        for name in names.split(' ') {
            open.push(name.as_bytes(), ());
        }
        open
    }

    #[test]
    fn a_block_ends_the_paragraph_before_it() {
        assert_eq!(open("div p b").kept_at_start(b"div"), 1);
        assert_eq!(open("p button").kept_at_start(b"div"), 2);
        assert_eq!(open("p span").kept_at_start(b"span"), 2);
    }

    #[test]
    fn an_item_ends_the_one_before_it_but_not_the_one_around_its_list() {
        assert_eq!(open("ul li p b").kept_at_start(b"li"), 1);
        assert_eq!(open("ul li ul").kept_at_start(b"li"), 3);
        assert_eq!(open("dl dt").kept_at_start(b"dd"), 1);
    }

    #[test]
    fn rows_and_cells_end_those_of_their_own_table() {
        assert_eq!(open("table tbody tr td p").kept_at_start(b"tr"), 2);
        assert_eq!(open("table tr td table tr td").kept_at_start(b"td"), 5);
        assert_eq!(open("table tr td").kept_at_start(b"table"), 3);
    }

    #[test]
    fn an_end_tag_ends_what_was_left_open_inside() {
        assert_eq!(open("div video i").end(b"div"), End::To(0));
        assert_eq!(open("form button").end(b"form"), End::To(0));
        assert_eq!(open("div object p").end(b"div"), End::Nothing);
        assert_eq!(open("div p").end(b"span"), End::Nothing);
        assert_eq!(open("b p i").end(b"b"), End::Only(0));
    }

    #[test]
    fn html_in_a_picture_ends_the_picture() {
        assert_eq!(open("p svg g").broken_out_of(b"div"), Some(1));
        assert_eq!(open("svg foreignobject").broken_out_of(b"div"), None);
        assert_eq!(open("svg").broken_out_of(b"path"), None);
    }
}
