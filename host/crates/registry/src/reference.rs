//! What a pipeline file writes for a component in a registry.

use std::fmt;
use std::net::IpAddr;

use super::Digest;

/// `oci://REGISTRY/NAME@sha256:DIGITS`, with the digest of the manifest. A tag before the digest is for people and is not
/// looked at: whoever pushes can move it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: String,
    name: String,
    tag: Option<String>,
    digest: Digest,
}

impl Reference {
    /// What a reference begins with.
    pub const SCHEME: &'static str = "oci://";

    /// Reads a reference.
    ///
    /// # Errors
    /// What is wrong with it, and what it should look like.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix(Self::SCHEME).ok_or("begins with oci://")?;
        let (place, digest) =
            rest.rsplit_once('@').ok_or("needs the digest of its manifest: oci://registry/name@sha256:…")?;
        let digest = Digest::parse(digest).ok_or("ends in @sha256: and 64 digits of 0-9 and a-f")?;
        let (registry, name) =
            place.split_once('/').ok_or("names a registry and a component: oci://registry/name@…")?;
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) => (name, Some(tag)),
            None => (name, None),
        };
        if !is_registry(registry) {
            return Err("names a registry as host or host:port: oci://registry.example.com/name@…");
        }
        if name.len() > 255 || !name.split('/').all(is_part) {
            return Err(
                "names a component by small letters, digits and \".\", \"_\", \"-\" between them, in parts with \"/\"",
            );
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err("has a tag of letters, digits, \".\", \"_\" and \"-\"");
        }
        Ok(Self { registry: registry.into(), name: name.into(), tag: tag.map(Into::into), digest })
    }

    /// The registry, as host or host:port.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The component's name in the registry.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The digest of the manifest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Where the registry's API begins. Without TLS only on this machine.
    pub(crate) fn base(&self) -> String {
        let scheme = if is_this_machine(&self.registry) { "http" } else { "https" };
        format!("{scheme}://{}/v2/{}", self.registry, self.name)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registry, name, tag, digest } = self;
        write!(f, "{}{registry}/{name}", Self::SCHEME)?;
        match tag {
            Some(tag) => write!(f, ":{tag}@{digest}"),
            None => write!(f, "@{digest}"),
        }
    }
}

/// Host names, addresses and ports; no user, no path.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(|host| host.parse::<IpAddr>());
    let is_host = match is_address {
        Some(address) => address.is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)),
    };
    is_host && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// As the distribution specification has it.
fn is_part(part: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_edge = |byte: Option<u8>| byte.is_some_and(is_inner);
    part.bytes().all(|byte| is_inner(byte) || b"._-".contains(&byte))
        && is_edge(part.bytes().next())
        && is_edge(part.bytes().last())
}

fn is_tag(tag: &str) -> bool {
    (1..=128).contains(&tag.len())
        && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !tag.starts_with(['.', '-'])
}

/// Whether a registry is on this machine, by what it is called.
pub(crate) fn is_this_machine(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => registry,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_reference_is_what_it_was_written_as() {
        for text in ["oci://ghcr.io/acme/stages/shout", "oci://localhost:5000/shout:1.2", "oci://[::1]:5000/a_b"] {
            let text = format!("{text}@{DIGEST}");
            assert_eq!(Reference::parse(&text).unwrap().to_string(), text);
        }
        let base = |registry: &str| Reference::parse(&format!("oci://{registry}/a@{DIGEST}")).unwrap().base();
        assert_eq!(base("ghcr.io"), "https://ghcr.io/v2/a");
        assert_eq!(base("127.0.0.1:5000"), "http://127.0.0.1:5000/v2/a");
        assert_eq!(base("localhost.example.com"), "https://localhost.example.com/v2/a");
        assert_eq!(base("10.0.0.1"), "https://10.0.0.1/v2/a");
    }

    #[test]
    fn what_is_wrong_with_a_reference_is_said() {
        for (text, said) in [
            ("oci://ghcr.io/shout".to_owned(), "needs the digest"),
            ("oci://ghcr.io/shout:1.2".to_owned(), "needs the digest"),
            ("oci://ghcr.io/shout@sha256:abc".to_owned(), "64 digits"),
            (format!("oci://ghcr.io/shout@{}", DIGEST.to_uppercase()), "64 digits"),
            (format!("oci://ghcr.io@{DIGEST}"), "a registry and a component"),
            (format!("oci://user@ghcr.io/a@{DIGEST}"), "names a registry as host"),
            (format!("oci://ghcr.io:99999/a@{DIGEST}"), "names a registry as host"),
            (format!("oci://ghcr.io/../a@{DIGEST}"), "names a component"),
            (format!("oci://ghcr.io/A@{DIGEST}"), "names a component"),
            (format!("oci://ghcr.io/a:b c@{DIGEST}"), "has a tag"),
            (format!("https://ghcr.io/a@{DIGEST}"), "begins with oci://"),
        ] {
            let fault = Reference::parse(&text).unwrap_err();
            assert!(fault.contains(said), "{text}: {fault}");
        }
    }
}
