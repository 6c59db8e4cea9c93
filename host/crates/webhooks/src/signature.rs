//! Signs messages after Standard Webhooks 1.0, symmetric.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gristmill_core::settings::SecretRef;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

const PREFIX: &str = "whsec_";
/// How many bytes a secret has.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Why a secret cannot be used. Nothing of it is shown.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} is not \"{PREFIX}\" and 24 to 64 bytes in base64: make one with echo \"{PREFIX}$(openssl rand -base64 32)\""
)]
pub(crate) struct BadSecret(pub(crate) SecretRef);

/// The secrets that each message is signed with.
pub(crate) struct Secrets(Vec<Hmac<Sha256>>);

impl Secrets {
    /// Reads the keys from the texts of secrets, and says which one is none.
    pub(crate) fn of(secrets: &[(SecretRef, SecretString)]) -> Result<Self, BadSecret> {
        let mut keys = Vec::new();
        for (origin, secret) in secrets {
            keys.push(key(secret).ok_or_else(|| BadSecret(origin.clone()))?);
        }
        Ok(Self(keys))
    }

    /// The header `webhook-signature`: one signature for each secret.
    pub(crate) fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let signatures = self.0.iter().map(|key| {
            let signed = key.clone().chain_update(format!("{id}.{seconds}.")).chain_update(body);
            format!("v1,{}", STANDARD.encode(signed.finalize().into_bytes()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

fn key(secret: &SecretString) -> Option<Hmac<Sha256>> {
    let bytes = STANDARD.decode(secret.expose_secret().strip_prefix(PREFIX)?).ok()?;
    BYTES.contains(&bytes.len()).then(|| Hmac::new_from_slice(&bytes).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(texts: &[&str]) -> Result<Secrets, BadSecret> {
        let all: Vec<_> = texts.iter().map(|text| (SecretRef::Env("HOOK".into()), SecretString::from(*text))).collect();
        Secrets::of(&all)
    }

    #[test]
    fn a_message_is_signed_as_the_standard_says() {
        // The example of the specification's reference libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", b"{\"test\": 2432232314}");
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(secrets(&[secret]).unwrap().sign(id, 1_614_265_330, body), expected);
        let two = secrets(&[secret, secret]).unwrap().sign(id, 1_614_265_330, body);
        assert_eq!(two, format!("{expected} {expected}"));
    }

    #[test]
    fn a_text_that_is_no_secret_is_named_and_not_shown() {
        let short = format!("whsec_{}", STANDARD.encode([7; 23]));
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        for wrong in ["canary", "whsec_canary!", "", &short, &long] {
            let error = secrets(&[wrong]).err().unwrap().to_string();
            assert!(error.starts_with("the environment variable HOOK") && !error.contains("canary"), "{error}");
        }
    }
}
