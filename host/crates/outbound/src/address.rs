//! What an address says, in one spelling: that which is compared is that which is sent.

use percent_encoding::percent_decode_str;
use reqwest::Url;

/// The longest address, in bytes.
const LONGEST: usize = 8_192;

/// Why an address is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadAddress {
    #[error("it is no URL of at most {LONGEST} bytes without spaces and control characters")]
    NotAUrl,
    #[error("it does not begin with https:// or http://")]
    Scheme,
    #[error("it has a user name or a password in it; send them in a header, by a secret")]
    Credentials,
    #[error("it has a fragment (#…), which is never sent")]
    Fragment,
    #[error(
        "its path has \"/\", \"\\\", \".\" segments or control characters encoded, which servers read in several ways"
    )]
    Path,
    #[error("it holds a secret's placeholder; secrets are only put into headers")]
    Secret,
}

/// An address, and its path decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Its host in small letters and Punycode, numbers as four of them, and no dot segments.
    pub(crate) url: Url,
    pub(crate) path: String,
}

impl Address {
    pub(crate) fn read(text: &str) -> Result<Self, BadAddress> {
        // The parser drops tabs and line breaks: two texts would be one address.
        let is_plain = |text: &str| !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if text.len() > LONGEST || !is_plain(text) {
            return Err(BadAddress::NotAUrl);
        }
        if text.contains("{{secret.") {
            return Err(BadAddress::Secret);
        }
        let url = Url::parse(text).map_err(|_| BadAddress::NotAUrl)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(BadAddress::Scheme);
        }
        // An empty user name leaves no trace in what was parsed.
        let authority = text.split_once("//").map_or("", |(_, rest)| rest);
        let authority = authority.split(['/', '\\', '?', '#']).next().unwrap_or_default();
        if !url.username().is_empty() || url.password().is_some() || authority.contains('@') {
            return Err(BadAddress::Credentials);
        }
        if url.fragment().is_some() {
            return Err(BadAddress::Fragment);
        }
        let path = plain(url.path()).ok_or(BadAddress::Path)?;
        Ok(Self { url, path })
    }

    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(crate) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

/// The path decoded once; `None` if decoding it, however often, would change where it leads.
fn plain(path: &str) -> Option<String> {
    let once = decoded(path)?;
    let mut text = once.clone();
    if slashes(path) != slashes(&text) {
        return None;
    }
    loop {
        if text.contains('\\') || text.chars().any(char::is_control) || text.split('/').any(is_dots) {
            return None;
        }
        let next = decoded(&text)?;
        if slashes(&next) != slashes(&text) {
            return None;
        }
        if next == text {
            return Some(once);
        }
        text = next;
    }
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

fn slashes(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'/').count()
}

/// Whether a segment is "." or "..", also with parameters, which some servers cut off first.
fn is_dots(segment: &str) -> bool {
    matches!(segment.split(';').next(), Some("." | ".."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        for (text, expected) in [
            ("HTTPS://API.Example:443/a", "https://api.example/a"),
            ("https://api.example/a/../b/./c", "https://api.example/b/c"),
            ("https://api.example/a/%2e%2E/b", "https://api.example/b"),
            ("https://api.example\\a", "https://api.example/a"),
            ("https://b\u{fc}cher.example/", "https://xn--bcher-kva.example/"),
            ("https://0x7f.1/", "https://127.0.0.1/"),
            ("https://2130706433/", "https://127.0.0.1/"),
            ("https://017700000001/", "https://127.0.0.1/"),
            ("https://[::FFFF:127.0.0.1]/", "https://[::ffff:7f00:1]/"),
            ("https://\u{ff11}27.0.0.1/", "https://127.0.0.1/"),
        ] {
            assert_eq!(Address::read(text).map(|address| address.url.to_string()).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(Address::read("https://h/a%20b/%7e").unwrap().path, "/a b/~");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for (text, expected) in [
            ("https://h/v1/..%2fadmin", BadAddress::Path),
            ("https://h/v1/%2e%2e%2fadmin", BadAddress::Path),
            ("https://h/v1/..%252fadmin", BadAddress::Path),
            ("https://h/v1/%252e%252e/admin", BadAddress::Path),
            ("https://h/v1/%25252e%25252e/admin", BadAddress::Path),
            ("https://h/v1/..%5cadmin", BadAddress::Path),
            ("https://h/v1/..;x=1/admin", BadAddress::Path),
            ("https://h/v1/.%2e;/admin", BadAddress::Path),
            ("https://h/v1/%c0%ae%c0%ae/admin", BadAddress::Path),
            ("https://h/v1/a%0d%0ax", BadAddress::Path),
            ("https://h/v1/a%00", BadAddress::Path),
            ("https://user@h/", BadAddress::Credentials),
            ("https://@h/", BadAddress::Credentials),
            ("https://:@h/", BadAddress::Credentials),
            ("https://api.example@127.0.0.1/", BadAddress::Credentials),
            ("https://api.example:443@127.0.0.1/", BadAddress::Credentials),
            ("https://h/\r\nx: y", BadAddress::NotAUrl),
            ("https://h/a b", BadAddress::NotAUrl),
            ("https://h\t/", BadAddress::NotAUrl),
            ("https://h/#x", BadAddress::Fragment),
            ("file:///etc/passwd", BadAddress::Scheme),
            ("gopher://h/", BadAddress::Scheme),
            ("h/a", BadAddress::NotAUrl),
            ("https://h/{{secret.a}}", BadAddress::Secret),
        ] {
            assert_eq!(Address::read(text).err(), Some(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_no_path_keeps_dots(text in ".*", path in "[./%25a-fA-F;\\\\]{0,30}") {
            let _ = Address::read(&text);
            if let Ok(address) = Address::read(&format!("https://h/{path}")) {
                let mut text = address.path;
                for _ in 0..8 {
                    prop_assert!(!text.split('/').any(|segment| segment == ".."), "{text}");
                    text = percent_decode_str(&text).decode_utf8().unwrap().into_owned();
                }
            }
        }
    }
}
