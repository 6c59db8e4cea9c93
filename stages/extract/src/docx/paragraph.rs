//! A paragraph being read.

use quick_xml::events::BytesStart;

use super::styles::{Stated, outline_level};
use crate::package::{attribute, number};
use crate::words::levels::Level;
use crate::words::scripted::Scripted;

/// A paragraph being read: its text, and what it states of itself.
#[derive(Debug, Default)]
pub(super) struct Paragraph {
    pub(super) text: Scripted,
    pub(super) style: Option<String>,
    /// The heading level that it states; `Some(None)` for body text.
    pub(super) outline: Option<Option<u8>>,
    pub(super) stated: Stated,
    /// Whether the next paragraph belongs to it: a large initial, or its end has been deleted.
    pub(super) goes_on: bool,
    /// Whether its end is hidden, and it with it if it has no text.
    pub(super) is_hidden: bool,
    /// Whether it ends a section.
    pub(super) ends_section: bool,
    /// The text ends with a formula: what follows must not become a part of its last number.
    pub(super) after_formula: bool,
    /// The charts and diagrams that it shows.
    pub(super) shown: Vec<String>,
}

impl Paragraph {
    /// A paragraph that begins with text of the one before.
    pub(super) fn beginning(text: String) -> Self {
        Self { text: Scripted::beginning(text), ..Self::default() }
    }

    /// Reads a property of the paragraph.
    pub(super) fn property(&mut self, name: &str, tag: &BytesStart<'_>) {
        match name {
            "pStyle" => self.style = attribute(tag, "val"),
            "outlineLvl" => self.outline = Some(outline_level(number(tag, "val"))),
            "framePr" => self.goes_on |= attribute(tag, "dropCap").is_some_and(|kind| kind != "none"),
            _ => self.stated.property(name, tag),
        }
    }

    /// Adds letters.
    pub(super) fn push(&mut self, text: &str, script: Level) {
        if std::mem::take(&mut self.after_formula) && text.starts_with(char::is_alphanumeric) {
            self.text.push(" ", Level::Line);
        }
        self.text.push(text, script);
    }

    /// Adds a formula.
    pub(super) fn push_formula(&mut self, text: &str) {
        let joins = |letter: char| letter.is_ascii_digit();
        if self.text.last().is_some_and(joins) && text.starts_with(joins) {
            self.text.push(" ", Level::Line);
        }
        self.text.push(text, Level::Line);
        self.after_formula = true;
    }

    /// Adds a text apart from what is around it, such as that of a picture.
    pub(super) fn push_apart(&mut self, text: &str) {
        if self.text.last().is_some_and(|last| !last.is_whitespace()) {
            self.text.push(" ", Level::Line);
        }
        self.text.push(text, Level::Line);
        self.text.push(" ", Level::Line);
    }
}
