//! Secrets that are put into headers, for the hosts that they are named for, and taken out of answers.

use std::collections::BTreeMap;

use gristmill_core::settings::SecretRef;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use super::address::Address;
use super::settings::SecretGrant;

/// Shorter ones would be found in answers by chance.
const SHORTEST: usize = 8;
/// What begins and ends a placeholder.
const BEGIN: &str = "{{secret.";
const END: &str = "}}";

/// The secrets of a grant.
pub(crate) struct Secrets(BTreeMap<String, Secret>);

struct Secret {
    value: SecretString,
    hosts: Vec<String>,
}

/// Why a header gets no secret. Holds nothing of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoSecret {
    /// The grant does not give it.
    Denied(String),
    /// It is not written as a placeholder is.
    Malformed(String),
}

impl Secrets {
    /// Reads them.
    ///
    /// # Errors
    /// The name of one that cannot be used, and why. Nothing that was read is shown.
    pub(crate) fn read(grants: &BTreeMap<String, SecretGrant>) -> Result<Self, (String, String)> {
        let mut secrets = BTreeMap::new();
        for (name, SecretGrant { from, hosts }) in grants {
            let refused = |reason: String| (name.clone(), reason);
            let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if name.is_empty() || name.len() > 64 || !name.chars().all(legal) {
                return Err(refused("its name has other characters than letters, digits, \"-\" and \"_\"".into()));
            }
            let value = value(from).map_err(refused)?;
            let host = |text: &String| match Address::read(&format!("https://{text}/")) {
                Ok(address) if address.url.port().is_none() && address.path == "/" => Ok(address.host().to_owned()),
                _ => Err(refused(format!("{text:?} is no host; write it as in api.example.com, without a port"))),
            };
            let hosts = hosts.iter().map(host).collect::<Result<_, _>>()?;
            secrets.insert(name.clone(), Secret { value, hosts });
        }
        Ok(Self(secrets))
    }

    /// The hosts of each, with its name.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(name, secret)| secret.hosts.iter().map(move |host| (name.as_str(), host.as_str())))
    }

    /// A header's value with the secrets for this host in it.
    ///
    /// # Errors
    /// A secret that is not for this host, or a value that is none.
    pub(crate) fn fill(&self, text: &str, host: &str) -> Result<HeaderValue, NoSecret> {
        let malformed = || NoSecret::Malformed("a header's value is text without control characters".into());
        if !text.contains(BEGIN) {
            return HeaderValue::from_str(text).map_err(|_| malformed());
        }
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, placeholder)) = rest.split_once(BEGIN) {
            let Some((name, after)) = placeholder.split_once(END) else {
                return Err(NoSecret::Malformed("a secret's placeholder does not end in }}".into()));
            };
            let Some(secret) = self.0.get(name) else {
                let names: Vec<_> = self.0.keys().map(String::as_str).collect();
                let reason = format!("the grant has no secret {name:?}; it has: {}", names.join(", "));
                return Err(NoSecret::Denied(reason));
            };
            if !secret.hosts.iter().any(|allowed| allowed == host) {
                return Err(NoSecret::Denied(format!("the secret {name} is not for {host}")));
            }
            filled.push_str(before);
            filled.push_str(secret.value.expose_secret());
            rest = after;
        }
        filled.push_str(rest);
        let mut value = HeaderValue::from_str(&filled).map_err(|_| malformed())?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// The same bytes with placeholders in place of secrets; `None` if there are none in them.
    pub(crate) fn take_out(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut cleaned = None;
        for (name, secret) in &self.0 {
            let secret = secret.value.expose_secret().as_bytes();
            let mut rest = cleaned.as_deref().unwrap_or(bytes);
            let mut without = Vec::new();
            while let Some(at) = find(rest, secret) {
                without.extend_from_slice(&rest[..at]);
                without.extend_from_slice(format!("{BEGIN}{name}{END}").as_bytes());
                rest = &rest[at + secret.len()..];
            }
            if !without.is_empty() {
                without.extend_from_slice(rest);
                cleaned = Some(without);
            }
        }
        cleaned
    }

    /// The same for text.
    pub(crate) fn take_out_of(&self, text: String) -> String {
        match self.take_out(text.as_bytes()) {
            Some(cleaned) => String::from_utf8_lossy(&cleaned).into_owned(),
            None => text,
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

fn value(from: &SecretRef) -> Result<SecretString, String> {
    let secret = from.read().map_err(|error| error.to_string())?;
    let value = secret.expose_secret().trim();
    match value.len() >= SHORTEST && value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        true => Ok(SecretString::from(value)),
        false => Err(format!("{from} does not hold a secret for a header: at least {SHORTEST} characters of ASCII")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "canary-token";

    fn secrets() -> (tempfile::TempDir, Secrets) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, CANARY).unwrap();
        let grant = SecretGrant { from: SecretRef::File(file), hosts: vec!["API.example".into()] };
        (folder, Secrets::read(&BTreeMap::from([("token".to_owned(), grant)])).ok().unwrap())
    }

    #[test]
    fn a_secret_is_put_in_for_its_host_only() {
        let (_folder, secrets) = secrets();
        let filled = secrets.fill("Bearer {{secret.token}}!", "api.example").unwrap();
        assert_eq!(filled.to_str().unwrap(), "Bearer canary-token!");
        assert!(filled.is_sensitive() && !format!("{filled:?}").contains("canary"));
        for (text, host) in [
            ("{{secret.token}}", "other.example"),
            ("{{secret.token}}", "api.example.evil.test"),
            ("{{secret.other}}", "api.example"),
            ("{{secret.TOKEN}}", "api.example"),
        ] {
            assert!(matches!(secrets.fill(text, host), Err(NoSecret::Denied(_))), "{text} {host}");
        }
        for text in ["{{secret.token", "a\r\nb", "{{secret.token}}\r\nhost: x"] {
            assert!(matches!(secrets.fill(text, "api.example"), Err(NoSecret::Malformed(_))), "{text}");
        }
        assert_eq!(secrets.fill("{{ plain }}", "other.example").unwrap(), "{{ plain }}");
    }

    #[test]
    fn a_secret_that_comes_back_is_taken_out() {
        let (_folder, secrets) = secrets();
        assert_eq!(secrets.take_out(b"nothing canary-toke"), None);
        let cleaned = secrets.take_out(b"acanary-tokencanary-token b").unwrap();
        assert_eq!(cleaned, b"a{{secret.token}}{{secret.token}} b");
        assert_eq!(secrets.take_out_of(CANARY.into()), "{{secret.token}}");
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused_without_being_shown() {
        let folder = tempfile::tempdir().unwrap();
        for (content, hosts) in [("canary", "a.example"), ("canary\u{e9}-long", "a.example"), (CANARY, "a.example:1")] {
            let file = folder.path().join("token");
            std::fs::write(&file, content).unwrap();
            let grant = SecretGrant { from: SecretRef::File(file), hosts: vec![hosts.into()] };
            let (name, reason) = Secrets::read(&BTreeMap::from([("t".to_owned(), grant)])).err().unwrap();
            assert!(name == "t" && !reason.contains("canary"), "{reason}");
        }
    }
}
