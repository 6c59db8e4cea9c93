//! `[auth]` of the host file.

use std::path::PathBuf;
use std::time::Duration;

use gristmill_core::settings::{SecretRef, Span, span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The tokens that let clients into the HTTP API. Without this table it answers everybody on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthSettings {
    /// What proves a token: `{ secret = … }`, `{ jwks = "https://…" }` or `{ jwks_file = "path" }`.
    pub keys: KeysSettings,
    /// What the claim `iss` has to be.
    #[schemars(length(min = 1))]
    pub issuer: String,
    /// What the claim `aud` has to be, or to hold.
    #[schemars(length(min = 1))]
    pub audience: String,
    /// The claim that names the tenant. A token without it is refused. Without the key there are no tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-show" = "none"))]
    pub tenant_claim: Option<String>,
    /// The claim with the scopes: a list, or words.
    #[serde(default = "scope_claim")]
    #[schemars(length(min = 1))]
    pub scope_claim: String,
    /// How far the clock of the issuer may be off.
    #[serde(default = "leeway", with = "span")]
    #[schemars(with = "Span", extend("x-min" = "0s", "x-max" = "5m"))]
    pub leeway: Duration,
    /// The longest time between a token's `iat` and its `exp`.
    #[serde(default = "max_lifetime", with = "span")]
    #[schemars(with = "Span", extend("x-min" = "1m", "x-max" = "8760h"))]
    pub max_lifetime: Duration,
}

/// What proves a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-noun" = "source of keys"))]
pub enum KeysSettings {
    /// A secret of at least 32 bytes that the issuer has, too (HS256).
    Secret(SecretRef),
    /// Where the issuer publishes its keys. HTTPS, except for an address of this machine.
    Jwks(#[schemars(length(min = 1))] String),
    /// A file with these keys.
    JwksFile(#[schemars(length(min = 1), extend("x-path" = true))] PathBuf),
}

fn scope_claim() -> String {
    "scope".to_owned()
}

fn leeway() -> Duration {
    Duration::from_secs(30)
}

fn max_lifetime() -> Duration {
    Duration::from_secs(24 * 60 * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_issuer_and_audience_have_to_be_said() {
        let text = "issuer = \"i\"\naudience = \"a\"\nkeys = { jwks = \"https://i.example/keys\" }";
        let settings: AuthSettings = toml::from_str(text).unwrap();
        assert_eq!((settings.scope_claim.as_str(), settings.leeway), ("scope", Duration::from_secs(30)));
        for missing in ["issuer", "audience", "keys"] {
            let without: Vec<&str> = text.lines().filter(|line| !line.starts_with(missing)).collect();
            assert!(toml::from_str::<AuthSettings>(&without.join("\n")).is_err(), "{missing}");
        }
    }
}
