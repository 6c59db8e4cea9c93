//! The blocks that office documents consist of, on their way to Markdown: main text is written at once, that of cells waits.

use crate::markdown::Markdown;

/// A block of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Block {
    /// A heading, with its number, and its level from one.
    Heading(u8, String),
    /// A paragraph.
    Paragraph(String),
    /// An item of a list.
    Item {
        /// How many lists deep it is in the outermost one.
        depth: usize,
        /// "-", or its number as it is written out.
        label: String,
        /// Its text.
        text: String,
    },
    /// Lines of a program.
    Code(String),
    /// A table, the first row of which is the header.
    Table(Vec<Vec<String>>),
}

impl Block {
    /// Writes the block.
    pub(crate) fn write(&self, markdown: &mut Markdown) {
        match self {
            Self::Heading(level, text) => markdown.heading(*level, text),
            Self::Paragraph(text) => markdown.paragraph(text),
            Self::Item { depth, label, text } => markdown.item(*depth, label, text),
            Self::Code(text) => markdown.code(text),
            Self::Table(rows) => markdown.table(rows),
        }
    }

    /// The block as plain lines, which is all that a cell or a note can have.
    pub(crate) fn lines(&self) -> String {
        match self {
            Self::Heading(_, text) | Self::Paragraph(text) | Self::Code(text) => text.clone(),
            Self::Item { label, text, .. } => format!("{label} {text}"),
            Self::Table(rows) => rows.iter().map(|row| row.join(" ")).collect::<Vec<_>>().join("\n"),
        }
    }

    /// The length of its text, in bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Heading(_, text) | Self::Paragraph(text) | Self::Code(text) | Self::Item { text, .. } => text.len(),
            Self::Table(rows) => rows.iter().flatten().map(String::len).sum(),
        }
    }
}
