//! The charts and diagrams that the text shows, each of them once.

use std::collections::BTreeSet;

use quick_xml::events::BytesStart;

use crate::block::Block;
use crate::package::{Package, Relations, attribute};
use crate::reject::Reject;
use crate::shapes;

/// The parts that the part being read refers to, and those that have been read.
pub(super) struct Shown<'p, 'a> {
    pub(super) package: &'p Package<'a>,
    pub(super) relations: Relations,
    /// Those that are shown, or that were shown in deleted text.
    done: BTreeSet<String>,
}

impl<'p, 'a> Shown<'p, 'a> {
    pub(super) fn new(package: &'p Package<'a>) -> Self {
        Self { package, relations: Relations::default(), done: BTreeSet::new() }
    }

    /// The part that an element shows, if it is a chart or a diagram.
    pub(super) fn part(&self, name: &str, tag: &BytesStart<'_>) -> Option<String> {
        let id = match name {
            "chart" => attribute(tag, "id"),
            "relIds" => attribute(tag, "dm"),
            _ => None,
        };
        self.relations.target(&id?).map(str::to_owned)
    }

    /// A part is shown in text that is left out.
    pub(super) fn leave_out(&mut self, part: Option<String>) {
        self.done.extend(part);
    }

    /// The text of parts that have not been read before.
    ///
    /// # Errors
    /// There is too much of it.
    pub(super) fn read(&mut self, parts: &[String]) -> Result<Vec<Block>, Reject> {
        let mut blocks = Vec::new();
        for part in parts {
            if self.done.insert(part.clone()) {
                blocks.extend(shapes::read(self.package, &self.relations, part)?);
            }
        }
        Ok(blocks)
    }

    /// The text of all parts that the text has not referred to.
    ///
    /// # Errors
    /// There is too much of it.
    pub(super) fn rest(&mut self) -> Result<Vec<Block>, Reject> {
        self.read(&shapes::all(&self.relations))
    }
}
