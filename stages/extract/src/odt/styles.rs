//! The styles of an open document, as far as they matter: what is hidden, raised or lowered, and how lists are numbered.

use std::collections::BTreeMap;

use quick_xml::events::{BytesStart, Event};

use super::numbers;
use crate::package::{Xml, attribute, number};
use crate::reject::Reject;
use crate::words::levels::Level;

/// Styles inherit from one another; a longer chain is a loop.
const LONGEST_CHAIN: usize = 16;

/// What a style states.
#[derive(Debug, Clone, Default)]
struct Style {
    parent: Option<String>,
    display_name: String,
    hidden: Option<bool>,
    script: Option<Level>,
    list: Option<String>,
}

/// The styles, by their names.
#[derive(Debug, Default)]
pub(super) struct Styles {
    styles: BTreeMap<String, Style>,
    /// The levels of each list style, from one.
    lists: BTreeMap<String, BTreeMap<usize, numbers::Level>>,
    /// The levels of headings.
    outline: BTreeMap<usize, numbers::Level>,
}

/// The list style that stands for the numbers of headings.
const OUTLINE: &str = "\u{0}";

impl Styles {
    /// Adds the styles of a part.
    ///
    /// # Errors
    /// The XML is not well-formed.
    pub(super) fn read(&mut self, mut xml: Xml<'_>) -> Result<(), Reject> {
        let mut current: Option<(String, Style)> = None;
        let mut list: Option<String> = None;
        while let Some(event) = xml.next()? {
            match event {
                Event::Start(tag) => match tag.local_name().as_ref() {
                    // Styles come before the text.
                    "body" | "master-styles" => return Ok(()),
                    "style" => {
                        let name = attribute(&tag, "name").unwrap_or_default();
                        let display_name =
                            attribute(&tag, "display-name").unwrap_or_else(|| name.clone()).to_lowercase();
                        let style = Style {
                            parent: attribute(&tag, "parent-style-name"),
                            display_name,
                            list: attribute(&tag, "list-style-name").filter(|list| !list.is_empty()),
                            ..Style::default()
                        };
                        current = Some((name, style));
                    }
                    "text-properties" => {
                        if let Some((_, style)) = &mut current {
                            style.property(&tag);
                        }
                    }
                    "table-properties" => {
                        if let Some((_, style)) =
                            current.as_mut().filter(|_| attribute(&tag, "display").as_deref() == Some("false"))
                        {
                            style.hidden = Some(true);
                        }
                    }
                    "list-style" => list = attribute(&tag, "name"),
                    "outline-style" => list = Some(OUTLINE.to_owned()),
                    "list-level-style-number"
                    | "list-level-style-bullet"
                    | "list-level-style-image"
                    | "outline-level-style" => {
                        let level = number(&tag, "level").and_then(|level| usize::try_from(level).ok());
                        if let (Some(list), Some(level)) = (&list, level) {
                            let levels = match list.as_str() {
                                OUTLINE => &mut self.outline,
                                _ => self.lists.entry(list.clone()).or_default(),
                            };
                            levels.insert(level, numbers::Level::of(&tag));
                        }
                    }
                    _ => {}
                },
                Event::End(tag) => match tag.local_name().as_ref() {
                    "style" => self.styles.extend(current.take()),
                    "list-style" | "outline-style" => list = None,
                    _ => {}
                },
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether text of a style is hidden.
    pub(super) fn is_hidden(&self, name: &str) -> bool {
        self.ancestry(name).find_map(|style| style.hidden).unwrap_or(false)
    }

    /// Where the letters of a style stand.
    pub(super) fn script(&self, name: &str) -> Option<Level> {
        self.ancestry(name).find_map(|style| style.script)
    }

    /// The list style of a paragraph style.
    pub(super) fn list(&self, name: &str) -> Option<&str> {
        self.ancestry(name).find_map(|style| style.list.as_deref())
    }

    /// Whether a paragraph style is one for lines of a program.
    pub(super) fn is_code(&self, name: &str) -> bool {
        self.ancestry(name).any(|style| {
            matches!(style.display_name.as_str(), "preformatted text" | "preformatted_20_text" | "source code" | "code")
        })
    }

    /// Whether a paragraph style is the one for the document's title.
    pub(super) fn is_title(&self, name: &str) -> bool {
        name == "Title" || self.ancestry(name).any(|style| style.display_name == "title")
    }

    /// How a level of a list style is numbered.
    pub(super) fn level(&self, list: &str, level: usize) -> Option<&numbers::Level> {
        self.lists.get(list)?.get(&level)
    }

    /// How a level of headings is numbered.
    pub(super) fn outline(&self, level: usize) -> Option<&numbers::Level> {
        self.outline.get(&level)
    }

    fn ancestry(&self, name: &str) -> impl Iterator<Item = &Style> {
        let next = |style: &&Style| style.parent.as_deref().and_then(|name| self.styles.get(name));
        std::iter::successors(self.styles.get(name), next).take(LONGEST_CHAIN)
    }
}

impl Style {
    fn property(&mut self, tag: &BytesStart<'_>) {
        if let Some(display) = attribute(tag, "display") {
            self.hidden = Some(display == "none");
        }
        // "super 58%", "-33% 58%".
        if let Some(position) = attribute(tag, "text-position") {
            self.script = Some(match position.split_whitespace().next().unwrap_or_default() {
                "super" => Level::Raised,
                "sub" => Level::Lowered,
                height if height.starts_with('-') => Level::Lowered,
                height if height.trim_end_matches('%').parse::<f64>().is_ok_and(|height| height > 0.0) => Level::Raised,
                _ => Level::Line,
            });
        }
    }
}

/// Whether a part has an element of this name.
///
/// # Errors
/// The XML is not well-formed.
pub(super) fn has_element(mut xml: Xml<'_>, name: &str) -> Result<bool, Reject> {
    while let Some(event) = xml.next()? {
        if let Event::Start(tag) = event
            && tag.local_name().as_ref() == name
        {
            return Ok(true);
        }
    }
    Ok(false)
}
