//! Lets in who has a good token.

use std::sync::Arc;

use async_trait::async_trait;
use gristmill_core::model::{Caller, Timestamp};
use gristmill_core::ports::{Admission, Denied};

use super::claims;
use super::key::KeySet;
use super::parsed::Parsed;
use super::settings::AuthSettings;
use super::source::{Keys, StartError};

/// Tells the time of the day.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Knows the tokens of one issuer. Keys that are published are kept up to date until it is dropped.
pub struct Tokens {
    settings: AuthSettings,
    keys: Keys,
    clock: Clock,
}

impl Tokens {
    /// Reads the secret or the file; asks for published keys in the background, so that an issuer that is away does not
    /// keep the host from starting. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// If a secret or a file cannot be used, or the address of the keys cannot.
    pub fn start(settings: &AuthSettings, clock: Clock) -> Result<Self, StartError> {
        Ok(Self { settings: settings.clone(), keys: Keys::start(&settings.keys)?, clock })
    }

    fn judge(&self, parsed: &Parsed<'_>, keys: &KeySet) -> Result<Caller, Denied> {
        let bad = |what: &dyn std::fmt::Display| Denied::BadToken(what.to_string());
        let Some(key) = keys.find(parsed.kid.as_deref()) else {
            let why = match parsed.kid {
                Some(_) => "its kid is not among the keys of the issuer",
                None => "its header has no kid, and the issuer has several keys",
            };
            return Err(bad(&why));
        };
        if parsed.algorithm != key.algorithm() {
            return Err(bad(&format!("its alg is not the one of its key, {}", key.algorithm())));
        }
        if !key.has_signed(parsed.signed, &parsed.signature) {
            return Err(bad(&"its signature is wrong"));
        }
        let claims = parsed.claims().map_err(|error| bad(&error))?;
        claims::judge(&claims, &self.settings, (self.clock)()).map_err(|error| bad(&error))
    }
}

#[async_trait]
impl Admission for Tokens {
    async fn admit(&self, token: Option<&str>) -> Result<Caller, Denied> {
        let token = token.ok_or(Denied::NoToken)?;
        let parsed = Parsed::read(token).map_err(|error| Denied::BadToken(error.to_string()))?;
        let keys = self.keys.with(parsed.kid.as_deref()).await?;
        self.judge(&parsed, &keys)
    }
}
