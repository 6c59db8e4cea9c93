//! The `chunk` stage: splits text and Markdown along their structure into chunks of bounded size.

mod characters;
mod config;
mod fine;
mod grapheme;
mod meter;
mod outline;
mod overlap;
mod place;
mod sentence;
mod split;

pub use config::{Config, Format};
pub use meter::Unit;

use gristmill_sdk::{Attribute, ConfigFault, Descriptor, Item, Outcome, Output, Stage, StageError};

use crate::characters::Characters;
use crate::outline::Outline;
use crate::place::{Pages, Path};
use crate::split::{Limits, Piece, split};

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
        let Config { size, overlap, unit, format, split_at_heading } = config;
        Ok(Self { limits: Limits { unit, size: size.get(), overlap, split_at_heading }, format })
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        let Some(text) = item.text() else {
            let message = "the payload is not UTF-8 text: convert it before this stage";
            return Ok(Outcome::reject("not-utf8", message));
        };
        if text.trim().is_empty() {
            return Ok(Outcome::drop("no-text"));
        }
        let outline = Outline::of(text, self.format_of(&item));
        let pieces = split(text, &outline, self.limits);
        Ok(Outcome::Emit(outputs(&item, text, &outline, &pieces)))
    }
}

impl Chunk {
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
    let mut pages = Pages::of(text);
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
        outputs.push(Output {
            payload: text[piece.range.clone()].into(),
            content_type: item.content_type.clone(),
            key: None,
            headers: item.headers.clone(),
            attributes,
            branch: None,
        });
    }
    outputs
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
