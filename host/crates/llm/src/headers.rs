//! The headers of a target's requests: its key, and those that the operator adds.

use anyhow::{Context, bail};
use gristmill_core::model::TRACEPARENT;
use gristmill_core::settings::SecretRef;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::keys;
use crate::settings::{HeaderText, Headers};

/// Headers of HTTP itself, and those that Gristmill sends to every server.
const OWN: [&str; 10] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    TRACEPARENT,
    "transfer-encoding",
    "upgrade",
];

/// Where a dialect puts the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyPlace {
    /// `authorization: Bearer KEY`.
    Bearer,
    /// The key alone, in the header of this name.
    Named(&'static str),
}

impl KeyPlace {
    fn header(self) -> &'static str {
        match self {
            Self::Bearer => "authorization",
            Self::Named(name) => name,
        }
    }
}

/// What a dialect sends itself.
#[derive(Clone, Copy)]
pub(crate) struct Dialect {
    pub(crate) key: KeyPlace,
    /// Names and values that are the same in every request.
    pub(crate) fixed: &'static [(&'static str, &'static str)],
}

/// The headers of every request of a target, and the secrets in them.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) headers: HeaderMap,
    /// All secrets in one, for the search for echoes of them.
    pub(crate) secrets: Option<SecretString>,
}

impl Sent {
    /// Reads the key and the secrets of a target.
    ///
    /// # Errors
    /// A secret is missing or no header can carry it, or a header is not the operator's to set. The error shows no values.
    pub(crate) fn read(dialect: &Dialect, key: Option<&SecretRef>, headers: &Headers) -> anyhow::Result<Self> {
        let mut sent = HeaderMap::new();
        let mut secrets = Vec::new();
        for (name, text) in headers {
            let name = own_name(dialect, name)?;
            if sent.contains_key(&name) {
                bail!("the header \"{name}\" is given twice; names of headers do not differ by case");
            }
            let value = match text {
                HeaderText::Plain(text) => value(text),
                HeaderText::Secret(origin) => {
                    let secret = origin.read().with_context(|| format!("the header \"{name}\" has no value"))?;
                    let value = value(secret.expose_secret().trim());
                    secrets.push(secret);
                    value
                }
            };
            sent.insert(name.clone(), value.with_context(|| format!("the header \"{name}\" has no value"))?);
        }
        for (name, text) in dialect.fixed {
            sent.insert(HeaderName::from_static(name), HeaderValue::from_static(text));
        }
        if let Some(origin) = key {
            let key = keys::read(origin)?;
            let (name, text) = match dialect.key {
                KeyPlace::Bearer => (AUTHORIZATION, format!("Bearer {}", key.expose_secret())),
                KeyPlace::Named(name) => (HeaderName::from_static(name), key.expose_secret().to_owned()),
            };
            sent.insert(name, value(&text).context("the target's `key` cannot be sent in a header")?);
            secrets.push(key);
        }
        let all: Vec<&str> = secrets.iter().map(ExposeSecret::expose_secret).collect();
        let secrets = (!all.is_empty()).then(|| SecretString::from(all.join("\n")));
        Ok(Self { headers: sent, secrets })
    }

    /// SHA-256 of the secrets.
    pub(crate) fn digest(&self) -> Option<[u8; 32]> {
        self.secrets.as_ref().map(|secrets| Sha256::digest(secrets.expose_secret()).into())
    }
}

/// The name of a header that the operator may set.
fn own_name(dialect: &Dialect, name: &str) -> anyhow::Result<HeaderName> {
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
        bail!("{name:?} is not the name of a header; names have letters, digits and \"-\"");
    };
    if name == dialect.key.header() {
        bail!("the header \"{name}\" carries the key; give it as `key` and remove it from `headers`");
    }
    let fixed = dialect.fixed.iter().any(|(fixed, _)| name == *fixed);
    if fixed || OWN.iter().any(|own| name == *own) {
        bail!("the header \"{name}\" cannot be set: Gristmill sends it itself; remove it from `headers`");
    }
    Ok(name)
}

/// Not shown in any debug output, because some write their keys into the file.
fn value(text: &str) -> anyhow::Result<HeaderValue> {
    let visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ' || byte == b'\t';
    if text.is_empty() || !text.bytes().all(visible) {
        bail!("what is given for it is not one line of visible ASCII");
    }
    let mut value = HeaderValue::from_str(text).map_err(|_| anyhow::anyhow!("it cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALECT: Dialect = Dialect { key: KeyPlace::Named("x-api-key"), fixed: &[("x-version", "1")] };

    fn headers(all: &[(&str, HeaderText)]) -> Headers {
        all.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect()
    }

    fn plain(text: &str) -> HeaderText {
        HeaderText::Plain(text.into())
    }

    fn fault(all: &[(&str, HeaderText)]) -> String {
        match Sent::read(&DIALECT, None, &headers(all)) {
            Err(error) => format!("{error:#}"),
            Ok(_) => "read".into(),
        }
    }

    #[test]
    fn the_key_and_the_operators_headers_are_sent_as_secrets() {
        // Cargo sets them for every test: tests must not change the environment.
        let (key, tenant) = (SecretRef::Env("CARGO_PKG_NAME".into()), SecretRef::Env("CARGO_PKG_VERSION".into()));
        let all = headers(&[("X-Team", plain("red team")), ("x-tenant", HeaderText::Secret(tenant))]);
        let sent = Sent::read(&DIALECT, Some(&key), &all).unwrap();
        let shown = |name: &str| sent.headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(shown("x-api-key"), Some("gristmill-llm"));
        assert_eq!((shown("x-team"), shown("x-version")), (Some("red team"), Some("1")));
        assert_eq!(shown("x-tenant"), Some(env!("CARGO_PKG_VERSION")));
        assert!(sent.headers["x-team"].is_sensitive() && sent.headers["x-api-key"].is_sensitive());
        let secrets = sent.secrets.as_ref().unwrap().expose_secret();
        assert!(secrets.contains("gristmill-llm") && secrets.contains(env!("CARGO_PKG_VERSION")));
        let other = Sent::read(&DIALECT, Some(&key), &Headers::new()).unwrap();
        assert_ne!(sent.digest(), other.digest(), "another tenant is another account");
    }

    #[test]
    fn a_bearer_token_says_so() {
        let dialect = Dialect { key: KeyPlace::Bearer, fixed: &[] };
        let sent = Sent::read(&dialect, Some(&SecretRef::Env("CARGO_PKG_NAME".into())), &Headers::new()).unwrap();
        assert_eq!(sent.headers["authorization"], "Bearer gristmill-llm");
        assert!(Sent::read(&dialect, None, &Headers::new()).unwrap().secrets.is_none());
    }

    #[test]
    fn headers_that_gristmill_sends_itself_are_refused() {
        for (name, expected) in [
            ("x-api-key", "carries the key; give it as `key`"),
            ("X-API-Key", "carries the key"),
            ("x-version", "Gristmill sends it itself"),
            ("Content-Type", "Gristmill sends it itself"),
            ("host", "Gristmill sends it itself"),
            ("traceparent", "Gristmill sends it itself"),
            ("two words", "is not the name of a header"),
        ] {
            let fault = fault(&[(name, plain("canary"))]);
            assert!(fault.contains(expected) && !fault.contains("canary"), "{name}: {fault}");
        }
        assert!(fault(&[("x-a", plain("1")), ("X-A", plain("2"))]).contains("given twice"));
        assert!(fault(&[("x-a", plain("canary\nx-b: 1"))]).contains("one line of visible ASCII"));
        let missing = HeaderText::Secret(SecretRef::Env("GRISTMILL_NO_SUCH_KEY".into()));
        let fault = fault(&[("x-a", missing)]);
        assert!(
            fault.contains("\"x-a\" has no value") && fault.contains("GRISTMILL_NO_SUCH_KEY is not set"),
            "{fault}"
        );
    }
}
