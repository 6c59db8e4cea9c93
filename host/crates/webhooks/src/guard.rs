//! Which addresses may be told of jobs. A client chooses them, and the host can reach what that client cannot.

use std::net::IpAddr;
use std::sync::Arc;

use gristmill_core::model::network::{Net, is_public};
use gristmill_core::settings::Network;
use reqwest::Url;

/// The longest address, in bytes: it is stored with each job.
const LONGEST: usize = 2_048;
const HTTPS: u16 = 443;

/// Why an address is not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It is no URL.
    #[error("it is not a URL of at most {LONGEST} bytes without spaces and control characters")]
    NotAUrl,
    /// It has another scheme.
    #[error("it does not begin with https://")]
    Scheme,
    /// It has a name or a password in it: they would be stored and shown.
    #[error("it has a user name or a password in it; leave them out, messages are signed")]
    Credentials,
    /// It is not told without HTTPS, or at this port.
    #[error("only https:// at port 443 is told; the operator can allow networks in webhooks.allow")]
    NotAllowed,
    /// It is inside of some network.
    #[error("it leads to an address that is not public; the operator can allow networks in webhooks.allow")]
    Inside,
}

/// Which addresses of the internet are told, and which inside.
#[derive(Debug, Clone)]
pub struct Guard {
    allow: Arc<[Net]>,
}

/// Where a name may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// To public addresses and those that are allowed: with HTTPS at its port.
    Public,
    /// Only to those that are allowed: all else.
    Allowed,
}

/// An address that may be told, as far as that can be known without asking where its name leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(crate) url: Url,
    pub(crate) reach: Reach,
}

impl Guard {
    /// With the networks that are told although they are not public.
    ///
    /// # Errors
    /// The first that is not `ADDRESS/BITS`.
    pub fn new(allow: &[Network]) -> Result<Self, Network> {
        let nets: Result<Vec<Net>, Network> =
            allow.iter().map(|network| Net::read(&network.0).ok_or_else(|| network.clone())).collect();
        Ok(Self { allow: nets?.into() })
    }

    /// Looks at an address that a client gave. Where its name leads is looked at with each try.
    ///
    /// # Errors
    /// If it is not told.
    pub fn check(&self, url: &str) -> Result<Target, BadAddress> {
        // The parser drops tabs and line breaks: two texts would be one address.
        let is_plain = |text: &str| !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if url.len() > LONGEST || !is_plain(url) {
            return Err(BadAddress::NotAUrl);
        }
        let url = Url::parse(url).map_err(|_| BadAddress::NotAUrl)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(BadAddress::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadAddress::Credentials);
        }
        let is_usual = url.scheme() == "https" && url.port_or_known_default() == Some(HTTPS);
        let reach = if is_usual { Reach::Public } else { Reach::Allowed };
        if reach == Reach::Allowed && self.allow.is_empty() {
            return Err(BadAddress::NotAllowed);
        }
        let host = url.host_str().ok_or(BadAddress::NotAUrl)?;
        // As the connection is made: literals do not go by the resolver.
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            self.admit(reach, address)?;
        }
        Ok(Target { url, reach })
    }

    /// Whether a connection to this address may be opened.
    pub(crate) fn admit(&self, reach: Reach, address: IpAddr) -> Result<(), BadAddress> {
        let is_allowed = self.allow.iter().any(|net| net.has(address));
        match reach {
            _ if is_allowed => Ok(()),
            Reach::Public if is_public(address) => Ok(()),
            Reach::Public => Err(BadAddress::Inside),
            Reach::Allowed => Err(BadAddress::NotAllowed),
        }
    }
}

impl Target {
    /// The host, as its tries are counted.
    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn guard(allow: &[&str]) -> Guard {
        let allow: Vec<_> = allow.iter().map(|net| Network((*net).to_owned())).collect();
        Guard::new(&allow).unwrap()
    }

    #[test]
    fn an_address_of_the_internet_is_told_by_https_at_its_port() {
        for (url, expected) in [
            ("https://hooks.example/a?b=c", Ok(Reach::Public)),
            ("https://hooks.example:443/", Ok(Reach::Public)),
            ("HTTPS://8.8.8.8/", Ok(Reach::Public)),
            ("https://hooks.example:8443/", Err(BadAddress::NotAllowed)),
            ("http://hooks.example/", Err(BadAddress::NotAllowed)),
            ("ftp://hooks.example/", Err(BadAddress::Scheme)),
            ("file:///etc/passwd", Err(BadAddress::Scheme)),
            ("https://user@hooks.example/", Err(BadAddress::Credentials)),
            ("https://:canary@hooks.example/", Err(BadAddress::Credentials)),
            ("https://hooks.example/\r\nx: y", Err(BadAddress::NotAUrl)),
            ("https://hooks.exa\tmple/", Err(BadAddress::NotAUrl)),
            ("https://", Err(BadAddress::NotAUrl)),
            ("hooks.example", Err(BadAddress::NotAUrl)),
            (&format!("https://hooks.example/{}", "x".repeat(2_048)), Err(BadAddress::NotAUrl)),
        ] {
            assert_eq!(guard(&[]).check(url).map(|target| target.reach), expected, "{url}");
        }
    }

    #[test]
    fn what_is_allowed_may_be_told_in_any_way_and_nothing_else_by_that() {
        let guard = guard(&["10.1.0.0/16"]);
        for (url, expected) in [
            ("http://10.1.2.3:8080/", Ok(Reach::Allowed)),
            ("https://10.1.2.3/", Ok(Reach::Public)),
            ("http://[::ffff:10.1.2.3]/", Ok(Reach::Allowed)),
            ("http://10.2.2.3/", Err(BadAddress::NotAllowed)),
            ("http://8.8.8.8/", Err(BadAddress::NotAllowed)),
            ("https://10.2.2.3/", Err(BadAddress::Inside)),
        ] {
            assert_eq!(guard.check(url).map(|target| target.reach), expected, "{url}");
        }
        assert_eq!(Guard::new(&[Network("10.0.0.0".into())]).err(), Some(Network("10.0.0.0".into())));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(url in any::<String>()) {
            let _ = guard(&["10.0.0.0/8"]).check(&url);
            let _ = guard(&[]).check(&format!("https://{url}"));
        }
    }
}
