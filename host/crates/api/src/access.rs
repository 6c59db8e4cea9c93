//! Who is let in, and how many at a time.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use gristmill_core::ports::Denied;

use super::api::{Api, Shared};
use super::problem::{Kind, Problem};

/// What answers without a token: orchestrators and people who look around.
const OPEN: [&str; 2] = ["/livez", "/v1/openapi.json"];

/// Lets a request in whose client may ask, if there is room. Its caller is among its extensions from then on.
pub(crate) async fn admit(State(api): State<Shared>, mut request: Request, next: Next) -> Result<Response, Problem> {
    let Ok(_permit) = Arc::clone(&api.requests).try_acquire_owned() else {
        let detail = "too many requests are answered at this moment; ask again";
        return Err(Problem::new(Kind::TooManyRequests, detail).retry_after(1));
    };
    if OPEN.contains(&request.uri().path()) {
        return Ok(next.run(request).await);
    }
    let caller = api.parts.admission.admit(token(request.headers())?).await.map_err(of_denied)?;
    if caller.owner.is_none() {
        check_site(&api, &request)?;
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// The token of a request.
fn token(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let Some(sent) = all.next() else { return Ok(None) };
    let sent = sent.to_str().ok().and_then(|sent| sent.split_once(' '));
    match (sent, all.next()) {
        (Some((scheme, token)), None) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Problem::new(Kind::Unauthenticated, "send a token as \"Authorization: Bearer TOKEN\", once")),
    }
}

fn of_denied(denied: Denied) -> Problem {
    let detail = denied.to_string();
    match denied {
        Denied::NoToken | Denied::BadToken(_) => Problem::new(Kind::Unauthenticated, detail),
        Denied::NotNow { retry_after } => {
            let seconds = u32::try_from(retry_after.as_secs()).unwrap_or(u32::MAX).max(1);
            Problem::new(Kind::KeysUnavailable, detail).retry_after(seconds)
        }
    }
}

/// Where nobody has a token, refuses what a browser asks for a web site: by a name of the site's that leads here, or with
/// the site as its origin.
fn check_site(api: &Api, request: &Request) -> Result<(), Problem> {
    let origin = request.headers().get(header::ORIGIN);
    let is_known = |origin: &str| api.origins.iter().any(|known| known.0 == origin);
    if request.method() != Method::GET && origin.is_some_and(|origin| !origin.to_str().is_ok_and(is_known)) {
        let detail = "requests of web sites are refused: add the site to api.cors of the host file";
        return Err(Problem::new(Kind::ForeignOrigin, detail));
    }
    let host = match request.headers().get(header::HOST) {
        Some(host) => host.to_str().ok(),
        None => request.uri().host().or(Some("localhost")),
    };
    if api.anyone || host.is_some_and(is_address) {
        return Ok(());
    }
    let detail =
        "ask for an IP address or localhost, or configure [auth] in the host file: this name may be a web site's";
    Err(Problem::new(Kind::ForeignOrigin, detail))
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
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_one_bearer_token_counts() {
        let headers = |values: &[&str]| -> HeaderMap {
            values.iter().map(|value| (header::AUTHORIZATION, value.parse().unwrap())).collect()
        };
        assert_eq!(token(&headers(&["bearer abc"])).unwrap(), Some("abc"));
        assert_eq!(token(&headers(&[])).unwrap(), None);
        for wrong in [&["Basic abc"][..], &["abc"], &["Bearer a", "Bearer b"]] {
            assert_eq!(token(&headers(wrong)).unwrap_err().kind, Kind::Unauthenticated, "{wrong:?}");
        }
    }

    #[test]
    fn keys_that_cannot_be_had_are_no_fault_of_the_client() {
        let problem = of_denied(Denied::NotNow { retry_after: Duration::from_millis(1) });
        assert_eq!((problem.kind, problem.retry_after), (Kind::KeysUnavailable, Some(1)));
        assert_eq!(of_denied(Denied::NoToken).kind, Kind::Unauthenticated);
    }

    #[test]
    fn a_name_of_a_web_site_is_no_address() {
        for (host, expected) in
            [("127.0.0.1:80", true), ("[::1]:80", true), ("localhost", true), ("a.example", false), ("", false)]
        {
            assert_eq!(is_address(host), expected, "{host}");
        }
    }
}
