//! A block of text, as it is written in Markdown.

use crate::markdown::{self, Markdown};

/// A block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// A paragraph, which may have line breaks.
    Paragraph(String),
    /// A heading and its level.
    Heading(u8, String),
    /// The first paragraph of a list item, `depth` lists deep in the outermost one.
    Item {
        /// The number of lists around its list.
        depth: usize,
        /// Its bullet or number.
        label: String,
        /// Its text.
        text: String,
    },
    /// A later paragraph of a list item.
    InItem {
        /// The number of lists around its list.
        depth: usize,
        /// Its text.
        text: String,
    },
    /// Preformatted text.
    Code(String),
    /// A table, whose first row is the head.
    Table(Vec<Vec<String>>),
}

impl Block {
    /// The number of bytes it becomes, nearly.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Paragraph(text) | Self::Heading(_, text) | Self::Code(text) => text.len(),
            Self::Item { text, .. } | Self::InItem { text, .. } => text.len(),
            Self::Table(rows) => {
                let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
                rows.iter().flatten().map(String::len).sum::<usize>() + markdown::marks(rows.len(), columns)
            }
        }
    }

    /// The text as a part of a table cell.
    pub(super) fn text_in_cell(&self) -> String {
        match self {
            Self::Paragraph(text) | Self::Heading(_, text) | Self::Code(text) | Self::InItem { text, .. } => {
                text.clone()
            }
            Self::Item { label, text, .. } => format!("{label} {text}"),
            Self::Table(rows) => rows.concat().join(" "),
        }
    }

    /// Writes the block.
    pub(super) fn write(&self, markdown: &mut Markdown) {
        match self {
            Self::Paragraph(text) => markdown.paragraph(text),
            Self::Heading(level, text) => markdown.heading(*level, text),
            Self::Item { depth, label, text } => markdown.item(*depth, label, text),
            Self::InItem { depth, text } => markdown.item_paragraph(*depth, text),
            Self::Code(text) => markdown.code(text),
            Self::Table(rows) => markdown.table(rows),
        }
    }
}
