//! Who may ask what.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::problem::Problem;

/// Who gets in.
#[derive(Debug, Clone)]
pub(super) enum Access {
    /// Everybody on this machine, but no web site that a browser here shows.
    Local,
    /// Who has the token.
    Token(SecretString),
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// Somebody who may know everything.
    Known,
    /// Somebody without a token, who may know whether the host is ready.
    Unknown,
}

/// What answers without a token: orchestrators ask for these.
const OPEN: [&str; 2] = ["/livez", "/readyz"];

impl Access {
    /// Who asks.
    ///
    /// # Errors
    /// The answer to somebody who may not.
    pub(super) fn check(&self, request: &Parts) -> Result<Client, Problem> {
        match self {
            Self::Local => local(request).map(|()| Client::Known),
            Self::Token(token) if has_token(request, token) => Ok(Client::Known),
            Self::Token(_) if OPEN.contains(&request.uri.path()) => Ok(Client::Unknown),
            Self::Token(_) => {
                let detail = "send the token of the host file as \"Authorization: Bearer TOKEN\"";
                Err(Problem::new(StatusCode::UNAUTHORIZED, detail))
            }
        }
    }
}

fn has_token(request: &Parts, token: &SecretString) -> bool {
    let Some(sent) = request.headers.get(header::AUTHORIZATION) else { return false };
    let Some((scheme, sent)) = sent.as_bytes().split_at_checked("bearer ".len()) else { return false };
    // How long they take must not tell how much of the token is right.
    scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(sent.ct_eq(token.expose_secret().as_bytes()))
}

/// Refuses what a browser asks for a web site: by a name of the site's that leads here, or with the site as its origin.
fn local(request: &Parts) -> Result<(), Problem> {
    let host = match request.headers.get(header::HOST) {
        Some(host) => host.to_str().ok(),
        None => request.uri.host().or(Some("localhost")),
    };
    if !host.is_some_and(is_address) {
        let detail =
            "ask for an IP address or localhost, or set a token in the host file: this name may be a web site's";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    if request.method != Method::GET && request.headers.contains_key(header::ORIGIN) {
        let detail = "commands of web sites are refused: set a token in the host file";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(())
}

/// Whether the host of a request is an address of this machine's network, and not a name that anybody can give it.
fn is_address(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn status(access: &Access, request: &Parts) -> Result<Client, u16> {
        access.check(request).map_err(|problem| problem.status.as_u16())
    }

    #[test]
    fn only_the_whole_token_opens() {
        let access = Access::Token("canary-token".into());
        for (sent, expected) in [
            ("Bearer canary-token", Ok(Client::Known)),
            ("bearer canary-token", Ok(Client::Known)),
            ("Bearer canary-toke", Err(401)),
            ("Bearer canary-token2", Err(401)),
            ("Bearer ", Err(401)),
            ("Basic canary-token", Err(401)),
            ("canary-token", Err(401)),
        ] {
            assert_eq!(status(&access, &request("GET", "/healthz", &[("authorization", sent)])), expected, "{sent}");
        }
        assert_eq!(status(&access, &request("POST", "/v1/pipelines/p/pause", &[])), Err(401));
        for path in OPEN {
            assert_eq!(status(&access, &request("GET", path, &[])), Ok(Client::Unknown));
        }
        assert!(!format!("{access:?}").contains("canary"), "{access:?}");
    }

    #[test]
    fn a_web_site_cannot_ask_through_a_browser_of_this_machine() {
        for (host, open) in [
            ("127.0.0.1:9464", true),
            ("localhost:9464", true),
            ("LOCALHOST", true),
            ("[::1]:9464", true),
            ("attacker.example:9464", false),
            ("127.0.0.1.attacker.example", false),
            ("", false),
        ] {
            let expected = if open { Ok(Client::Known) } else { Err(403) };
            assert_eq!(status(&Access::Local, &request("GET", "/healthz", &[("host", host)])), expected, "{host}");
        }
        let from = [("host", "127.0.0.1:9464"), ("origin", "https://attacker.example")];
        assert_eq!(status(&Access::Local, &request("POST", "/v1/pipelines/p/pause", &from)), Err(403));
        assert_eq!(status(&Access::Local, &request("POST", "/v1/pipelines/p/pause", &from[..1])), Ok(Client::Known));
    }
}
