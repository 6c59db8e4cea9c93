//! Formulas in MathML, in one line as those of office files: "x^2" and "a/b".

use super::writer::Writer;
use crate::words::math::group;

/// An open part of a formula.
#[derive(Debug)]
pub(super) struct Part {
    layout: Layout,
    /// The number of parts in it so far.
    parts: u32,
    joint: Joint,
    /// Where its text begins.
    from: usize,
    /// A base whose scripts before it are being read.
    base: Option<String>,
}

impl Part {
    /// Begins the part of a formula that an element is; it may be in another part.
    pub(super) fn begin(name: &[u8], around: Option<&mut Self>, writer: &mut Writer) -> Self {
        let joint = match around {
            Some(around) if name == b"mprescripts" && around.layout == Layout::Scripts => {
                around.base = Some(writer.inline.take_from(around.from));
                around.parts = 1;
                Joint::Next
            }
            Some(around) => {
                around.parts += 1;
                around.layout.joint(around.parts - 1)
            }
            None => Joint::Next,
        };
        if let Joint::Group(text) | Joint::After(text) = joint {
            writer.text(text);
        }
        let layout = Layout::of(name);
        match layout {
            Layout::Fraction | Layout::Rows => writer.inline.gap(),
            Layout::Root => writer.text("√"),
            Layout::Fenced => writer.text("("),
            _ => {}
        }
        Self { layout, parts: 0, joint, from: writer.inline.len(), base: None }
    }

    /// Adds text. Space between the parts of a formula only serves its source.
    pub(super) fn text(&self, text: &str, writer: &mut Writer) {
        match self.layout {
            Layout::Text => writer.text(text),
            _ => writer.text(text.trim()),
        }
    }

    /// Ends the part.
    pub(super) fn end(&self, writer: &mut Writer) {
        if let Some(base) = &self.base {
            writer.text(base.trim());
        }
        if self.layout == Layout::Fenced {
            writer.text(")");
        }
        let mark = match self.joint {
            Joint::Script(mark) => mark,
            Joint::Index => "^(1/",
            _ => "",
        };
        if self.layout == Layout::Root || self.joint.is_one_thing() {
            let part = writer.inline.take_from(self.from);
            if part.starts_with(' ') && mark.is_empty() {
                writer.inline.gap();
            }
            if !part.trim().is_empty() {
                writer.text(mark);
                writer.text(&group(part.trim()));
                writer.text(if self.joint == Joint::Index { ")" } else { "" });
            }
        }
        if mark.is_empty() && self.layout.is_apart() {
            writer.inline.gap();
        }
    }
}

/// How the parts of a formula are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// One after the other.
    Row,
    /// A base and what is raised.
    Raised,
    /// A base and what is lowered.
    Lowered,
    /// A base, what is lowered and what is raised.
    Both,
    /// A base, and what is lowered and raised behind it and before it.
    Scripts,
    /// A numerator and a denominator.
    Fraction,
    /// What the root is taken of.
    Root,
    /// What the root is taken of, and which root.
    RootOf,
    /// Parts in parentheses.
    Fenced,
    /// Text with its spaces.
    Text,
    /// Rows of a table.
    Rows,
    /// Cells of a row.
    Cells,
}

/// What comes before a part, and how it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    /// Nothing.
    Next,
    /// It is raised or lowered, which this mark says.
    Script(&'static str),
    /// It is the index of a root.
    Index,
    /// It is in parentheses if it has an operator, after this text.
    Group(&'static str),
    /// It follows this text.
    After(&'static str),
}

impl Joint {
    /// Whether the part is in parentheses if it is more than a number or a name.
    fn is_one_thing(self) -> bool {
        matches!(self, Self::Group(_) | Self::Script(_) | Self::Index)
    }
}

impl Layout {
    /// The layout of an element.
    fn of(name: &[u8]) -> Self {
        match name {
            b"msup" | b"mover" => Self::Raised,
            b"msub" | b"munder" => Self::Lowered,
            b"msubsup" | b"munderover" => Self::Both,
            b"mmultiscripts" => Self::Scripts,
            b"mfrac" => Self::Fraction,
            b"msqrt" => Self::Root,
            b"mroot" => Self::RootOf,
            b"mfenced" => Self::Fenced,
            b"mtext" | b"ms" => Self::Text,
            b"mtable" => Self::Rows,
            b"mtr" => Self::Cells,
            _ => Self::Row,
        }
    }

    /// Whether the next letter is another factor.
    fn is_apart(self) -> bool {
        matches!(self, Self::Raised | Self::Lowered | Self::Both | Self::Scripts | Self::Fraction)
    }

    /// How the part with this number, from 0, is joined.
    fn joint(self, part: u32) -> Joint {
        match (self, part) {
            (Self::Raised, 1) | (Self::Both, 2) => Joint::Script("^"),
            (Self::Lowered | Self::Both, 1) => Joint::Script("_"),
            (Self::Scripts, 1..) => Joint::Script(if part % 2 == 1 { "_" } else { "^" }),
            (Self::Fraction | Self::Raised | Self::Lowered | Self::Both | Self::Scripts, 0) => Joint::Group(""),
            (Self::Fraction, 1) => Joint::Group("/"),
            (Self::RootOf, 0) => Joint::Group(""),
            (Self::RootOf, 1) => Joint::Index,
            (Self::Fenced, 1..) => Joint::After(","),
            (Self::Rows, 1..) => Joint::After("; "),
            (Self::Cells, 1..) => Joint::After(" "),
            _ => Joint::Next,
        }
    }
}
