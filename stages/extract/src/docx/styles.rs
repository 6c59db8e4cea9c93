//! The paragraph styles: which are headings, titles or list items.

use std::collections::BTreeMap;

use quick_xml::events::Event;

use super::numbering::Place;
use super::xml;
use crate::reject::Reject;

/// Styles inherit from one another; a longer chain is a loop.
const LONGEST_CHAIN: usize = 16;

#[derive(Debug, Default)]
struct Style {
    name: String,
    outline: Option<u8>,
    place: Option<Place>,
    based_on: Option<String>,
}

/// The styles of a document by their ids.
#[derive(Debug, Default)]
pub(super) struct Styles(BTreeMap<String, Style>);

impl Styles {
    /// Reads `styles.xml`; without it, styles are recognised by their usual ids.
    ///
    /// # Errors
    /// The XML is not well-formed.
    pub(super) fn read(xml: Option<&str>) -> Result<Self, Reject> {
        let mut styles = BTreeMap::new();
        let Some(xml) = xml else {
            return Ok(Self(styles));
        };
        let mut reader = xml::reader(xml);
        let mut current: Option<(String, Style)> = None;
        loop {
            match xml::next(&mut reader)? {
                Event::Start(tag) => match (tag.local_name().as_ref(), &mut current) {
                    ("style", _) => {
                        current = xml::attribute(&tag, "styleId").map(|id| (id, Style::default()));
                    }
                    ("name", Some((_, style))) => {
                        style.name = xml::attribute(&tag, "val").unwrap_or_default().to_lowercase();
                    }
                    ("basedOn", Some((_, style))) => style.based_on = xml::attribute(&tag, "val"),
                    ("outlineLvl", Some((_, style))) => style.outline = outline_level(xml::number(&tag, "val")),
                    ("numId", Some((_, style))) => {
                        style.place.get_or_insert_default().list = xml::number(&tag, "val").unwrap_or(0);
                    }
                    ("ilvl", Some((_, style))) => {
                        style.place.get_or_insert_default().level = xml::number(&tag, "val").unwrap_or(0);
                    }
                    _ => {}
                },
                Event::End(tag) if tag.local_name().as_ref() == "style" => styles.extend(current.take()),
                Event::Eof => return Ok(Self(styles)),
                _ => {}
            }
        }
    }

    /// The heading level of a style, if it is one.
    pub(super) fn heading(&self, id: &str) -> Option<u8> {
        match self.0.contains_key(id) {
            true => self.ancestry(id).find_map(|style| level_of_name(&style.name).or(style.outline)),
            false => level_of_name(&id.to_lowercase()),
        }
    }

    /// The list that a style puts its paragraphs in.
    pub(super) fn place(&self, id: &str) -> Option<Place> {
        self.ancestry(id).find_map(|style| style.place)
    }

    /// The style and those it is based on.
    fn ancestry(&self, id: &str) -> impl Iterator<Item = &Style> {
        let next = |style: &&Style| style.based_on.as_deref().and_then(|id| self.0.get(id));
        std::iter::successors(self.0.get(id), next).take(LONGEST_CHAIN)
    }

    /// Whether a style is the one for the document's title.
    pub(super) fn is_title(&self, id: &str) -> bool {
        self.0.get(id).map_or(id.eq_ignore_ascii_case("title"), |style| style.name == "title")
    }
}

/// The heading level of an outline level, which counts from zero; nine is body text.
pub(super) fn outline_level(value: Option<u32>) -> Option<u8> {
    u8::try_from(value?).ok().filter(|level| *level < 9).map(|level| level + 1)
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

    #[test]
    fn headings_and_lists_are_found_by_name_outline_and_ancestry() {
        let styles = Styles::read(Some(
            "<w:styles><w:style w:styleId='berschrift2'><w:name w:val='heading 2'/></w:style>\
             <w:style w:styleId='Clause'><w:name w:val='Clause'/><w:basedOn w:val='berschrift2'/></w:style>\
             <w:style w:styleId='Part'><w:name w:val='Part'/><w:pPr><w:outlineLvl w:val='3'/></w:pPr></w:style>\
             <w:style w:styleId='Bullets'><w:basedOn w:val='Base'/></w:style>\
             <w:style w:styleId='Base'><w:pPr><w:numPr><w:numId w:val='4'/></w:numPr></w:pPr></w:style>\
             <w:style w:styleId='Loop'><w:name w:val='x'/><w:basedOn w:val='Loop'/></w:style></w:styles>",
        ))
        .unwrap();
        assert_eq!(styles.place("Bullets"), Some(Place { list: 4, level: 0 }));
        let levels = ["berschrift2", "Clause", "Part", "Loop", "Heading1"].map(|id| styles.heading(id));
        assert_eq!(levels, [Some(2), Some(2), Some(4), None, Some(1)]);
    }
}
