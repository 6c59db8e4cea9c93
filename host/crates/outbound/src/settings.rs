//! The grant `http` of a stage.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use gristmill_core::settings::{ByteSize, Network, SecretRef, Span, span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which calls of other services a stage may make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpGrant {
    /// What may be called: `"https://api.example.com/v1/*"`, or with methods `"POST,PUT https://api.example.com/v1/parts"`.
    /// Without a method, GET and HEAD. `*` at the end stands for any end of the path, `*.` before the host for any name
    /// below it. Queries are free.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 2_048)), extend("x-add" = "http = [\"https://HOST/PATH/*\"]"))]
    pub http: Vec<String>,
    /// Secrets that the stage may send in headers, where it writes `{{secret.NAME}}`. It never sees them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretGrant>,
    /// Networks that are not public, and may be called all the same: `"10.1.0.0/16"`. Addresses of all others are refused,
    /// whatever name leads there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_private: Vec<Network>,
    /// `true`: answers are kept for their job before the stage sees them, so that no later attempt makes the call again. Those
    /// of status 408, 425, 429 and above 499 are not. What changes something is sent with an `Idempotency-Key`.
    #[serde(default)]
    pub journal: bool,
    /// How long a call may take, from its name to the end of its answer.
    #[serde(default = "timeout", with = "span")]
    #[schemars(with = "Span", extend("x-min" = "100ms", "x-max" = "10m"))]
    pub timeout: Duration,
    /// How many calls the stage may make in one attempt at an item, or at one batch.
    #[serde(default = "max_calls")]
    #[schemars(range(max = 1_000))]
    pub max_calls: NonZeroU32,
    /// The largest body that is sent.
    #[serde(default = "mebibyte")]
    #[schemars(extend("x-min" = "1KiB", "x-max" = "64MiB"))]
    pub max_request: ByteSize,
    /// The largest body of an answer.
    #[serde(default = "mebibyte")]
    #[schemars(extend("x-min" = "1KiB", "x-max" = "64MiB"))]
    pub max_response: ByteSize,
}

/// A secret that a stage may send, and where to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretGrant {
    /// Where the secret is found: at least 8 visible characters of ASCII.
    pub from: SecretRef,
    /// The hosts that it may be sent to. Each is in an address of `http`, without its port.
    #[schemars(length(min = 1, max = 64))]
    pub hosts: Vec<String>,
}

fn timeout() -> Duration {
    Duration::from_secs(30)
}

fn max_calls() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(19)
}

fn mebibyte() -> ByteSize {
    ByteSize::mib(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_mostly_its_addresses() {
        let grant: HttpGrant = toml::from_str("http = [\"https://a.example/*\"]").unwrap();
        assert_eq!((grant.timeout, grant.max_calls.get(), grant.journal), (Duration::from_secs(30), 20, false));
        let secrets =
            "http = [\"https://a.example/*\"]\n[secrets.key]\nfrom = { env = \"KEY\" }\nhosts = [\"a.example\"]";
        let grant: HttpGrant = toml::from_str(secrets).unwrap();
        assert_eq!(grant.secrets["key"].from, SecretRef::Env("KEY".into()));
    }
}
