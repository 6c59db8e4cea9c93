//! The `language` stage: detects the language of a text and sends it to the branch of that language, if it has a route.

mod codes;
mod config;

use gristmill_sdk::{ConfigFault, Descriptor, Item, Outcome, Output, Stage, StageError, context};

use crate::codes::{ALL, Language, UNDETERMINED};
pub use crate::config::Config;

/// How many characters are examined. That is far more than detection needs, and bounds the cost of a huge document: the
/// work grows with the text.
const SAMPLE: usize = 10_000;

/// The `language` stage.
#[derive(Debug)]
pub struct Detect {
    min_confidence: f64,
}

/// The result of detection.
#[derive(Debug)]
struct Finding {
    /// `None` if the text has no letters or the confidence is too low.
    language: Option<&'static Language>,
    /// Confidence of the best guess, from 0 to 1, even if it was too low.
    confidence: f64,
}

impl Stage for Detect {
    type Config = Config;

    fn describe() -> Descriptor {
        let description = "Detects the language of text and routes items by it";
        let mut descriptor = Descriptor::new("language", env!("CARGO_PKG_VERSION"), description)
            .max_batch(32)
            .config_schema(include_str!("../config.schema.json"))
            .accepts(&["text/*"]);
        for language in &ALL {
            descriptor = descriptor.branch(language.code, &format!("Text in {}", language.name));
        }
        descriptor
    }

    fn new(config: Config) -> Result<Self, Vec<ConfigFault>> {
        Ok(Self { min_confidence: config.min_confidence })
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        Ok(self.detect(&item, context::is_routed))
    }
}

impl Detect {
    /// The item with its language, on the branch of that language if `is_routed` says that it has a route.
    fn detect(&self, item: &Item, is_routed: impl Fn(&str) -> bool) -> Outcome {
        let Some(text) = item.text() else {
            return Outcome::reject("not-utf8", "the payload is not UTF-8 text: put `extract` before this stage");
        };
        let Finding { language, confidence } = self.find(text);
        let output = Output::from(item)
            .attribute("language", language.map_or(UNDETERMINED, |language| language.code))
            .attribute("language-confidence", format!("{confidence:.2}"));
        Outcome::one(match language {
            Some(language) if is_routed(language.code) => output.branch(language.code),
            _ => output,
        })
    }

    fn find(&self, text: &str) -> Finding {
        let end = text.char_indices().nth(SAMPLE).map_or(text.len(), |(end, _)| end);
        let Some(guess) = whatlang::detect(&text[..end]) else {
            return Finding { language: None, confidence: 0.0 };
        };
        // Rounded down first, so that the attribute and the decision always agree.
        let confidence = (guess.confidence() * 100.0).floor() / 100.0;
        let sure = confidence >= self.min_confidence;
        Finding { language: Language::of(guess.lang()).filter(|_| sure), confidence }
    }
}

gristmill_sdk::stage!(Detect);

#[cfg(test)]
mod tests;
