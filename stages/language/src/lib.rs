//! The `language` stage: detects the language of a text and sends it to the branch of that language.

mod codes;
mod config;

use gristmill_sdk::{ConfigFault, Descriptor, Item, Outcome, Output, Stage, StageError};

use crate::codes::{ALL, Language, UNDETERMINED};
pub use crate::config::Config;

/// How many characters are examined. That is far more than detection needs, and bounds the cost of a huge document: the
/// work grows with the text.
const SAMPLE: usize = 10_000;

/// The `language` stage.
#[derive(Debug)]
pub struct Detect {
    route: Vec<&'static Language>,
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
            .config_schema(include_str!("../config.schema.json"))
            .accepts(&["text/*"]);
        // The stage is described before it is configured, so every language that `route` may name is declared.
        for language in &ALL {
            descriptor = descriptor.branch(language.code, &format!("Text in {}", language.name));
        }
        descriptor
    }

    fn new(config: Config) -> Result<Self, Vec<ConfigFault>> {
        config.resolve()
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        let Some(text) = item.text() else {
            let reason = "the payload is not UTF-8 text: put `extract` before this stage";
            return Ok(Outcome::reject("not-utf8", reason));
        };
        let Finding { language, confidence } = self.find(text);
        let output = Output::from(&item)
            .attribute("language", language.map_or(UNDETERMINED, |language| language.code))
            .attribute("language-confidence", format!("{confidence:.2}"));
        let routed = language.filter(|language| self.route.contains(language));
        Ok(Outcome::one(match routed {
            Some(language) => output.branch(language.code),
            None => output,
        }))
    }
}

impl Detect {
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
