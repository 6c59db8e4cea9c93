//! How the text of a PDF is written.

use gristmill_sdk::serde::Deserialize;

/// How the text of a PDF is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(crate = "gristmill_sdk::serde", rename_all = "kebab-case")]
pub enum PdfLayout {
    /// Plain text: lines as they are on the page, tabs between cells.
    #[default]
    Text,
    /// Markdown: lines that are set like headings become headings, cells that align become tables.
    Markdown,
}
