//! The `extract` stage: converts PDF, Word, HTML, Markdown and plain text documents to text.

mod charset;
mod document;
mod docx;
mod html;
mod kind;
mod markdown;
mod pdf;
mod reject;
mod text;
mod whitespace;

use gristmill_sdk::serde::Deserialize;
use gristmill_sdk::{ConfigFault, Descriptor, Item, Outcome, Output, Stage, StageError};

use document::Document;
use kind::Kind;
use reject::Reject;

/// The `config` table of an `extract` stage.
#[derive(Debug, Clone, Deserialize)]
#[serde(crate = "gristmill_sdk::serde", deny_unknown_fields, default)]
pub struct Config {
    /// Maximum size of a document's text, in bytes.
    pub max_text_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_text_bytes: 8 * 1024 * 1024 }
    }
}

/// The `extract` stage.
#[derive(Debug)]
pub struct Extract {
    limit: usize,
}

impl Stage for Extract {
    type Config = Config;

    fn describe() -> Descriptor {
        Descriptor::new("extract", env!("CARGO_PKG_VERSION"), "Extracts text from PDF, DOCX, HTML, Markdown and text")
            .config_schema(include_str!("../config.schema.json"))
            .accepts(kind::ACCEPTS)
    }

    fn new(config: Config) -> Result<Self, Vec<ConfigFault>> {
        Ok(Self { limit: config.max_text_bytes })
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        Ok(match self.read(&item) {
            Ok(document) => Outcome::one(output(&item, document)),
            Err(reject) => reject.into(),
        })
    }
}

impl Extract {
    fn read(&self, item: &Item) -> Result<Document, Reject> {
        let payload = &item.payload;
        let kind = Kind::decide(item.media_type().as_deref(), payload)?;
        let charset = item.content_type.as_deref().and_then(charset::of_content_type);
        let document = match kind {
            Kind::Pdf => pdf::read(payload.clone(), self.limit)?,
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

fn output(item: &Item, document: Document) -> Output {
    let mut output = Output::from(item)
        .content_type(document.content_type())
        .attribute("extract.source-type", document.kind.media_type());
    if let Some(pages) = document.pages {
        output = output.attribute("extract.pages", pages);
    }
    if let Some(title) = document.title {
        output = output.attribute("extract.title", title);
    }
    output.payload(document.text)
}

gristmill_sdk::stage!(Extract);
