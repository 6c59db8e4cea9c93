//! Formulas in MathML, in one line: "x^2" and "a/b".

use super::writer::Writer;
use crate::levels::Level;

/// An open part of a formula.
#[derive(Debug)]
pub(super) struct Part {
    layout: Layout,
    /// The number of parts in it so far.
    parts: u32,
    joint: Joint,
    /// Where its text begins.
    from: usize,
}

impl Part {
    /// Begins the part of a formula that an element is; it may be in another part.
    pub(super) fn begin(name: &[u8], around: Option<&mut Self>, writer: &mut Writer) -> Self {
        let joint = match around {
            Some(around) => {
                around.parts += 1;
                around.layout.joint(around.parts - 1)
            }
            None => Joint::Next,
        };
        match joint {
            Joint::Level(level) => writer.inline.open_level(level),
            Joint::Index => {
                writer.inline.open_level(Level::Raised);
                writer.text("1/");
            }
            Joint::Group(text) | Joint::After(text) => writer.text(text),
            Joint::Next => {}
        }
        let layout = Layout::of(name);
        match layout {
            Layout::Fraction | Layout::Rows => writer.inline.gap(),
            Layout::Root => writer.text("√"),
            Layout::Fenced => writer.text("("),
            _ => {}
        }
        Self { layout, parts: 0, joint, from: writer.inline.len() }
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
        if self.layout == Layout::Root || matches!(self.joint, Joint::Group(_)) {
            let part = writer.inline.take_from(self.from);
            if part.starts_with(' ') {
                writer.inline.gap();
            }
            writer.text(&grouped(&part));
        }
        if self.layout == Layout::Fenced {
            writer.text(")");
        }
        if matches!(self.joint, Joint::Level(_) | Joint::Index) {
            writer.inline.close_level();
        } else if self.layout.is_apart() {
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
    /// It stands at another level.
    Level(Level),
    /// It is the index of a root.
    Index,
    /// It is in parentheses if it has an operator, after this text.
    Group(&'static str),
    /// It follows this text.
    After(&'static str),
}

impl Layout {
    /// The layout of an element.
    fn of(name: &[u8]) -> Self {
        match name {
            b"msup" | b"mover" => Self::Raised,
            b"msub" | b"munder" => Self::Lowered,
            b"msubsup" | b"munderover" => Self::Both,
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
        matches!(self, Self::Raised | Self::Lowered | Self::Both | Self::Fraction)
    }

    /// How the part with this number, from 0, is joined.
    fn joint(self, part: u32) -> Joint {
        match (self, part) {
            (Self::Raised, 1) | (Self::Both, 2) => Joint::Level(Level::Raised),
            (Self::Lowered | Self::Both, 1) => Joint::Level(Level::Lowered),
            (Self::Fraction | Self::Raised | Self::Lowered | Self::Both, 0) => Joint::Group(""),
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

/// A part as it is written if it stands for one thing.
fn grouped(part: &str) -> String {
    let part = part.trim();
    let has_operator = part.chars().skip(1).any(|letter| " +-−–*/=±·×".contains(letter));
    match has_operator && !is_grouped(part) {
        true => format!("({part})"),
        false => part.to_owned(),
    }
}

/// Whether one pair of parentheses is around all of it.
fn is_grouped(part: &str) -> bool {
    let mut open = 0_usize;
    for (at, letter) in part.char_indices() {
        match letter {
            '(' => open += 1,
            ')' => open = open.saturating_sub(1),
            _ => {}
        }
        if open == 0 {
            return at > 0 && at + letter.len_utf8() == part.len();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_with_an_operator_is_in_parentheses() {
        assert_eq!(["a+b", "ab", "−1", " 12 "].map(grouped), ["(a+b)", "ab", "−1", "12"]);
        assert_eq!(["(a+b)", "(a+b)(c+d)", "(a"].map(grouped), ["(a+b)", "((a+b)(c+d))", "(a"]);
    }
}
