//! How much a model thinks before it answers.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The fewest tokens of thinking that any provider takes.
const FEWEST_TOKENS: u32 = 128;
/// More than any model thinks.
const MOST_TOKENS: u32 = 1_000_000;

/// How much a model thinks, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline, extend("x-noun" = "thinking level"))]
pub enum Level {
    /// Not at all, where the model allows that.
    Off,
    /// As little as the model can.
    Minimal,
    /// Little.
    Low,
    /// More.
    Medium,
    /// Most.
    High,
}

impl Level {
    /// About as many tokens as a model thinks at this level: what is kept free for it.
    #[must_use]
    pub fn tokens(self) -> u32 {
        match self {
            Self::Off => 0,
            Self::Minimal => 1_024,
            Self::Low => 4_096,
            Self::Medium => 8_192,
            Self::High => 24_576,
        }
    }

    /// The level as the file writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// How much a model thinks, in words or in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Thinking {
    /// In words.
    Level(Level),
    /// At most this many tokens.
    Tokens(u32),
}

impl Thinking {
    /// About as many tokens as a model thinks: what is kept free for it.
    #[must_use]
    pub fn tokens(self) -> u32 {
        match self {
            Self::Level(level) => level.tokens(),
            Self::Tokens(tokens) => tokens,
        }
    }
}

impl JsonSchema for Thinking {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Thinking".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string", "enum": ["off", "minimal", "low", "medium", "high"] },
                { "type": "integer", "minimum": FEWEST_TOKENS, "maximum": MOST_TOKENS },
            ],
            "x-fault": "is neither a thinking level nor a number of tokens",
            "x-form": "write \"off\", \"minimal\", \"low\", \"medium\" or \"high\", or from 128 to 1000000 tokens",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinking_is_written_as_a_level_or_as_tokens() {
        let read = |json: &str| serde_json::from_str::<Thinking>(json).ok();
        assert_eq!(read("\"low\""), Some(Thinking::Level(Level::Low)));
        assert_eq!(read("2048"), Some(Thinking::Tokens(2_048)));
        assert_eq!(read("\"on\""), None);
        let names = [Level::Off, Level::Minimal, Level::Low, Level::Medium, Level::High].map(Level::name);
        for name in names {
            assert_eq!(
                read(&format!("{name:?}")).map(|thinking| serde_json::to_value(thinking).unwrap()),
                Some(name.into())
            );
        }
    }
}
