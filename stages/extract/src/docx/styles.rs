//! The styles: which are headings, titles, list items or programs, and which hide or raise their text.

use std::collections::BTreeMap;

use quick_xml::events::{BytesStart, Event};

use super::counters::Place;
use super::numbering::{LEVELS, Numbering};
use super::run::Looks;
use crate::package::{Xml, attribute, number};
use crate::reject::Reject;

/// Styles inherit from one another; a longer chain is a loop.
const LONGEST_CHAIN: usize = 16;

/// Word's own ids are much shorter.
const LONGEST_ID: usize = 255;

/// A list and a level of it, as far as they are stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stated {
    /// The list; zero for none.
    pub(super) list: Option<u32>,
    /// The level, from zero.
    pub(super) level: Option<usize>,
}

impl Stated {
    /// Reads a property of a paragraph, if it is about lists.
    pub(super) fn property(&mut self, name: &str, tag: &BytesStart<'_>) {
        match name {
            "numId" => self.list = Some(number(tag, "val").unwrap_or(0)),
            "ilvl" => {
                self.level =
                    number(tag, "val").and_then(|level| usize::try_from(level).ok()).map(|level| level.min(LEVELS - 1))
            }
            _ => {}
        }
    }
}

#[derive(Debug, Default)]
struct Style {
    id: String,
    /// The heading level that its name says.
    named_level: Option<u8>,
    is_title: bool,
    is_code: bool,
    /// The heading level; `Some(None)` for body text.
    outline: Option<Option<u8>>,
    stated: Stated,
    based_on: Option<String>,
    looks: Looks,
}

/// The styles of a document by their ids.
#[derive(Debug, Default)]
pub(super) struct Styles {
    styles: BTreeMap<String, Style>,
    /// The style of paragraphs that name none.
    default: String,
}

impl Styles {
    /// Reads the styles part; without it, styles are recognised by their usual ids.
    ///
    /// # Errors
    /// The XML is not well-formed.
    pub(super) fn read(xml: Option<Xml<'_>>) -> Result<Self, Reject> {
        let mut styles = Self::default();
        let Some(mut xml) = xml else {
            return Ok(styles);
        };
        let mut current: Option<Style> = None;
        // Conditional formats of a table style are not those of its text.
        let mut in_condition = false;
        while let Some(event) = xml.next()? {
            match event {
                Event::Start(tag) => match (tag.local_name().as_ref(), &mut current) {
                    ("style", _) => {
                        let id = attribute(&tag, "styleId").filter(|id| id.len() <= LONGEST_ID).unwrap_or_default();
                        let is_default = matches!(attribute(&tag, "default").as_deref(), Some("1" | "true" | "on"));
                        if is_default && attribute(&tag, "type").as_deref() == Some("paragraph") {
                            styles.default.clone_from(&id);
                        }
                        current = Some(Style { id, ..Style::default() });
                    }
                    ("tblStylePr", _) => in_condition = true,
                    (name, Some(style)) if !in_condition => style.property(name, &tag),
                    _ => {}
                },
                Event::End(tag) => match tag.local_name().as_ref() {
                    "style" => styles.styles.extend(current.take().map(|style| (style.id.clone(), style))),
                    "tblStylePr" => in_condition = false,
                    _ => {}
                },
                _ => {}
            }
        }
        Ok(styles)
    }

    /// The style of a paragraph that names this one, or none.
    pub(super) fn of_paragraph<'s>(&'s self, named: Option<&'s str>) -> &'s str {
        named.unwrap_or(&self.default)
    }

    /// The heading level of a style, if it is one.
    pub(super) fn heading(&self, id: &str) -> Option<u8> {
        if !self.styles.contains_key(id) {
            return level_of_name(&id.to_lowercase());
        }
        self.ancestry(id).find_map(|style| style.outline.or_else(|| style.named_level.map(Some))).flatten()
    }

    /// The place in a list of a paragraph of this style, where the paragraph itself states this much.
    pub(super) fn place(&self, id: &str, stated: Stated, numbering: &Numbering) -> Option<Place> {
        let inherited = || self.ancestry(id).find_map(|style| style.stated.list.map(|list| (list, style.id.as_str())));
        let (list, by_style) = match stated.list {
            Some(list) => (list, None),
            None => inherited().map(|(list, style)| (list, Some(style)))?,
        };
        let linked =
            || by_style.and_then(|_| self.ancestry(id).find_map(|style| numbering.level_of_style(list, &style.id)));
        let of_style = || self.ancestry(id).find_map(|style| style.stated.level);
        let level = stated.level.or_else(linked).or_else(of_style).unwrap_or(0);
        (list > 0).then_some(Place { list, level })
    }

    /// How text of a style looks, as far as it states it.
    pub(super) fn looks(&self, id: &str) -> Looks {
        self.ancestry(id).fold(Looks::default(), |looks, style| looks.or(&style.looks))
    }

    /// The style and those it is based on.
    fn ancestry(&self, id: &str) -> impl Iterator<Item = &Style> {
        let next = |style: &&Style| style.based_on.as_deref().and_then(|id| self.styles.get(id));
        std::iter::successors(self.styles.get(id), next).take(LONGEST_CHAIN)
    }

    /// Whether a style is the one for the document's title.
    pub(super) fn is_title(&self, id: &str) -> bool {
        self.styles.get(id).map_or(id.eq_ignore_ascii_case("title"), |style| style.is_title)
    }

    /// Whether a style is one for lines of a program.
    pub(super) fn is_code(&self, id: &str) -> bool {
        match self.styles.get(id) {
            Some(_) => self.ancestry(id).any(|style| style.is_code),
            None => is_code(&id.to_lowercase()),
        }
    }
}

impl Style {
    fn property(&mut self, name: &str, tag: &BytesStart<'_>) {
        match name {
            "name" => {
                let name = attribute(tag, "val").unwrap_or_default().to_lowercase();
                self.named_level = level_of_name(&name);
                self.is_title = name == "title";
                self.is_code = is_code(&name);
            }
            "basedOn" => self.based_on = attribute(tag, "val"),
            "outlineLvl" => self.outline = Some(outline_level(number(tag, "val"))),
            _ => {
                self.stated.property(name, tag);
                self.looks.property(name, tag);
            }
        }
    }
}

/// The heading level of an outline level, which counts from zero; nine is body text.
pub(super) fn outline_level(value: Option<u32>) -> Option<u8> {
    u8::try_from(value?).ok().filter(|level| *level < 9).map(|level| level + 1)
}

/// Whether a name is that of a style for lines of a program.
fn is_code(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "code",
        "sourcecode",
        "codeblock",
        "htmlpreformatted",
        "preformatted",
        "verbatim",
        "quellcode",
        "programlisting",
        "macro",
    ];
    name.split(|letter: char| !letter.is_alphanumeric()).any(|word| WORDS.contains(&word))
}

fn level_of_name(name: &str) -> Option<u8> {
    match name.strip_prefix("heading") {
        Some(number) => number.trim().parse().ok().filter(|level| (1..=9).contains(level)),
        None => (name == "title").then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::sample as xml;

    fn styles(definitions: &str) -> Styles {
        Styles::read(Some(xml(&format!("<w:styles>{definitions}</w:styles>")))).unwrap()
    }

    #[test]
    fn headings_and_lists_are_found_by_name_outline_and_ancestry() {
        let styles = styles(
            "<w:style w:styleId='berschrift2'><w:name w:val='heading 2'/></w:style>\
             <w:style w:styleId='Clause'><w:name w:val='Clause'/><w:basedOn w:val='berschrift2'/></w:style>\
             <w:style w:styleId='Part'><w:name w:val='Part'/><w:pPr><w:outlineLvl w:val='3'/></w:pPr></w:style>\
             <w:style w:styleId='Body'><w:basedOn w:val='Part'/><w:pPr><w:outlineLvl w:val='9'/></w:pPr></w:style>\
             <w:style w:styleId='Bullets'><w:basedOn w:val='Base'/></w:style>\
             <w:style w:styleId='Base'><w:pPr><w:numPr><w:numId w:val='4'/></w:numPr></w:pPr></w:style>\
             <w:style w:styleId='Loop'><w:name w:val='x'/><w:basedOn w:val='Loop'/></w:style>",
        );
        let numbering = Numbering::default();
        let place = |id: &str, list, level| styles.place(id, Stated { list, level }, &numbering);
        assert_eq!(place("Bullets", None, None), Some(Place { list: 4, level: 0 }));
        assert_eq!(place("Bullets", None, Some(2)), Some(Place { list: 4, level: 2 }));
        assert_eq!(place("Bullets", Some(0), None), None);
        assert_eq!(place("Part", Some(7), None), Some(Place { list: 7, level: 0 }));
        let levels = ["berschrift2", "Clause", "Part", "Body", "Loop", "Heading1"].map(|id| styles.heading(id));
        assert_eq!(levels, [Some(2), Some(2), Some(4), None, None, Some(1)]);
    }

    #[test]
    fn styles_of_programs_are_known_by_a_word_of_their_names() {
        let styles = styles(
            "<w:style w:styleId='a'><w:name w:val='HTML Preformatted'/></w:style>\
             <w:style w:styleId='b'><w:name w:val='Listing'/><w:basedOn w:val='a'/></w:style>\
             <w:style w:styleId='c'><w:name w:val='Postcode'/></w:style>",
        );
        assert_eq!(
            ["a", "b", "c", "SourceCode", "Normal"].map(|id| styles.is_code(id)),
            [true, true, false, true, false]
        );
    }
}
