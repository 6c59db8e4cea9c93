//! Formulas in MathML, in one line: "x^2" and "a/b".

use crate::levels::Level;

/// How the parts of a formula are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
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
    /// Text with its spaces.
    Text,
    /// Rows of a table.
    Rows,
    /// Cells of a row.
    Cells,
}

/// What comes before a part, and how it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    /// Nothing.
    Next,
    /// It stands at another level.
    Level(Level),
    /// It is in parentheses if it has an operator, after this text.
    Group(&'static str),
    /// It follows this text.
    After(&'static str),
}

impl Layout {
    /// The layout of an element.
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            b"msup" | b"mover" => Self::Raised,
            b"msub" | b"munder" => Self::Lowered,
            b"msubsup" | b"munderover" => Self::Both,
            b"mfrac" => Self::Fraction,
            b"msqrt" => Self::Root,
            b"mroot" => Self::RootOf,
            b"mtext" | b"ms" => Self::Text,
            b"mtable" => Self::Rows,
            b"mtr" => Self::Cells,
            _ => Self::Row,
        }
    }

    /// Whether the next letter is another factor.
    pub(super) fn is_apart(self) -> bool {
        matches!(self, Self::Raised | Self::Lowered | Self::Both | Self::Fraction)
    }

    /// How the part with this number, from 0, is joined.
    pub(super) fn joint(self, part: u32) -> Joint {
        match (self, part) {
            (Self::Raised, 1) | (Self::Both, 2) | (Self::RootOf, 1) => Joint::Level(Level::Raised),
            (Self::Lowered | Self::Both, 1) => Joint::Level(Level::Lowered),
            (Self::Fraction, 0) => Joint::Group(""),
            (Self::Fraction, 1) => Joint::Group("/"),
            (Self::RootOf, 0) => Joint::Group("√"),
            (Self::Rows, 1..) => Joint::After("; "),
            (Self::Cells, 1..) => Joint::After(" "),
            _ => Joint::Next,
        }
    }
}

/// A part as it is written if it stands for one thing.
pub(super) fn grouped(part: &str) -> String {
    let has_operator = part.trim().chars().skip(1).any(|letter| " +-−–*/=±·×".contains(letter));
    match has_operator {
        true => format!("({})", part.trim()),
        false => part.trim().to_owned(),
    }
}
