//! The `chunk` stage: splits text and Markdown along their structure into chunks of bounded size.

mod abbreviations;
mod characters;
mod config;
mod exact;
mod fine;
mod frame;
mod grapheme;
mod merge;
mod meter;
mod outline;
mod overlap;
mod piece;
mod place;
mod sentence;
mod split;
mod words;

pub use config::{Config, Format, HeadingPath};
pub use meter::Unit;

use gristmill_sdk::tokens::{Host, Tokens};
use gristmill_sdk::{Attribute, ConfigFault, Descriptor, Item, Outcome, Output, Stage, StageError};

use crate::characters::Characters;
use crate::exact::{Counter, split_exactly};
use crate::outline::Outline;
use crate::piece::Piece;
use crate::place::{Document, Pages, Path};
use crate::split::{Limits, split};

/// Splits the text of an item; every chunk is one output.
#[derive(Debug)]
pub struct Chunk {
    limits: Limits,
    format: Format,
}

impl Stage for Chunk {
    type Config = Config;

    fn describe() -> Descriptor {
        let description = "Splits text and Markdown along their structure into chunks of bounded size";
        Descriptor::new("chunk", env!("CARGO_PKG_VERSION"), description)
            .max_batch(32)
            .config_schema(include_str!("../config.schema.json"))
            .accepts(&["text/*"])
    }

    fn new(config: Config) -> Result<Self, Vec<ConfigFault>> {
        let faults = config.faults();
        if !faults.is_empty() {
            return Err(faults);
        }
        let min_size = config.least();
        let Config { size, overlap, unit, format, split_at_heading, heading_path, .. } = config;
        let limits = Limits { unit, size: size.get(), min_size, overlap, split_at_heading, heading_path };
        Ok(Self { limits, format })
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        self.chunk(&item, &Host)
    }
}

impl Chunk {
    /// Splits the text of one item, with the tables of these tokens.
    ///
    /// # Errors
    /// The tables lack the encoding of the configured unit.
    pub fn chunk(&self, item: &Item, tokens: &dyn Tokens) -> Result<Outcome, StageError> {
        let Some(text) = item.text() else {
            let message = "the payload is not UTF-8 text: convert it before this stage";
            return Ok(Outcome::reject("not-utf8", message));
        };
        if text.trim().is_empty() {
            return Ok(Outcome::drop("no-text"));
        }
        let outline = Outline::of(text, self.format_of(item));
        let Some(encoding) = self.limits.unit.encoding() else {
            let pieces = split(text, &outline, self.limits);
            return Ok(Outcome::Emit(outputs(item, text, &outline, &pieces)));
        };
        let counter = Counter { tokens, encoding };
        let unknown = |_| StageError::permanent("unknown-encoding", format!("this host cannot count {encoding}"));
        let pieces = split_exactly(text, &outline, self.limits, &counter).map_err(unknown)?;
        let mut outputs = outputs(item, text, &outline, &pieces);
        for (output, piece) in outputs.iter_mut().zip(&pieces) {
            let count = counter.count(&piece.payload(text)).map_err(unknown)?;
            output.attributes.push(attribute("chunk.tokens", count));
        }
        Ok(Outcome::Emit(outputs))
    }

    fn format_of(&self, item: &Item) -> Format {
        match (self.format, item.media_type().as_deref()) {
            (Format::Auto, Some("text/markdown" | "text/x-markdown")) => Format::Markdown,
            (Format::Auto, _) => Format::Text,
            (format, _) => format,
        }
    }
}

fn outputs(item: &Item, text: &str, outline: &Outline, pieces: &[Piece]) -> Vec<Output> {
    let mut characters = Characters::of(text);
    let mut path = Path::along(outline.headings());
    let mut pages = Pages::of(text, document_of(item));
    let mut outputs = Vec::with_capacity(pieces.len());
    for (ordinal, piece) in pieces.iter().enumerate() {
        let overlap = characters::count(&text[piece.range.start..piece.fresh]);
        let start = characters.before(piece.fresh) - overlap;
        let mut attributes = vec![
            attribute("chunk.ordinal", ordinal),
            attribute("chunk.count", pieces.len()),
            attribute("chunk.start", start),
            attribute("chunk.end", characters.before(piece.range.end)),
            attribute("chunk.overlap", overlap),
        ];
        if let Some(path) = path.at(after_gap(text, piece.fresh..piece.range.end)) {
            attributes.push(attribute("chunk.heading-path", path));
        }
        if let Some(pages) = &mut pages {
            attributes.push(attribute("chunk.page", pages.at(after_gap(text, piece.range.clone()))));
        }
        let own = &text[piece.range.clone()];
        for (name, added) in [("chunk.added-before", piece.before.as_str()), ("chunk.added-after", &piece.after(own))] {
            if !added.is_empty() {
                attributes.push(attribute(name, characters::count(added)));
            }
        }
        outputs.push(Output {
            payload: piece.payload(text).into_bytes(),
            content_type: item.content_type.clone(),
            key: None,
            headers: item.headers.clone(),
            attributes,
            branch: None,
        });
    }
    outputs
}

/// `extract` says of a document with pages how many it has.
fn document_of(item: &Item) -> Document {
    match item.attribute("extract.pages") {
        Some(_) => Document::Paged,
        None => Document::Unknown,
    }
}

/// Position of the first character that is not white space: a chunk that begins with the gap between two paragraphs
/// belongs to the second.
fn after_gap(text: &str, range: std::ops::Range<usize>) -> usize {
    range.end - text[range].trim_start().len()
}

fn attribute(name: &str, value: impl ToString) -> Attribute {
    Attribute { name: name.into(), value: value.to_string() }
}

gristmill_sdk::stage!(Chunk);

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
