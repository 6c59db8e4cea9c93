//! Answers that are reused across jobs.

use std::time::Duration;

use gristmill_core::model::Canonical;
use gristmill_core::settings::{Span, span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TargetSettings;

/// Answers that are reused across jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheSettings {
    /// How long an answer is given to equal requests of any job.
    #[serde(with = "span")]
    #[schemars(with = "Span", extend("x-min" = "1s", "x-max" = "365d", "x-add" = "ttl = \"30d\""))]
    pub ttl: Duration,
}

/// What of a target shapes its answers. What does not, such as its key, its time-out or its price, can change without
/// paying for every answer anew.
const SHAPES: [&str; 12] = [
    "provider",
    "model",
    "base_url",
    "api_version",
    "script",
    "structured",
    "max_output_tokens",
    "temperature",
    "context",
    "think",
    "thinking",
    "dimensions",
];

/// A digest of who answers for an alias, in order: answers of others are not theirs.
///
/// Do not change the encoding: stores find answers by it.
pub(crate) fn identity<'t>(targets: impl IntoIterator<Item = &'t TargetSettings>) -> [u8; 32] {
    let mut to = Canonical::digest("gristmill targets 1");
    let targets: Vec<&TargetSettings> = targets.into_iter().collect();
    to.list(targets.into_iter(), |to, target| {
        // Settings that were read from a file can be written again.
        let settings = serde_json::to_value(target).unwrap_or_default();
        for name in SHAPES {
            to.optional(settings.get(name).map(ToString::to_string), |to, value| to.text(&value));
        }
    });
    to.finish()
}

#[cfg(test)]
mod tests {
    use super::super::{AnthropicSettings, OpenAiSettings, SecretRef};
    use super::*;

    #[test]
    fn answers_belong_to_those_who_gave_them() {
        let openai = |change: fn(&mut OpenAiSettings)| {
            let mut settings = OpenAiSettings::new("m");
            change(&mut settings);
            identity(&[TargetSettings::OpenAi(settings)])
        };
        let first = openai(|_| {});
        for other in [
            openai(|settings| settings.model = "n".into()),
            openai(|settings| settings.base_url = "http://127.0.0.1:1/v1".into()),
            openai(|settings| settings.temperature = Some(0.5)),
            openai(|settings| settings.max_output_tokens = Some(7)),
            identity(&[TargetSettings::Anthropic(AnthropicSettings::new("m"))]),
            identity(&[
                TargetSettings::OpenAi(OpenAiSettings::new("m")),
                TargetSettings::OpenAi(OpenAiSettings::new("m")),
            ]),
            identity(&[]),
        ] {
            assert_ne!(first, other);
        }
        for same in [
            openai(|settings| settings.key = Some(SecretRef::Env("K".into()))),
            openai(|settings| settings.timeout = Duration::from_secs(1)),
            openai(|settings| {
                drop(settings.headers.insert("x-team".into(), super::super::HeaderText::Plain("a".into())))
            }),
        ] {
            assert_eq!(first, same);
        }
    }
}
