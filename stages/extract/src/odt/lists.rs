//! The open lists of an open document, and the labels of their items.

use quick_xml::events::BytesStart;

use super::numbers::{self, Counters, Numbers};
use super::styles::Styles;
use crate::package::{attribute, number};

/// More lists are never inside each other.
const DEEPEST: usize = 64;

/// An open list.
#[derive(Debug)]
struct List {
    style: String,
    id: Option<String>,
    /// The numbers of the outermost list, which all lists in it share.
    numbers: Numbers,
}

/// The open lists, the innermost last.
#[derive(Debug, Default)]
pub(super) struct Lists {
    open: Vec<List>,
    counters: Counters,
    /// The number that the open item states, while its label is still to be written.
    item: Option<Option<u64>>,
    headings: Numbers,
}

impl Lists {
    /// How deep an item is, seen from the outermost list.
    pub(super) fn depth(&self) -> usize {
        self.open.len().saturating_sub(1)
    }

    pub(super) fn begin(&mut self, tag: &BytesStart<'_>) {
        let outer = self.open.last();
        let stated = attribute(tag, "style-name").filter(|style| style.len() <= numbers::LONGEST);
        let style = stated.or_else(|| outer.map(|outer| outer.style.clone())).unwrap_or_default();
        let numbers = match outer {
            Some(outer) => outer.numbers,
            None => {
                let goes_on = attribute(tag, "continue-numbering").as_deref() == Some("true");
                self.counters.begin(&style, attribute(tag, "continue-list").as_deref(), goes_on)
            }
        };
        if self.open.len() < DEEPEST {
            self.open.push(List { style, id: attribute(tag, "id"), numbers });
        }
    }

    pub(super) fn end(&mut self) {
        if let Some(list) = self.open.pop() {
            match self.open.last_mut() {
                Some(outer) => outer.numbers = list.numbers,
                None => self.counters.end(&list.style, list.id, list.numbers),
            }
        }
    }

    pub(super) fn begin_item(&mut self, tag: &BytesStart<'_>) {
        self.item = Some(number(tag, "start-value").map(u64::from));
    }

    /// What comes next is not the first paragraph of an item.
    pub(super) fn end_label(&mut self) {
        self.item = None;
    }

    /// The number of a heading; empty if it has none.
    pub(super) fn heading(&mut self, level: usize, styles: &Styles) -> String {
        numbers::next(&mut self.headings, level, None, |level| styles.outline(level))
    }

    /// The label of a paragraph of this style, if it is the first of an item.
    pub(super) fn label(&mut self, style: &str, styles: &Styles) -> Option<String> {
        let stated = self.item.take()?;
        let depth = self.open.len();
        let list = self.open.last_mut()?;
        let name = if list.style.is_empty() { styles.list(style).unwrap_or_default() } else { list.style.as_str() };
        match styles.level(name, depth) {
            Some(level) if !level.is_bullet() => {
                Some(numbers::next(&mut list.numbers, depth, stated, |level| styles.level(name, level)))
            }
            _ => Some("-".to_owned()),
        }
    }
}
