//! A stage that puts one space between words and counts them.

use gristmill_sdk::serde::Deserialize;
use gristmill_sdk::{ConfigFault, Descriptor, Item, Outcome, Output, Stage, StageError, log};

/// What the pipeline file sets under `config`.
#[derive(Deserialize)]
#[serde(crate = "gristmill_sdk::serde", deny_unknown_fields)]
pub struct Config {
    /// Texts with fewer words are dropped.
    #[serde(default)]
    least_words: usize,
}

const SCHEMA: &str = r#"{
    "type": "object",
    "properties": { "least_words": { "type": "integer", "minimum": 0, "maximum": 1000 } },
    "additionalProperties": false
}"#;

/// The stage.
pub struct {{type}} {
    least_words: usize,
}

impl Stage for {{type}} {
    type Config = Config;

    fn describe() -> Descriptor {
        Descriptor::new("{{name}}", env!("CARGO_PKG_VERSION"), "Puts one space between words and counts them")
            .config_schema(SCHEMA)
            .accepts(&["text/*"])
    }

    fn new(config: Config) -> Result<Self, Vec<ConfigFault>> {
        Ok(Self { least_words: config.least_words })
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        let Some(text) = item.text() else {
            return Ok(Outcome::reject("not-utf8", "the payload is not UTF-8 text"));
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.len() < self.least_words {
            return Ok(Outcome::drop("too-short"));
        }
        log::info(&format!("{} words", words.len()));
        Ok(Outcome::one(Output::from(&item).payload(words.join(" ")).attribute("{{name}}.words", words.len())))
    }
}

gristmill_sdk::stage!({{type}});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted() {
        let stage = {{type}} { least_words: 0 };
        let Ok(Outcome::Emit(outputs)) = stage.process(Item::sample("two  words\n", Some("text/plain"))) else {
            panic!("not emitted")
        };
        assert_eq!(outputs[0].payload, b"two words");
    }
}
