//! What a match is replaced with.

use std::borrow::Cow;
use std::fmt::Write;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::config::Action;
use crate::kind::Kind;

/// Digest bytes in a token: 64 bits.
const TOKEN_BYTES: usize = 8;
/// Digest bytes in a hash: 128 bits.
const HASH_BYTES: usize = 16;

/// Computes the digest of a match.
pub(crate) enum Digester {
    /// SHA-256: anyone who can guess the value can check the guess.
    Plain,
    /// HMAC-SHA-256: a guess can be checked only with the key.
    Keyed(Hmac<Sha256>),
}

impl Digester {
    /// `None` if the algorithm does not accept the key.
    pub(crate) fn keyed(key: &str) -> Option<Self> {
        Hmac::new_from_slice(key.as_bytes()).ok().map(Self::Keyed)
    }

    /// The replacement of `value`; `None` leaves it as it is.
    pub(crate) fn replacement(&self, action: Action, kind: Kind, value: &str) -> Option<Cow<'static, str>> {
        let placeholder = kind.placeholder();
        match action {
            Action::Keep => None,
            Action::Mask => Some(Cow::Borrowed(placeholder)),
            Action::Token => {
                let label = placeholder.trim_end_matches(']');
                Some(Cow::Owned(format!("{label}_{}]", hex(&self.digest(kind, value)[..TOKEN_BYTES]))))
            }
            Action::Hash => Some(Cow::Owned(hex(&self.digest(kind, value)[..HASH_BYTES]))),
        }
    }

    /// The digest includes the kind, so that equal digits of different kinds differ.
    fn digest(&self, kind: Kind, value: &str) -> [u8; 32] {
        let canonical = canonical(kind, value);
        match self {
            Self::Plain => {
                let digest =
                    Sha256::new().chain_update(kind.name()).chain_update([0]).chain_update(canonical.as_bytes());
                digest.finalize().into()
            }
            Self::Keyed(mac) => {
                let digest = mac.clone().chain_update(kind.name()).chain_update([0]).chain_update(canonical.as_bytes());
                digest.finalize().into_bytes().into()
            }
        }
    }
}

/// One spelling for all notations of a value, so that they share a token.
fn canonical(kind: Kind, value: &str) -> Cow<'_, str> {
    match kind {
        Kind::UrlCredentials => Cow::Borrowed(value),
        Kind::Email => Cow::Owned(value.replace("%40", "@").to_lowercase()),
        Kind::Ip => Cow::Owned(value.to_lowercase()),
        Kind::Phone | Kind::Iban | Kind::Card | Kind::Mac | Kind::Ssn => {
            let kept = value.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '+');
            Cow::Owned(kept.map(|c| c.to_ascii_lowercase()).collect())
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_digest_is_sha_256_over_kind_and_value() {
        // printf 'email\0a@b.de' | sha256sum
        let token = Digester::Plain.replacement(Action::Token, Kind::Email, "a@b.de");
        assert_eq!(token.as_deref(), Some("[EMAIL_a123efe032525397]"));
    }

    #[test]
    fn a_keyed_digest_is_hmac_sha_256() {
        // printf 'email\0a@b.de' | openssl dgst -sha256 -hmac 0123456789abcdef
        let hash = Digester::keyed("0123456789abcdef").unwrap().replacement(Action::Hash, Kind::Email, "a@b.de");
        assert_eq!(hash.as_deref(), Some("5b730c06fe0439461ff0bb156b00547d"));
    }

    #[test]
    fn spellings_of_one_value_share_a_token() {
        let token = |kind, value| Digester::Plain.replacement(Action::Token, kind, value);
        assert_eq!(token(Kind::Iban, "DE89 3704 0044 0532 0130 00"), token(Kind::Iban, "de89370400440532013000"));
        assert_eq!(token(Kind::Email, "A.B@Example.com"), token(Kind::Email, "a.b%40example.com"));
        assert_eq!(token(Kind::Mac, "AA-BB-CC-DD-EE-FF"), token(Kind::Mac, "aabb.ccdd.eeff"));
        assert_ne!(token(Kind::Phone, "+49 30 123456"), token(Kind::Phone, "49 30 123456"));
    }

    #[test]
    fn equal_digits_of_different_kinds_get_different_tokens() {
        let hex_of = |kind: Kind| hex(&Digester::Plain.digest(kind, "4111111111111111"));
        assert_ne!(hex_of(Kind::Card), hex_of(Kind::Phone));
    }

    #[test]
    fn different_keys_produce_different_tokens() {
        let token = |key| Digester::keyed(key).unwrap().replacement(Action::Token, Kind::Ip, "10.0.0.7");
        assert_ne!(token("one key of many bytes"), token("another key, as long"));
    }
}
