//! Which list items are numbered, and their numbers.

use std::collections::{BTreeMap, BTreeSet};

use quick_xml::events::Event;

use super::xml;
use crate::markdown::Marker;
use crate::reject::Reject;

/// Where a paragraph is in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// The list.
    pub(super) list: u32,
    /// The nesting level, from zero.
    pub(super) level: u32,
}

/// The lists of a document.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    /// Numbered levels, by abstract list.
    counted: BTreeSet<(u32, u32)>,
    /// Abstract list of each list.
    lists: BTreeMap<u32, u32>,
    /// The last number used, by list and level.
    counters: BTreeMap<(u32, u32), u64>,
}

impl Numbering {
    /// Reads `numbering.xml`; without it every item has a bullet.
    ///
    /// # Errors
    /// The XML is not well-formed.
    pub(super) fn read(xml: Option<&str>) -> Result<Self, Reject> {
        let mut numbering = Self::default();
        let Some(xml) = xml else {
            return Ok(numbering);
        };
        let mut reader = xml::reader(xml);
        let (mut definition, mut level, mut list) = (None, None, None);
        loop {
            match xml::next(&mut reader)? {
                Event::Start(tag) => match tag.local_name().as_ref() {
                    "abstractNum" => definition = xml::number(&tag, "abstractNumId"),
                    "lvl" => level = xml::number(&tag, "ilvl"),
                    "numFmt" => {
                        if let (Some(definition), Some(level)) = (definition, level) {
                            let format = xml::attribute(&tag, "val");
                            if !matches!(format.as_deref(), Some("bullet" | "none")) {
                                numbering.counted.insert((definition, level));
                            }
                        }
                    }
                    "num" => {
                        list = xml::number(&tag, "numId");
                        definition = None;
                    }
                    "abstractNumId" => {
                        if let (Some(list), Some(definition)) = (list, xml::number(&tag, "val")) {
                            numbering.lists.insert(list, definition);
                        }
                    }
                    _ => {}
                },
                Event::Eof => return Ok(numbering),
                _ => {}
            }
        }
    }

    /// The marker of the next item at this place.
    pub(super) fn marker(&mut self, place: Place) -> Marker {
        let definition = self.lists.get(&place.list);
        if definition.is_none_or(|definition| !self.counted.contains(&(*definition, place.level))) {
            return Marker::Bullet;
        }
        self.counters.retain(|(list, level), _| *list != place.list || *level <= place.level);
        let number = self.counters.entry((place.list, place.level)).or_insert(0);
        *number += 1;
        Marker::Number(*number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_and_restart_below_a_new_item() {
        let mut numbering = Numbering::read(Some(
            "<w:numbering><w:abstractNum w:abstractNumId='7'><w:lvl w:ilvl='0'><w:numFmt w:val='decimal'/></w:lvl>\
             <w:lvl w:ilvl='1'><w:numFmt w:val='lowerLetter'/></w:lvl><w:lvl w:ilvl='2'><w:numFmt w:val='bullet'/></w:lvl>\
             </w:abstractNum><w:num w:numId='1'><w:abstractNumId w:val='7'/></w:num></w:numbering>",
        ))
        .unwrap();
        let markers = [0, 1, 1, 2, 0, 1].map(|level| numbering.marker(Place { list: 1, level }));
        let number = Marker::Number;
        assert_eq!(markers, [number(1), number(1), number(2), Marker::Bullet, number(2), number(1)]);
        assert_eq!(numbering.marker(Place { list: 9, level: 0 }), Marker::Bullet);
    }
}
