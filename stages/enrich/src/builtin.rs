//! The built-in tasks, with the prompt and answer schema of each.

use serde::Deserialize;

/// A built-in task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuiltIn {
    /// A short summary of the text.
    Summary,
    /// The sentiment of the text.
    Sentiment,
    /// The entities that the text names.
    Entities,
    /// The language of the text.
    Language,
    /// Whether the text is spam.
    Spam,
    /// The text in the target language.
    Translate,
}

impl BuiltIn {
    /// The key of the answer.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Sentiment => "sentiment",
            Self::Entities => "entities",
            Self::Language => "language",
            Self::Spam => "spam",
            Self::Translate => "translate",
        }
    }

    /// The prompt. The caller replaces `[target language]` in it.
    pub(crate) fn prompt(self) -> &'static str {
        match self {
            Self::Summary => {
                "Summarise {{text}} in one to three sentences, in the language it is written in. State only what it \
                 says: no opinion, no guess, no opening such as \"This text\"."
            }
            Self::Sentiment => {
                "Judge the sentiment of {{text}} as its author means it, irony included. `score` runs from -1 (wholly \
                 negative) over 0 (neutral or balanced) to 1 (wholly positive); use the label `mixed` only where \
                 clearly positive and clearly negative statements stand side by side."
            }
            Self::Entities => {
                "List the entities that {{text}} names: persons, organisations, places, products, events, dates and \
                 amounts of money. Copy each name as it is written there, list it once in order of first appearance, \
                 and leave out what is only implied. Answer with an empty list if there is none."
            }
            Self::Language => {
                "Name the language that most of {{text}} is written in, as a lower-case ISO 639-1 code such as `en` \
                 or `de` (ISO 639-3 where there is no two-letter code). Answer `und` if it cannot be told."
            }
            Self::Spam => {
                "Decide whether {{text}} is spam: unsolicited advertising, a scam, phishing, or filler made for search \
                 engines. A complaint, a question or an ordinary business message is not spam. Give the deciding \
                 reason in one short sentence first, then the verdict."
            }
            Self::Translate => {
                "Translate {{text}} into [target language]. Keep meaning, tone, line breaks and markup; leave names, \
                 numbers, code and addresses as they are; add nothing. Copy what is in [target language] already."
            }
        }
    }

    /// The JSON Schema of the answer.
    pub(crate) fn schema(self) -> &'static str {
        match self {
            Self::Summary | Self::Translate => r#"{"type": "string"}"#,
            Self::Sentiment => {
                r#"{
                    "type": "object",
                    "properties": {
                        "label": {"enum": ["positive", "neutral", "negative", "mixed"]},
                        "score": {"type": "number", "minimum": -1, "maximum": 1}
                    },
                    "required": ["label", "score"],
                    "additionalProperties": false
                }"#
            }
            Self::Entities => {
                r#"{
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "name": {"type": "string"},
                            "type": {
                                "enum": ["person", "organization", "place", "product", "event", "date", "money", "other"]
                            }
                        },
                        "required": ["name", "type"],
                        "additionalProperties": false
                    }
                }"#
            }
            Self::Language => r#"{"type": "string", "pattern": "^[a-z]{2,3}$"}"#,
            Self::Spam => {
                r#"{
                    "type": "object",
                    "properties": {"reason": {"type": "string"}, "is_spam": {"type": "boolean"}},
                    "required": ["reason", "is_spam"],
                    "additionalProperties": false
                }"#
            }
        }
    }
}
