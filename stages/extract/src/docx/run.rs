//! How letters look, as far as their reading depends on it: hidden, raised, in a symbol font.

use quick_xml::events::BytesStart;

use crate::package::{attribute, is_on};
use crate::words::levels::Level;
use crate::words::symbols::Font;

/// What a style or a run states of its letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Looks {
    /// Whether they are hidden.
    pub(super) hidden: Option<bool>,
    /// Whether they are hidden on the web; such are the page numbers in a table of contents.
    pub(super) web_hidden: Option<bool>,
    /// Where they stand.
    pub(super) script: Option<Level>,
    /// The symbol font, or `Some(None)` for another.
    pub(super) font: Option<Option<Font>>,
    /// The character style.
    pub(super) style: Option<String>,
}

impl Looks {
    /// Reads a property of a run.
    pub(super) fn property(&mut self, name: &str, tag: &BytesStart<'_>) {
        match name {
            "vanish" => self.hidden = Some(is_on(tag)),
            "webHidden" => self.web_hidden = Some(is_on(tag)),
            "vertAlign" => {
                self.script = Some(match attribute(tag, "val").as_deref() {
                    Some("superscript") => Level::Raised,
                    Some("subscript") => Level::Lowered,
                    _ => Level::Line,
                });
            }
            // Raised by hand, by half points; less is only an adjustment.
            "position" if self.script.is_none() => {
                let height = attribute(tag, "val").and_then(|height| height.trim().parse::<i64>().ok()).unwrap_or(0);
                self.script = match height {
                    3.. => Some(Level::Raised),
                    ..=-3 => Some(Level::Lowered),
                    _ => None,
                };
            }
            "rFonts" => {
                let font = attribute(tag, "ascii").or_else(|| attribute(tag, "hAnsi"));
                self.font = font.map(|font| Font::of(&font)).or(self.font);
            }
            "rStyle" => self.style = attribute(tag, "val"),
            _ => {}
        }
    }

    /// What is stated here, else there.
    pub(super) fn or(self, other: &Self) -> Self {
        Self {
            hidden: self.hidden.or(other.hidden),
            web_hidden: self.web_hidden.or(other.web_hidden),
            script: self.script.or(other.script),
            font: self.font.or(other.font),
            style: self.style.or_else(|| other.style.clone()),
        }
    }

    /// Whether the letters are hidden.
    pub(super) fn are_hidden(&self) -> bool {
        self.hidden.unwrap_or(false) || self.web_hidden.unwrap_or(false)
    }
}
