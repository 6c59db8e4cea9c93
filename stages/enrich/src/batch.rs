//! Items that share a call to the model.

use gristmill_sdk::llm::{Merge, MergeScope};
use serde::{Deserialize, Deserializer};

/// How many items may share a call, and how long the first of them waits for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Batch {
    /// The most items in one call; at least 2.
    pub items: u32,
    /// The most tokens of their data in one call, as the host estimates them.
    pub tokens: u32,
    /// How long the first item of a call waits for others, in milliseconds.
    #[serde(deserialize_with = "milliseconds")]
    pub wait: u64,
    /// Whose items may share a call.
    pub among: Among,
}

/// Whose items may share a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Among {
    /// Those of one job.
    Job,
    /// Those of all jobs of the pipeline.
    Pipeline,
}

impl Default for Batch {
    fn default() -> Self {
        Self { items: 20, tokens: 8_000, wait: 500, among: Among::Pipeline }
    }
}

impl From<Batch> for Merge {
    fn from(Batch { items, tokens, wait, among }: Batch) -> Self {
        let among = match among {
            Among::Job => MergeScope::Job,
            Among::Pipeline => MergeScope::Pipeline,
        };
        Self { items, tokens, wait, among }
    }
}

/// Reads "500ms" or "2s". The schema has the bounds.
fn milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let number = |digits: &str, factor: u64| digits.parse::<u64>().ok()?.checked_mul(factor);
    let read = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => number(digits, 1),
        (None, Some(digits)) => number(digits, 1_000),
        (None, None) => None,
    };
    read.ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no time to wait: use \"500ms\" or \"2s\"")))
}
