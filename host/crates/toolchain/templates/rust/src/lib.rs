//! A stage that puts one space between words and counts them.

use gristmill_sdk::{ConfigFault, Descriptor, Item, Outcome, Output, Stage, StageError, log};
use schemars::JsonSchema;
use serde::Deserialize;

/// What the pipeline file sets under `config`. The host checks it by the schema that is derived from this.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Texts with fewer words are dropped.
    #[serde(default)]
    #[schemars(range(max = 1000))]
    least_words: usize,
}

/// The stage.
pub struct {{type}} {
    least_words: usize,
}

impl Stage for {{type}} {
    type Config = Config;

    fn describe() -> Descriptor {
        Descriptor::new("{{name}}", env!("CARGO_PKG_VERSION"), "Puts one space between words and counts them")
            .config::<Config>()
            .accepts(&["text/*"])
    }

    fn new(config: Config) -> Result<Self, Vec<ConfigFault>> {
        Ok(Self { least_words: config.least_words })
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        let words: Vec<&str> = item.utf8()?.split_whitespace().collect();
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
        let item = Item::sample("two  words\n", Some("text/plain"));
        let Ok(Outcome::Emit(outputs)) = stage.process(item) else { panic!("not emitted") };
        assert_eq!(outputs[0].payload, b"two words");
    }
}
