//! The result of every reader.

use crate::kind::Kind;
use crate::pages::Pages;
use crate::pdf_layout::PdfLayout;

/// A document as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    /// The text; pages of a PDF are separated by form feeds.
    pub(crate) text: String,
    /// The title, if the document states one.
    pub(crate) title: Option<String>,
    /// The pages, if the document has any.
    pub(crate) pages: Option<Pages>,
    /// The kind it was read as.
    pub(crate) kind: Kind,
}

impl Document {
    /// The media type of `text`: Markdown for kinds that can have headings or tables.
    pub(crate) fn content_type(&self, pdf_layout: PdfLayout) -> &'static str {
        match (self.kind, pdf_layout) {
            (Kind::Pdf, PdfLayout::Markdown)
            | (Kind::Html | Kind::Xhtml | Kind::Office(_) | Kind::Markdown | Kind::Csv | Kind::Mail, _) => {
                "text/markdown"
            }
            (Kind::Pdf, PdfLayout::Text) | (Kind::Plain | Kind::Json | Kind::Xml, _) => "text/plain",
        }
    }
}
