//! The keys that prove tokens, each with the one algorithm that it is for.

use std::collections::HashMap;

use hmac::{Hmac, Mac};
use josekit::jwk::Jwk;
use josekit::jws::{ES256, ES384, EdDSA, JwsVerifier, PS256, RS256, RS384, RS512};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;

use super::strict;

/// What a secret has to have (RFC 7518, 3.2: as many bits as the digest).
const SHORTEST_SECRET: usize = 32;

/// A key and its algorithm.
pub(crate) struct Key {
    algorithm: &'static str,
    proof: Proof,
}

enum Proof {
    Signature(Box<dyn JwsVerifier>),
    // Not josekit's: that compares byte by byte, and how long it takes tells how much was right.
    Secret(Hmac<Sha256>),
}

/// All keys that prove tokens now.
pub(crate) struct KeySet {
    named: HashMap<String, Key>,
    unnamed: Vec<Key>,
    names: Names,
}

/// What the names of keys are for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Tokens say which key theirs is.
    Count,
    /// There is one secret, whatever the issuer calls it.
    AnyIsTheSecret,
}

/// Why a key is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadKey {
    #[error("it is a secret, which nobody may publish: take it out, and replace it where it is used")]
    Symmetric,
    #[error("it is not for checking signatures")]
    OtherPurpose,
    #[error("there is another key of this name")]
    SameName,
    #[error("its algorithm is not RS256, RS384, RS512, PS256, ES256, ES384 or EdDSA")]
    Algorithm,
    #[error("it is not a sound key: {0}")]
    Unsound(String),
}

/// Why keys are not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadKeys {
    #[error("it has {0} bytes and needs at least {SHORTEST_SECRET}: make one with \"openssl rand -base64 48\"")]
    ShortSecret(usize),
    #[error("it is not a JSON object with a list \"keys\" (a JWK Set, RFC 7517)")]
    NotASet,
    #[error("none of its {0} keys can be used{1}")]
    NoKey(usize, String),
}

/// A key of a set that is left out: its place, from 1, and why.
pub(crate) type LeftOut = (usize, BadKey);

impl KeySet {
    /// One secret for HS256.
    pub(crate) fn secret(secret: &SecretString) -> Result<Self, BadKeys> {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() < SHORTEST_SECRET {
            return Err(BadKeys::ShortSecret(secret.len()));
        }
        // HMAC takes secrets of any length.
        let hmac = Hmac::new_from_slice(secret).map_err(|_| BadKeys::ShortSecret(secret.len()))?;
        let key = Key { algorithm: "HS256", proof: Proof::Secret(hmac) };
        Ok(Self { named: HashMap::new(), unnamed: vec![key], names: Names::AnyIsTheSecret })
    }

    /// The keys of a JWK Set, and those of it that are not used.
    pub(crate) fn published(json: &[u8]) -> Result<(Self, Vec<LeftOut>), BadKeys> {
        let set = strict::object(json).ok_or(BadKeys::NotASet)?;
        let entries = set.get("keys").and_then(Value::as_array).ok_or(BadKeys::NotASet)?;
        let mut keys = Self { named: HashMap::new(), unnamed: Vec::new(), names: Names::Count };
        let mut left_out = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            let added = Key::published(entry).and_then(|(kid, key)| keys.add(kid, key));
            if let Err(reason) = added {
                left_out.push((place + 1, reason));
            }
        }
        if keys.named.is_empty() && keys.unnamed.is_empty() {
            let first = left_out.first().map(|(_, reason)| format!("; of the first: {reason}")).unwrap_or_default();
            return Err(BadKeys::NoKey(entries.len(), first));
        }
        Ok((keys, left_out))
    }

    fn add(&mut self, kid: Option<String>, key: Key) -> Result<(), BadKey> {
        match kid {
            None => self.unnamed.push(key),
            Some(kid) if self.named.contains_key(&kid) => return Err(BadKey::SameName),
            Some(kid) => {
                self.named.insert(kid, key);
            }
        }
        Ok(())
    }

    /// The key of a token that names it like this. A token that names none has one if there is only one.
    pub(crate) fn find(&self, kid: Option<&str>) -> Option<&Key> {
        match kid {
            Some(kid) if self.names == Names::Count => self.named.get(kid),
            _ if self.named.len() + self.unnamed.len() > 1 => None,
            _ => self.unnamed.first().or_else(|| self.named.values().next()),
        }
    }
}

impl Key {
    /// A key of a JWK Set, and its name. Its algorithm is the one it names, or else the usual one of its type.
    fn published(entry: &Value) -> Result<(Option<String>, Self), BadKey> {
        let unsound = |error: &dyn std::fmt::Display| BadKey::Unsound(error.to_string());
        let Value::Object(members) = entry else { return Err(unsound(&"it is not an object")) };
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        if text("kty") == Some("oct") {
            return Err(BadKey::Symmetric);
        }
        let jwk = Jwk::from_map(members.clone()).map_err(|error| unsound(&error))?;
        if jwk.key_use().is_some_and(|purpose| purpose != "sig") || !jwk.is_for_key_operation("verify") {
            return Err(BadKey::OtherPurpose);
        }
        let kid = jwk.key_id().map(str::to_owned);
        let usual = match (jwk.key_type(), jwk.curve()) {
            ("RSA", _) => "RS256",
            ("EC", Some("P-256")) => "ES256",
            ("EC", Some("P-384")) => "ES384",
            ("OKP", Some("Ed25519")) => "EdDSA",
            _ => return Err(BadKey::Algorithm),
        };
        // Each refuses a key of another type or curve, and RSA below 2048 bits.
        let (algorithm, verifier): (_, Result<Box<dyn JwsVerifier>, _>) = match jwk.algorithm().unwrap_or(usual) {
            "RS256" => ("RS256", RS256.verifier_from_jwk(&jwk).map(|verifier| Box::new(verifier) as _)),
            "RS384" => ("RS384", RS384.verifier_from_jwk(&jwk).map(|verifier| Box::new(verifier) as _)),
            "RS512" => ("RS512", RS512.verifier_from_jwk(&jwk).map(|verifier| Box::new(verifier) as _)),
            "PS256" => ("PS256", PS256.verifier_from_jwk(&jwk).map(|verifier| Box::new(verifier) as _)),
            "ES256" => ("ES256", ES256.verifier_from_jwk(&jwk).map(|verifier| Box::new(verifier) as _)),
            "ES384" => ("ES384", ES384.verifier_from_jwk(&jwk).map(|verifier| Box::new(verifier) as _)),
            "EdDSA" => ("EdDSA", EdDSA.verifier_from_jwk(&jwk).map(|verifier| Box::new(verifier) as _)),
            _ => return Err(BadKey::Algorithm),
        };
        let proof = Proof::Signature(verifier.map_err(|error| unsound(&error))?);
        Ok((kid, Self { algorithm, proof }))
    }

    /// The one algorithm it is for.
    pub(crate) fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// Whether it has signed that.
    pub(crate) fn has_signed(&self, signed: &str, signature: &[u8]) -> bool {
        match &self.proof {
            Proof::Signature(verifier) => verifier.verify(signed.as_bytes(), signature).is_ok(),
            Proof::Secret(hmac) => hmac.clone().chain_update(signed).verify_slice(signature).is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use josekit::jwk::alg::ec::EcCurve;
    use serde_json::json;

    use super::*;

    fn public(jwk: &Jwk, members: Value) -> Value {
        let mut map = jwk.to_public_key().unwrap().as_ref().clone();
        map.remove("alg");
        map.extend(members.as_object().unwrap().clone());
        Value::Object(map)
    }

    fn read(keys: Value) -> Result<(KeySet, Vec<LeftOut>), BadKeys> {
        KeySet::published(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn a_key_is_for_the_algorithm_that_it_names_or_for_the_usual_one() {
        let (rsa, ec) = (Jwk::generate_rsa_key(2048).unwrap(), Jwk::generate_ec_key(EcCurve::P384).unwrap());
        for (key, expected) in [
            (public(&rsa, json!({})), Ok("RS256")),
            (public(&rsa, json!({"alg": "PS256"})), Ok("PS256")),
            (public(&ec, json!({})), Ok("ES384")),
            (public(&rsa, json!({"alg": "RS1"})), Err(BadKey::Algorithm)),
            (public(&rsa, json!({"alg": "HS256"})), Err(BadKey::Algorithm)),
            (public(&rsa, json!({"alg": "none"})), Err(BadKey::Algorithm)),
            (public(&rsa, json!({"use": "enc"})), Err(BadKey::OtherPurpose)),
            (public(&rsa, json!({"key_ops": ["encrypt"]})), Err(BadKey::OtherPurpose)),
            (json!({"kty": "oct", "k": "c2VjcmV0"}), Err(BadKey::Symmetric)),
        ] {
            let found = Key::published(&key).map(|(_, key)| key.algorithm());
            assert_eq!(found, expected, "{key}");
        }
        assert!(matches!(Key::published(&public(&ec, json!({"alg": "RS256"}))), Err(BadKey::Unsound(_))));
    }

    #[test]
    fn a_short_key_is_refused() {
        let short = "AQAB".repeat(43) + "AQ";
        let key = json!({"kty": "RSA", "n": short, "e": "AQAB"});
        assert!(matches!(Key::published(&key), Err(BadKey::Unsound(_))));
        assert_eq!(KeySet::secret(&"x".repeat(31).into()).err(), Some(BadKeys::ShortSecret(31)));
        assert!(KeySet::secret(&"x".repeat(32).into()).is_ok());
    }

    #[test]
    fn keys_that_cannot_be_used_are_left_out_and_a_set_of_them_is_refused() {
        let secret = json!({"kty": "oct", "k": "c2VjcmV0"});
        let good = public(&Jwk::generate_ec_key(EcCurve::P256).unwrap(), json!({"kid": "a"}));
        let (keys, left_out) = read(json!([secret, good, good])).unwrap();
        assert_eq!(left_out, [(1, BadKey::Symmetric), (3, BadKey::SameName)]);
        assert_eq!(keys.find(Some("a")).map(Key::algorithm), Some("ES256"));
        assert!(keys.find(Some("b")).is_none());
        assert!(matches!(read(json!([secret])), Err(BadKeys::NoKey(1, _))));
        assert_eq!(KeySet::published(b"<html>").err(), Some(BadKeys::NotASet));
    }

    #[test]
    fn a_token_without_a_name_is_matched_with_the_only_key() {
        let key = |kid: &str| public(&Jwk::generate_ec_key(EcCurve::P256).unwrap(), json!({"kid": kid}));
        assert!(read(json!([key("a")])).unwrap().0.find(None).is_some());
        assert!(read(json!([key("a"), key("b")])).unwrap().0.find(None).is_none());
    }
}
