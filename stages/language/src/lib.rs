//! The `language` stage: detects the language of a text and sends it to the branch of that language, if it has a route.

mod codes;
mod config;
mod words;

use std::borrow::Cow;

use gristmill_sdk::{ConfigFault, Descriptor, Item, Outcome, Output, Stage, StageError, context};

use crate::codes::{ALL, Language, UNDETERMINED};
pub use crate::config::Config;
use crate::words::Words;

/// How many characters are examined. That is far more than detection needs, and bounds the cost of a huge document: the
/// work grows with the text.
const SAMPLE: usize = 10_000;

/// Up to this many characters, words and rare letters help to detect the language; in longer texts the statistics of
/// letters are sure enough.
const SHORT: usize = 200;

/// The `language` stage.
#[derive(Debug)]
pub struct Detect {
    min_confidence: f64,
    words: Words,
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
        Ok(Self { min_confidence: config.min_confidence, words: Words::new() })
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
        let text = &*without_addresses(&text[..end]);
        let Some(found) = whatlang::detect(text) else {
            return Finding { language: None, confidence: 0.0 };
        };
        let guess = Guess { language: Language::of(found.lang()), confidence: found.confidence() };
        let is_short = text.char_indices().nth(SHORT).is_none();
        let evidence = if found.script().langs().len() > 1 { evidence(text) } else { 1.0 };
        let guess = match guess.confidence * evidence {
            confidence if is_short && confidence < SURE => {
                Guess { confidence, ..guess }.corrected(&self.words.scores(text))
            }
            _ => guess,
        };
        // Rounded down first, so that the attribute and the decision always agree.
        let confidence = (guess.confidence * 100.0).floor() / 100.0;
        let sure = confidence >= self.min_confidence;
        Finding { language: guess.language.filter(|_| sure), confidence }
    }
}

/// How many letters the statistics need to be taken at their word.
const ENOUGH: usize = 16;

/// How much the statistics of letters are worth, from 0 to 1: of a word or two they are a guess, however sure it looks.
fn evidence(text: &str) -> f64 {
    let letters = text.chars().filter(|character| character.is_alphabetic()).take(ENOUGH).count();
    letters as f64 / ENOUGH as f64
}

/// The text without web and mail addresses, whose words are often of another language, or of none.
fn without_addresses(text: &str) -> Cow<'_, str> {
    if !text.contains("://") && !text.contains("www.") && !text.contains('@') {
        return text.into();
    }
    let is_address = |word: &&str| word.contains("://") || word.starts_with("www.") || word.contains('@');
    let words: Vec<&str> = text.split_whitespace().filter(|word| !is_address(word)).collect();
    words.join(" ").into()
}

/// What the statistics of letters say.
#[derive(Debug, Clone, Copy)]
struct Guess {
    language: Option<&'static Language>,
    confidence: f64,
}

/// The confidence of a guess that needs no help.
const SURE: f64 = 0.9;

/// How many words of a language a guess of full confidence is worth.
const SURE_GUESS: f64 = 2.0;

impl Guess {
    /// The same with what words and letters say. The confidence follows the lead over the second-best language, and is less
    /// if little was found at all; the root makes half of it the bar at which few guesses are wrong.
    fn corrected(self, scores: &[(&'static Language, f64)]) -> Self {
        let mut scores = scores.to_vec();
        if let Some(language) = self.language {
            let weight = self.confidence * SURE_GUESS;
            match scores.iter_mut().find(|(known, _)| *known == language) {
                Some((_, score)) => *score += weight,
                None => scores.push((language, weight)),
            }
        }
        scores.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let Some((language, best)) = scores.first().copied() else {
            return self;
        };
        let second = scores.get(1).map_or(0.0, |(_, score)| *score);
        let lead = if best > 0.0 { (best - second) / best } else { 0.0 };
        Self { language: Some(language), confidence: (lead * best.min(1.0)).sqrt() }
    }
}

gristmill_sdk::stage!(Detect);

#[cfg(test)]
mod tests;
