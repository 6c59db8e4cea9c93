//! The form of a token: three parts, of which only the first is looked at before the signature is.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::strict;

/// The largest token, in bytes. Heads of requests have 16 KiB in all.
const LARGEST: usize = 8 * 1024;
/// The types of tokens that are let in; without one it is a JWT, too. Others were made for another purpose.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// A token, taken apart and not believed yet.
#[derive(Debug)]
pub(crate) struct Parsed<'a> {
    /// What it says about its algorithm.
    pub(crate) algorithm: String,
    /// The name of its key.
    pub(crate) kid: Option<String>,
    /// What is signed.
    pub(crate) signed: &'a str,
    /// The signature.
    pub(crate) signature: Vec<u8>,
    claims: Vec<u8>,
}

/// What is wrong with the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadForm {
    #[error("it is longer than 8 KiB")]
    TooLong,
    #[error("it is encrypted; send a signed one")]
    Encrypted,
    #[error("it is not three parts with dots between them")]
    Parts,
    #[error("a part of it is not base64url without padding")]
    Base64,
    #[error("its header is not a JSON object, or has a member twice")]
    Header,
    #[error("its header has no alg, or it is not text")]
    NoAlgorithm,
    #[error("the kid in its header is not text")]
    Kid,
    #[error("its header has crit: extensions are not known here")]
    Critical,
    #[error("it has another token in it")]
    Nested,
    #[error("its typ is not JWT or at+jwt")]
    Type,
    #[error("its claims are not a JSON object, or have a member twice")]
    Claims,
}

impl<'a> Parsed<'a> {
    /// Takes a token apart.
    pub(crate) fn read(token: &'a str) -> Result<Self, BadForm> {
        if token.len() > LARGEST {
            return Err(BadForm::TooLong);
        }
        let parts: Vec<&str> = token.split('.').collect();
        let &[header, claims, signature] = parts.as_slice() else {
            return Err(if parts.len() == 5 { BadForm::Encrypted } else { BadForm::Parts });
        };
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| BadForm::Base64);
        let signed = &token[..header.len() + 1 + claims.len()];
        let (header, claims, signature) = (bytes(header)?, bytes(claims)?, bytes(signature)?);
        // `jwk`, `jku`, `x5u` and `x5c` are left unread: keys come from our table only.
        let header = strict::object(&header).ok_or(BadForm::Header)?;
        if header.contains_key("crit") {
            return Err(BadForm::Critical);
        }
        if header.contains_key("enc") {
            return Err(BadForm::Encrypted);
        }
        if header.contains_key("cty") {
            return Err(BadForm::Nested);
        }
        let is_type = |typ: &Value| typ.as_str().is_some_and(is_known_type);
        if !header.get("typ").is_none_or(is_type) {
            return Err(BadForm::Type);
        }
        let algorithm = header.get("alg").and_then(Value::as_str).ok_or(BadForm::NoAlgorithm)?.to_owned();
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(BadForm::Kid),
        };
        Ok(Self { algorithm, kid, signed, signature, claims })
    }

    /// Its claims. To be asked for after the signature.
    pub(crate) fn claims(&self) -> Result<Map<String, Value>, BadForm> {
        strict::object(&self.claims).ok_or(BadForm::Claims)
    }
}

fn is_known_type(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    TYPES.contains(&typ.strip_prefix("application/").unwrap_or(&typ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn types_are_compared_as_media_types() {
        for (typ, expected) in
            [("JWT", true), ("at+jwt", true), ("application/at+JWT", true), ("dpop+jwt", false), ("", false)]
        {
            assert_eq!(is_known_type(typ), expected, "{typ}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(token in any::<String>()) {
            let _ = Parsed::read(&token);
        }

        #[test]
        fn no_parts_make_it_panic(header in any::<Vec<u8>>(), claims in any::<Vec<u8>>(), signature in any::<Vec<u8>>()) {
            let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            let token = format!("{}.{}.{}", part(&header), part(&claims), part(&signature));
            if let Ok(parsed) = Parsed::read(&token) {
                let _ = parsed.claims();
            }
        }
    }
}
