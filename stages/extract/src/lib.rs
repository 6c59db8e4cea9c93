//! The `extract` stage: converts PDF, office and HTML documents, mails and text to text.

mod block;
mod charset;
mod content;
mod csv;
mod document;
mod docx;
mod epub;
mod grid;
mod hand_over;
mod html;
mod json;
mod kind;
mod mail;
mod markdown;
mod odt;
mod office;
mod package;
mod pages;
mod pdf;
mod pdf_layout;
mod pptx;
mod reject;
mod rtf;
mod shapes;
mod sniff;
mod text;
mod whitespace;
mod words;
mod xlsx;
mod xml;

use gristmill_sdk::serde::Deserialize;
use gristmill_sdk::{ConfigFault, Descriptor, Item, Outcome, Output, Stage, StageError, context};

pub use content::Content;
use document::Document;
use hand_over::{ENCRYPTED, HandOver, NEEDS_OCR, described};
use html::Form;
use kind::Kind;
use reject::Reject;

pub use pdf_layout::PdfLayout;

/// The `config` table of an `extract` stage.
#[derive(Debug, Clone, Deserialize)]
#[serde(crate = "gristmill_sdk::serde", deny_unknown_fields, default)]
pub struct Config {
    /// Maximum size of a document's text, in bytes.
    pub max_text_bytes: usize,
    /// What of an HTML page is text.
    pub content: Content,
    /// How the text of a PDF is written.
    pub pdf_layout: PdfLayout,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_text_bytes: 8 * 1024 * 1024, content: Content::default(), pdf_layout: PdfLayout::Text }
    }
}

/// The `extract` stage.
#[derive(Debug)]
pub struct Extract {
    limit: usize,
    content: Content,
    pdf_layout: PdfLayout,
}

impl Stage for Extract {
    type Config = Config;

    fn describe() -> Descriptor {
        Descriptor::new(
            "extract",
            env!("CARGO_PKG_VERSION"),
            "Extracts text from documents: PDF, office documents, HTML, mails and others",
        )
        .config_schema(include_str!("../config.schema.json"))
        .accepts(&kind::accepts())
        .branch(NEEDS_OCR, "PDFs with pages to be read by OCR, as they came")
        .branch(ENCRYPTED, "Documents that need a password, as they came")
    }

    fn new(config: Config) -> Result<Self, Vec<ConfigFault>> {
        let Config { max_text_bytes, content, pdf_layout } = config;
        Ok(Self { limit: max_text_bytes, content, pdf_layout })
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
        let kind = sniff::decide(item.media_type().as_deref(), payload)?;
        let charset = item.content_type.as_deref().and_then(charset::of_content_type);
        let document = match kind {
            Kind::Pdf => pdf::read(payload.clone(), self.pdf_layout, self.limit)?,
            Kind::Office(format) => format.read(payload, self.limit)?,
            Kind::Html => html::read(&charset::page(payload, charset), Form::Html, self.content, self.limit)?,
            Kind::Xhtml => html::read(&charset::page(payload, charset), Form::Xml, self.content, self.limit)?,
            Kind::Mail => mail::read(payload, self.content, self.limit)?,
            Kind::Csv => csv::read(&charset::decode(payload, charset)?, self.limit)?,
            Kind::Json => text::json(&charset::decode(payload, charset)?),
            Kind::Xml => xml::read(&charset::page(payload, charset), self.limit),
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
