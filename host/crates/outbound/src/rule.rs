//! Which calls a grant allows, by method, host and path.

use std::net::IpAddr;

use reqwest::Method;

use super::address::Address;

/// One address of a grant, with its methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    methods: Methods,
    scheme: String,
    host: Host,
    port: u16,
    path: Path,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Methods {
    Any,
    These(Vec<Method>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Is(String),
    /// Ends in this, which begins with a dot.
    Below(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Path {
    Is(String),
    Begins(String),
}

/// Those that can be allowed: the others ask proxies, or have a server tell what it got.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// The method that is written so.
pub(crate) fn method(text: &str) -> Option<Method> {
    METHODS.iter().find(|method| method.as_str() == text).cloned()
}

impl Rule {
    /// Reads `[METHODS ]ADDRESS`.
    ///
    /// # Errors
    /// What is wrong with it, and how to write it.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (methods, url) = match text.split_once(char::is_whitespace) {
            Some((methods, url)) => (Methods::read(methods)?, url.trim()),
            None => (Methods::These(vec![Method::GET, Method::HEAD]), text),
        };
        let (scheme, rest) =
            url.split_once("://").ok_or("it is no address; write https://HOST/PATH, with * at its end for any end")?;
        let (authority, path) = rest.split_once('/').ok_or("it has no path; add /, or /* for any")?;
        let (is_below, authority) = match authority.strip_prefix("*.") {
            Some(authority) => (true, authority),
            None => (false, authority),
        };
        let (is_begin, path) = match path.strip_suffix('*') {
            Some(path) => (true, path),
            None => (false, path),
        };
        if authority.contains('*') || path.contains('*') {
            return Err("* stands only before the host, as *.example.com, and at the end of the path".into());
        }
        if path.contains('?') {
            return Err("queries are not part of what is allowed; leave ? and what follows out".into());
        }
        let address = Address::read(&format!("{scheme}://{authority}/{path}")).map_err(|error| error.to_string())?;
        let host = address.host().to_owned();
        if is_below && literal(&host).is_some() {
            return Err("there are no names below a number".into());
        }
        Ok(Self {
            methods,
            scheme: address.url.scheme().to_owned(),
            host: if is_below { Host::Below(format!(".{host}")) } else { Host::Is(host) },
            port: address.port(),
            path: if is_begin { Path::Begins(address.path) } else { Path::Is(address.path) },
        })
    }

    /// Whether it is about this address, by whatever method.
    pub(crate) fn has(&self, address: &Address) -> bool {
        let is_path = match &self.path {
            Path::Is(path) => *path == address.path,
            Path::Begins(start) => address.path.starts_with(start.as_str()),
        };
        self.scheme == address.url.scheme() && self.is_host(address.host()) && self.port == address.port() && is_path
    }

    pub(crate) fn is_host(&self, host: &str) -> bool {
        match &self.host {
            Host::Is(name) => name == host,
            Host::Below(end) => host.len() > end.len() && host.ends_with(end.as_str()),
        }
    }

    pub(crate) fn takes(&self, method: &Method) -> bool {
        match &self.methods {
            Methods::Any => true,
            Methods::These(methods) => methods.contains(method),
        }
    }

    /// The number that it names instead of a host.
    pub(crate) fn literal(&self) -> Option<IpAddr> {
        match &self.host {
            Host::Is(host) => literal(host),
            Host::Below(_) => None,
        }
    }
}

/// The address that stands in place of a name.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

impl Methods {
    fn read(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let read = |name: &str| method(name).ok_or_else(|| format!("{name:?} is no method; methods are {}", names()));
        text.split(',').map(read).collect::<Result<_, _>>().map(Self::These)
    }
}

fn names() -> String {
    METHODS.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(rule: &str, method: Method, url: &str) -> bool {
        let (rule, address) = (Rule::read(rule).unwrap(), Address::read(url).unwrap());
        rule.has(&address) && rule.takes(&method)
    }

    #[test]
    fn a_rule_allows_what_it_says_and_nothing_beside() {
        let v1 = "https://api.example.com/v1/*";
        for (rule, method, url, expected) in [
            (v1, Method::GET, "https://api.example.com/v1/parts?id=7", true),
            (v1, Method::HEAD, "https://API.EXAMPLE.com:443/v1/", true),
            (v1, Method::POST, "https://api.example.com/v1/parts", false),
            (v1, Method::GET, "https://api.example.com/v1", false),
            (v1, Method::GET, "https://api.example.com/v2/parts", false),
            (v1, Method::GET, "https://api.example.com/v1/../v2", false),
            (v1, Method::GET, "https://api.example.com/%76%31/a", true),
            (v1, Method::GET, "http://api.example.com/v1/parts", false),
            (v1, Method::GET, "https://api.example.com:8443/v1/parts", false),
            (v1, Method::GET, "https://api.example.com./v1/parts", false),
            (v1, Method::GET, "https://evil-api.example.com/v1/parts", false),
            (v1, Method::GET, "https://api.example.com.evil.test/v1/parts", false),
            ("POST,PUT https://h.example/a", Method::PUT, "https://h.example/a", true),
            ("POST,PUT https://h.example/a", Method::GET, "https://h.example/a", false),
            ("POST https://h.example/a", Method::POST, "https://h.example/ab", false),
            ("* https://h.example/*", Method::DELETE, "https://h.example/", true),
            ("https://*.example.com/*", Method::GET, "https://a.b.example.com/x", true),
            ("https://*.example.com/*", Method::GET, "https://example.com/x", false),
            ("https://*.example.com/*", Method::GET, "https://evilexample.com/x", false),
            ("https://b\u{fc}cher.example/*", Method::GET, "https://xn--bcher-kva.example/x", true),
            ("http://127.0.0.1:8080/*", Method::GET, "http://0x7f000001:8080/x", true),
        ] {
            assert_eq!(allows(rule, method.clone(), url), expected, "{rule} {method} {url}");
        }
    }

    #[test]
    fn a_rule_that_says_something_else_than_it_seems_to_is_refused() {
        for (rule, expected) in [
            ("api.example.com/v1/*", "no address"),
            ("https://api.example.com", "no path"),
            ("https://*/*", "only before the host"),
            ("https://api.*.com/*", "only before the host"),
            ("https://h.example/*/x", "only before the host"),
            ("https://h.example/x?y=*", "queries"),
            ("https://user@h.example/*", "user name"),
            ("https://h.example/a/%2e%2e%2fb", "several ways"),
            ("ftp://h.example/*", "https://"),
            ("get https://h.example/*", "is no method"),
            ("TRACE https://h.example/*", "is no method"),
            ("POST,, https://h.example/*", "is no method"),
            ("https://*.127.0.0.1/*", "below a number"),
        ] {
            let error = Rule::read(rule).unwrap_err();
            assert!(error.contains(expected), "{rule}: {error}");
        }
    }
}
