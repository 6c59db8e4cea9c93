//! The `language` stage: tells the language of a text and sends it down the branch of that language.

mod codes;
mod config;

use gristmill_sdk::{ConfigFault, Descriptor, Event, Outcome, Output, Stage, StageError, Traits};

use crate::codes::{ALL, Language, UNDETERMINED};
pub use crate::config::Config;

/// How many characters are looked at. That is far more than it takes to tell a language, and bounds what a huge document
/// costs: the work grows with the text.
const SAMPLE: usize = 10_000;

/// The stage.
#[derive(Debug)]
pub struct Detect {
    route: Vec<&'static Language>,
    min_confidence: f64,
}

/// What was found out about a text.
#[derive(Debug)]
struct Finding {
    /// `None` if the text has no letters, or too little speaks for any language.
    language: Option<&'static Language>,
    /// From 0 to 1, of the best guess, even if that was not enough.
    confidence: f64,
}

impl Stage for Detect {
    type Config = Config;

    fn describe() -> Descriptor {
        let description = "Tells the language of text and sends it on by it";
        let mut descriptor = Descriptor::new("language", env!("CARGO_PKG_VERSION"), description)
            .config_schema(include_str!("../config.schema.json"))
            .accepts(&["text/*"]);
        // The stage is described before it is configured, so every language that `route` may name is declared.
        for language in &ALL {
            descriptor = descriptor.branch(language.code, &format!("Text in {}", language.name));
        }
        descriptor.traits = Traits::DETERMINISTIC | Traits::STATELESS;
        descriptor
    }

    fn new(config: Config) -> Result<Self, Vec<ConfigFault>> {
        config.resolve()
    }

    fn process(&self, event: Event) -> Result<Outcome, StageError> {
        let Some(text) = event.text() else {
            let reason = "the payload is not UTF-8 text: put `extract` before this stage";
            return Ok(Outcome::reject("not-utf8", reason));
        };
        let Finding { language, confidence } = self.find(text);
        let output = Output::from(&event)
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
        // Rounded down first, so that what the attribute shows and what is decided never differ.
        let confidence = (guess.confidence() * 100.0).floor() / 100.0;
        let sure = confidence >= self.min_confidence;
        Finding { language: Language::of(guess.lang()).filter(|_| sure), confidence }
    }
}

gristmill_sdk::stage!(Detect);

#[cfg(test)]
mod tests;
