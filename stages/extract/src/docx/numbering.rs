//! The lists of a document: how each of their levels is numbered.

use std::collections::BTreeMap;

use quick_xml::events::{BytesStart, Event};

use crate::package::{Xml, attribute, is_on, number};
use crate::reject::Reject;

/// Levels of a list, counted from zero.
pub(super) const LEVELS: usize = 9;

/// What stands around the numbers of a level is no longer than this.
const LONGEST_TEXT: usize = 255;

/// How a level of a list is numbered.
#[derive(Debug, Clone, Default)]
pub(super) struct Level {
    /// The first number.
    pub(super) start: Option<u64>,
    /// The name of the format of numbers.
    pub(super) format: String,
    /// Three or more digits, with zeros before.
    pub(super) width: usize,
    /// What is written, with "%1" for the number of level one.
    pub(super) text: Option<String>,
    /// The level, from one, whose items restart this one; zero for none.
    pub(super) restart: Option<usize>,
    /// Whether the numbers of all levels are written in decimal digits.
    pub(super) is_legal: bool,
    /// The paragraph style that is linked with this level.
    style: Option<String>,
}

/// Definitions that lists refer to.
#[derive(Debug, Default)]
struct Definition {
    levels: BTreeMap<usize, Level>,
    /// The numbering style whose definition is used in place of this one.
    borrowed: Option<String>,
    /// The numbering style that this is the definition of.
    style: Option<String>,
}

/// A list.
#[derive(Debug, Default)]
struct List {
    definition: u32,
    starts: BTreeMap<usize, u64>,
    levels: BTreeMap<usize, Level>,
}

/// The lists of a document.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    definitions: BTreeMap<u32, Definition>,
    lists: BTreeMap<u32, List>,
    /// Definitions by their numbering styles.
    styled: BTreeMap<String, u32>,
}

impl Numbering {
    /// Reads the numbering part; without it every item has a bullet.
    ///
    /// # Errors
    /// The XML is not well-formed.
    pub(super) fn read(xml: Option<Xml<'_>>) -> Result<Self, Reject> {
        let mut numbering = Self::default();
        let Some(mut xml) = xml else {
            return Ok(numbering);
        };
        let mut reading = Reading::default();
        while let Some(event) = xml.next()? {
            match event {
                Event::Start(tag) => reading.start(&tag),
                Event::End(tag) => match tag.local_name().as_ref() {
                    "lvl" => reading.end_level(),
                    "abstractNum" => {
                        if let Some((id, definition)) = reading.definition.take() {
                            if let Some(style) = &definition.style {
                                numbering.styled.insert(style.clone(), id);
                            }
                            numbering.definitions.insert(id, definition);
                        }
                    }
                    "num" => numbering.lists.extend(reading.list.take()),
                    "Fallback" => reading.in_fallback = false,
                    _ => {}
                },
                _ => {}
            }
        }
        Ok(numbering)
    }

    /// The definition that a list uses: lists of the same definition continue each other.
    pub(super) fn definition(&self, list: u32) -> Option<u32> {
        let id = self.lists.get(&list)?.definition;
        let borrowed = self.definitions.get(&id).and_then(|definition| definition.borrowed.as_ref());
        match borrowed.and_then(|style| self.styled.get(style)) {
            Some(lender) => Some(*lender),
            None => Some(id),
        }
    }

    /// How a level of a list is numbered.
    pub(super) fn level(&self, list: u32, level: usize) -> Option<&Level> {
        if let Some(overriding) = self.lists.get(&list).and_then(|list| list.levels.get(&level)) {
            return Some(overriding);
        }
        self.definitions.get(&self.definition(list)?)?.levels.get(&level)
    }

    /// The number that a list, unlike its definition, starts a level with.
    pub(super) fn start(&self, list: u32, level: usize) -> Option<u64> {
        self.lists.get(&list)?.starts.get(&level).copied()
    }

    /// The level of a list that a paragraph style is linked with.
    pub(super) fn level_of_style(&self, list: u32, style: &str) -> Option<usize> {
        let definition = self.definitions.get(&self.definition(list)?)?;
        definition.levels.iter().find(|(_, level)| level.style.as_deref() == Some(style)).map(|(place, _)| *place)
    }
}

/// The definitions and lists that are open while the part is read.
#[derive(Debug, Default)]
struct Reading {
    definition: Option<(u32, Definition)>,
    list: Option<(u32, List)>,
    /// The level that an override in a list is about.
    overridden: Option<usize>,
    level: Option<(usize, Level)>,
    in_fallback: bool,
}

impl Reading {
    fn start(&mut self, tag: &BytesStart<'_>) {
        let value = || attribute(tag, "val");
        let place = |name: &str| {
            number(tag, name).and_then(|place| usize::try_from(place).ok()).filter(|place| *place < LEVELS)
        };
        match tag.local_name().as_ref() {
            "Fallback" => self.in_fallback = true,
            "abstractNum" => self.definition = number(tag, "abstractNumId").map(|id| (id, Definition::default())),
            "num" => self.list = number(tag, "numId").map(|id| (id, List::default())),
            "abstractNumId" => {
                if let Some((_, list)) = &mut self.list {
                    list.definition = number(tag, "val").unwrap_or_default();
                }
            }
            "numStyleLink" => {
                if let Some((_, definition)) = &mut self.definition {
                    definition.borrowed = value();
                }
            }
            "styleLink" => {
                if let Some((_, definition)) = &mut self.definition {
                    definition.style = value();
                }
            }
            "lvlOverride" => self.overridden = place("ilvl"),
            "startOverride" => {
                if let (Some((_, list)), Some(level)) = (&mut self.list, self.overridden) {
                    list.starts.insert(level, number(tag, "val").unwrap_or(1).into());
                }
            }
            "lvl" => {
                self.level = place("ilvl").map(|place| (place, Level { format: "decimal".into(), ..Level::default() }))
            }
            name => {
                if let Some((_, level)) = self.level.as_mut().filter(|_| !self.in_fallback) {
                    level.property(name, tag);
                }
            }
        }
    }

    fn end_level(&mut self) {
        let Some((place, level)) = self.level.take() else {
            return;
        };
        match (&mut self.definition, &mut self.list) {
            (Some((_, definition)), _) => definition.levels.insert(place, level),
            (None, Some((_, list))) => list.levels.insert(place, level),
            (None, None) => None,
        };
    }
}

impl Level {
    fn property(&mut self, name: &str, tag: &BytesStart<'_>) {
        let value = || attribute(tag, "val").unwrap_or_default();
        match name {
            "start" => self.start = number(tag, "val").map(u64::from),
            "numFmt" => {
                self.format = value();
                // "001, 002, 003, ...": as many digits as the first number has.
                if let Some(first) = attribute(tag, "format").as_deref().and_then(|format| format.split(',').next()) {
                    self.width = first.trim().chars().take_while(char::is_ascii_digit).count().min(9);
                    self.format = "decimal".into();
                }
            }
            "lvlText" => self.text = attribute(tag, "val").filter(|text| text.len() <= LONGEST_TEXT),
            "lvlRestart" => self.restart = number(tag, "val").and_then(|level| usize::try_from(level).ok()),
            "isLgl" => self.is_legal = is_on(tag),
            "pStyle" => self.style = attribute(tag, "val"),
            _ => {}
        }
    }
}
