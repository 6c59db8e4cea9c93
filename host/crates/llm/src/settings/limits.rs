//! What the operator says of a provider's limits.

use std::num::NonZeroU64;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a provider allows for one model with one key. Each limit that is given is kept on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Requests a minute, sent evenly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<NonZeroU64>,
    /// Tokens of requests and answers a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<NonZeroU64>,
    /// Tokens of requests a minute, without those read from a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens_per_minute: Option<NonZeroU64>,
    /// Tokens of answers a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens_per_minute: Option<NonZeroU64>,
    /// Requests in 24 hours, which begin with the first; as fast as they come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_day: Option<NonZeroU64>,
    /// Tokens of requests and answers in 24 hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_day: Option<NonZeroU64>,
    /// Whose limits these are.
    pub share: Sharing,
}

/// Whose the limits of a target are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline, extend("x-noun" = "share"))]
pub enum Sharing {
    /// Those of all hosts of the consumer group together: each takes as much as it owns of the partitions.
    #[default]
    Group,
    /// This host's alone, for example with a key or a server of its own.
    Host,
}
