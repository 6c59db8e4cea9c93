//! The result of every reader.

use crate::kind::Kind;
use crate::pages::Pages;

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
    pub(crate) fn content_type(&self) -> &'static str {
        match self.kind {
            Kind::Html | Kind::Xhtml | Kind::Office(_) | Kind::Markdown | Kind::Csv | Kind::Mail => "text/markdown",
            Kind::Pdf | Kind::Plain | Kind::Json | Kind::Xml => "text/plain",
        }
    }
}
