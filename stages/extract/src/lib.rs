//! The `extract` stage: converts PDF, Word, HTML, Markdown and plain text documents to text.

mod charset;
mod document;
mod docx;
mod hand_over;
mod html;
mod kind;
mod markdown;
mod pages;
mod pdf;
mod pdf_layout;
mod reject;
mod text;
mod whitespace;

use gristmill_sdk::serde::Deserialize;
use gristmill_sdk::{ConfigFault, Descriptor, Item, Outcome, Output, Stage, StageError, context};

use document::Document;
use hand_over::{ENCRYPTED, HandOver, NEEDS_OCR, described};
use kind::Kind;
use reject::Reject;

pub use pdf_layout::PdfLayout;

/// The `config` table of an `extract` stage.
#[derive(Debug, Clone, Deserialize)]
#[serde(crate = "gristmill_sdk::serde", deny_unknown_fields, default)]
pub struct Config {
    /// Maximum size of a document's text, in bytes.
    pub max_text_bytes: usize,
    /// How the text of a PDF is written.
    pub pdf_layout: PdfLayout,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_text_bytes: 8 * 1024 * 1024, pdf_layout: PdfLayout::Text }
    }
}

/// The `extract` stage.
#[derive(Debug)]
pub struct Extract {
    limit: usize,
    pdf_layout: PdfLayout,
}

impl Stage for Extract {
    type Config = Config;

    fn describe() -> Descriptor {
        Descriptor::new("extract", env!("CARGO_PKG_VERSION"), "Extracts text from PDF, DOCX, HTML, Markdown and text")
            .config_schema(include_str!("../config.schema.json"))
            .accepts(kind::ACCEPTS)
            .branch(NEEDS_OCR, "PDFs with pages to be read by OCR, as they came")
            .branch(ENCRYPTED, "Documents that need a password, as they came")
    }

    fn new(config: Config) -> Result<Self, Vec<ConfigFault>> {
        Ok(Self { limit: config.max_text_bytes, pdf_layout: config.pdf_layout })
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        Ok(self.extract(&item, context::is_routed))
    }
}

impl Extract {
    /// Extracts the text, or hands the document over as it came if `is_routed` says that the pipeline has a route for
    /// the branch of such documents.
    pub fn extract(&self, item: &Item, is_routed: impl Fn(&str) -> bool) -> Outcome {
        let read = self.read(item);
        if let Some(hand_over) = HandOver::of(&read)
            && is_routed(hand_over.branch)
        {
            return Outcome::one(hand_over.output(item));
        }
        match read {
            Ok(document) => Outcome::one(output(item, document, self.pdf_layout)),
            Err(reject) => reject.into(),
        }
    }

    fn read(&self, item: &Item) -> Result<Document, Reject> {
        let payload = &item.payload;
        let kind = Kind::decide(item.media_type().as_deref(), payload)?;
        let charset = item.content_type.as_deref().and_then(charset::of_content_type);
        let document = match kind {
            Kind::Pdf => pdf::read(payload.clone(), self.pdf_layout, self.limit)?,
            Kind::Docx => docx::read(payload, self.limit)?,
            Kind::Html => {
                let declared = charset.map(str::to_owned).or_else(|| charset::of_html(payload));
                html::read(&charset::decode(payload, declared.as_deref())?, self.limit)?
            }
            Kind::Markdown => text::markdown(&charset::decode(payload, charset)?),
            Kind::Plain => text::plain(&charset::decode(payload, charset)?),
        };
        match document.text.len() {
            length if length > self.limit => Err(Reject::TooLarge(self.limit)),
            _ if document.text.trim().is_empty() => Err(Reject::Empty),
            _ => Ok(document),
        }
    }
}

fn output(item: &Item, document: Document, pdf_layout: PdfLayout) -> Output {
    let output = described(Output::from(item), document.kind, document.pages.as_ref())
        .content_type(document.content_type(pdf_layout))
        .payload(document.text);
    match document.title {
        Some(title) => output.attribute("extract.title", title),
        None => output,
    }
}

gristmill_sdk::stage!(Extract);
