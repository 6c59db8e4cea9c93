//! What the control words before a letter say of it.

use crate::words::levels::Level;

use super::destination::Destination;

/// The state of a group; it ends with the group.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) destination: Destination,
    pub(super) script: Level,
    pub(super) is_hidden: bool,
    pub(super) is_deleted: bool,
    pub(super) font: i32,
    /// How many letters stand for a Unicode letter in programs that do not know it.
    pub(super) stand_ins: usize,
    /// Whether the group may be ignored by a program that does not know it.
    pub(super) is_optional: bool,
    /// The style, in the table of styles.
    pub(super) style: i32,
    /// Whether this group began its destination.
    pub(super) begins: bool,
}

/// What the control words of a paragraph say of it; it lasts until the next `\pard`.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub(super) style: i32,
    /// The heading level that it states.
    pub(super) outline: Option<u8>,
    pub(super) in_table: bool,
    /// How deep it is in lists.
    pub(super) level: usize,
}

/// A style.
#[derive(Debug, Clone, Default)]
pub(super) struct Style {
    pub(super) name: String,
    pub(super) outline: Option<u8>,
}

impl Style {
    /// The heading level.
    pub(super) fn heading(&self) -> Option<u8> {
        let name = self.name.get(..100).unwrap_or(&self.name).trim().trim_end_matches(';').trim().to_lowercase();
        let by_name = match name.strip_prefix("heading") {
            Some(number) => number.trim().parse().ok().filter(|level| (1..=9).contains(level)),
            None => (name == "title").then_some(1),
        };
        by_name.or(self.outline)
    }
}
