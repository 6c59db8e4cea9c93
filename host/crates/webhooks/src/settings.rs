//! `[webhooks]` of the host file.

use std::time::Duration;

use gristmill_core::settings::{Network, SecretRef, Span, span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The messages that are sent to the address a client gave when a job has ended. Without this table jobs with such an address
/// are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// The secret that messages are signed with: `whsec_` and 24 to 64 bytes in base64. Lists of secrets are signed with each,
    /// so that receivers can change theirs.
    #[schemars(length(min = 1, max = 4))]
    pub secrets: Vec<SecretRef>,
    /// Networks that are not public, and may be told all the same: `"10.1.0.0/16"`, `"127.0.0.1/32"`. Addresses of all others
    /// are refused, whatever name leads there. Only these may be told without HTTPS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Network>,
    /// How long a receiver may take to answer.
    #[serde(default = "timeout", with = "span")]
    #[schemars(with = "Span", extend("x-min" = "1s", "x-max" = "1m"))]
    pub timeout: Duration,
    /// How long a message is tried again and again.
    #[serde(default = "give_up", with = "span")]
    #[schemars(with = "Span", extend("x-min" = "1m", "x-max" = "720h"))]
    pub give_up: Duration,
}

fn timeout() -> Duration {
    Duration::from_secs(15)
}

fn give_up() -> Duration {
    Duration::from_secs(24 * 60 * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_to_be_named() {
        let settings: WebhookSettings = toml::from_str("secrets = [{ env = \"WEBHOOK\" }]").unwrap();
        assert_eq!(settings.timeout, Duration::from_secs(15));
        assert!(toml::from_str::<WebhookSettings>("").is_err());
    }
}
