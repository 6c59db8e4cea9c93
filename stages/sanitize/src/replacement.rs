//! What a match is replaced with.

use std::borrow::Cow;
use std::fmt::Write;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// Digest bytes in a token: 64 bits.
const TOKEN_BYTES: usize = 8;
/// Digest bytes in a hash: 96 bits.
const HASH_BYTES: usize = 12;
/// Bytes after them by which a hash is known as one of this stage: 32 bits.
const SEAL_BYTES: usize = 4;
/// How many characters of a value `partial` shows, and how many the value must have at least.
const SHOWN: usize = 4;
const LONG_ENOUGH: usize = 8;

/// What to write instead of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `[EMAIL]`
    Mask,
    /// `[CARD ****1111]`
    Partial,
    /// `[EMAIL_…]` and 64 bits of a digest.
    Token,
    /// A keyed digest without a label.
    Hash,
}

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

    /// The replacement of a value of the kind called `name`, of which `canonical` is the spelling that all notations share.
    pub(crate) fn replacement<'v>(
        &self,
        form: Form,
        name: &str,
        value: &str,
        canonical: impl FnOnce() -> Cow<'v, str>,
    ) -> String {
        let upper = |c: char| if c == '-' { '_' } else { c.to_ascii_uppercase() };
        let label: String = name.chars().map(upper).collect();
        match form {
            Form::Mask => format!("[{label}]"),
            Form::Partial => match shown(name, value) {
                Some(shown) => format!("[{label} ****{shown}]"),
                None => format!("[{label}]"),
            },
            Form::Token => format!("[{label}_{}]", hex(&self.digest(name, &canonical())[..TOKEN_BYTES])),
            Form::Hash => {
                let digest = hex(&self.digest(name, &canonical())[..HASH_BYTES]);
                let seal = hex(&self.digest("seal", &digest)[..SEAL_BYTES]);
                digest + &seal
            }
        }
    }

    pub(crate) fn is_keyed(&self) -> bool {
        matches!(self, Self::Keyed(_))
    }

    /// Whether a value is one of this stage's own replacements, so that a second pass leaves it alone.
    pub(crate) fn wrote(&self, value: &str) -> bool {
        is_label(value) || self.wrote_hash(value)
    }

    fn wrote_hash(&self, value: &str) -> bool {
        let length = 2 * (HASH_BYTES + SEAL_BYTES);
        if value.len() != length || !value.bytes().all(|byte| byte.is_ascii_hexdigit()) || matches!(self, Self::Plain) {
            return false;
        }
        let (digest, seal) = value.split_at(2 * HASH_BYTES);
        hex(&self.digest("seal", digest)[..SEAL_BYTES]) == seal
    }

    /// The digest includes the kind, so that equal digits of different kinds differ.
    fn digest(&self, name: &str, canonical: &str) -> [u8; 32] {
        match self {
            Self::Plain => {
                let digest = Sha256::new().chain_update(name).chain_update([0]).chain_update(canonical.as_bytes());
                digest.finalize().into()
            }
            Self::Keyed(mac) => {
                let digest = mac.clone().chain_update(name).chain_update([0]).chain_update(canonical.as_bytes());
                digest.finalize().into_bytes().into()
            }
        }
    }
}

/// What `partial` shows of a value: its last characters, of an address its host, of a secret nothing.
fn shown(name: &str, value: &str) -> Option<String> {
    match name {
        "email" => value.rsplit_once('@').map(|(_, host)| format!("@{host}")),
        "secret" | "url-credentials" | "field" | "denied" => None,
        _ => {
            let plain: Vec<char> = value.chars().filter(|c| c.is_alphanumeric()).collect();
            (plain.len() >= LONG_ENOUGH).then(|| plain[plain.len() - SHOWN..].iter().collect())
        }
    }
}

/// `[EMAIL]`, `[EMAIL_0123456789abcdef]`, `[CARD ****1111]`.
fn is_label(value: &str) -> bool {
    let Some(inner) = value.strip_prefix('[').and_then(|value| value.strip_suffix(']')) else { return false };
    let capitals = inner.bytes().take_while(|byte| byte.is_ascii_uppercase() || *byte == b'_').count();
    let rest = &inner[capitals..];
    let token = rest.len() == 2 * TOKEN_BYTES && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    capitals > 1 && (rest.is_empty() || token || rest.starts_with(" ****"))
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
        let token = Digester::Plain.replacement(Form::Token, "email", "a@b.de", || "a@b.de".into());
        assert_eq!(token, "[EMAIL_a123efe032525397]");
    }

    #[test]
    fn a_keyed_digest_is_hmac_sha_256() {
        // printf 'email\0a@b.de' | openssl dgst -sha256 -hmac 0123456789abcdef
        let hash = keyed().replacement(Form::Hash, "email", "a@b.de", || "a@b.de".into());
        assert!(hash.starts_with("5b730c06fe0439461ff0bb15"), "{hash}");
        assert_eq!(hash.len(), 32);
    }

    #[test]
    fn what_this_stage_wrote_is_known_again() {
        let digester = keyed();
        for form in [Form::Mask, Form::Partial, Form::Token, Form::Hash] {
            let written = digester.replacement(form, "card", "4111 1111 1111 1111", || "4111111111111111".into());
            assert!(digester.wrote(&written), "{written}");
        }
        let hash = digester.replacement(Form::Hash, "card", "1", || "1".into());
        for other in ["5b730c06fe0439461ff0bb156b00547d", "[link]", "[A", "[]", "[EMAIL_xyz]", "4111"] {
            assert!(!digester.wrote(other), "{other}");
        }
        assert!(!Digester::Plain.wrote(&hash));
    }

    #[test]
    fn a_partial_mask_shows_little() {
        let partial = |name, value| Digester::Plain.replacement(Form::Partial, name, value, || Cow::Borrowed(value));
        assert_eq!(partial("card", "4111-1111-1111-1234"), "[CARD ****1234]");
        assert_eq!(partial("phone", "555013"), "[PHONE]");
        assert_eq!(partial("email", "mia@example.com"), "[EMAIL ****@example.com]");
        assert_eq!(partial("secret", "hunter2hunter2"), "[SECRET]");
    }

    fn keyed() -> Digester {
        Digester::keyed("0123456789abcdef").unwrap()
    }
}
