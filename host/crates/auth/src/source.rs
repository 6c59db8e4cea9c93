//! Where the keys come from.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use gristmill_core::ports::Denied;
use gristmill_core::settings::{ReadError, SecretError};
use reqwest::Url;

use super::key::{BadKeys, KeySet};
use super::published::{FromFile, FromWeb, Published};
use super::settings::KeysSettings;

/// When to ask again if there are no keys.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why tokens cannot be checked with these settings.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The secret cannot be read.
    #[error("auth.keys.secret: {0}")]
    Secret(#[from] SecretError),
    /// The secret cannot be used.
    #[error("auth.keys.secret: {0}")]
    BadSecret(String),
    /// The file cannot be read.
    #[error("auth.keys.jwks_file: {path} cannot be read: {reason}")]
    File {
        /// The file.
        path: String,
        /// The cause.
        reason: ReadError,
    },
    /// The file cannot be used.
    #[error("auth.keys.jwks_file: {path} cannot be used: {reason}")]
    BadFile {
        /// The file.
        path: String,
        /// The cause.
        reason: String,
    },
    /// The address is none, or not a safe one.
    #[error("auth.keys.jwks is not an https address without credentials (http only for this machine): {0}")]
    Address(String),
    /// There is no client for HTTPS.
    #[error("no HTTPS here: {0}")]
    Client(#[from] reqwest::Error),
}

impl From<BadKeys> for StartError {
    fn from(reason: BadKeys) -> Self {
        Self::BadSecret(reason.to_string())
    }
}

/// The keys of the issuer.
pub(crate) enum Keys {
    /// A secret.
    Fixed(Arc<KeySet>),
    /// Those that it publishes.
    Published(Published),
}

impl Keys {
    pub(crate) fn start(settings: &KeysSettings) -> Result<Self, StartError> {
        Ok(match settings {
            KeysSettings::Secret(secret) => Self::Fixed(Arc::new(KeySet::secret(&secret.read()?)?)),
            KeysSettings::Jwks(address) => Self::Published(Published::start(FromWeb::new(safe(address)?)?, None)),
            KeysSettings::JwksFile(path) => {
                let file = FromFile::new(path.clone());
                let shown = || path.display().to_string();
                let json = file.read().map_err(|reason| StartError::File { path: shown(), reason })?;
                let bad = |reason: BadKeys| StartError::BadFile { path: shown(), reason: reason.to_string() };
                let (keys, left_out) = KeySet::published(&json).map_err(bad)?;
                super::published::warn(&shown(), &left_out);
                Self::Published(Published::start(file, Some(keys)))
            }
        })
    }

    /// The keys, among which is this one if the issuer has it. At most 5 s.
    pub(crate) async fn with(&self, kid: Option<&str>) -> Result<Arc<KeySet>, Denied> {
        let away = Denied::NotNow { retry_after: RETRY_AFTER };
        match self {
            Self::Fixed(keys) => Ok(Arc::clone(keys)),
            Self::Published(published) => published.with(kid).await.ok_or(away),
        }
    }
}

/// An address whose answers nobody on the way can have written.
fn safe(address: &str) -> Result<Url, StartError> {
    // Nothing else of it is shown: it may have a password, or a key among its parameters.
    let url = Url::parse(address).map_err(|_| StartError::Address("it is no URL".to_owned()))?;
    let host = url.host_str().unwrap_or_default();
    let bad = || StartError::Address(format!("it is {} at {host}", url.scheme()));
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_here = host == "localhost" || literal.is_ok_and(|address| address.is_loopback());
    let is_safe = match url.scheme() {
        "https" => true,
        "http" => is_here,
        _ => false,
    };
    if !is_safe || !url.username().is_empty() || url.password().is_some() {
        return Err(bad());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        for (address, expected) in [
            ("https://id.example/keys", true),
            ("http://127.0.0.1:9000/keys", true),
            ("http://[::1]:9000/keys", true),
            ("http://localhost/keys", true),
            ("http://id.example/keys", false),
            ("http://localhost.id.example/keys", false),
            ("https://user:canary@id.example/keys", false),
            ("file:///etc/keys", false),
            ("keys", false),
        ] {
            let found = safe(address);
            assert_eq!(found.is_ok(), expected, "{address}");
            let shown = found.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(!shown.contains("canary"), "{shown}");
        }
    }
}
