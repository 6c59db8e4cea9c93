//! Lets pages of the web sites in `cors` call the API (the CORS protocol of the Fetch standard).
//!
//! Put around everything that asks for a token: browsers send none with their first question.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use axum::response::Response;
use tower::{Layer, Service};

use super::settings::CorsOrigin;

/// What a page may read beside the body.
const EXPOSED: &str = "Location, ETag, Retry-After";
const METHODS: &str = "GET, POST";
/// How long a browser remembers the answer, in seconds: the most that Chromium takes.
const MAX_AGE: &str = "7200";
/// The longest list of headers that is repeated.
const LONGEST_LIST: usize = 1_000;

/// A layer that answers browsers for the API. Cookies are never asked for: who calls is in the token.
#[derive(Debug, Clone)]
pub(crate) struct Cors {
    origins: Arc<[String]>,
}

impl Cors {
    /// For pages of these web sites, and no others.
    #[must_use]
    pub(crate) fn of(origins: &[CorsOrigin]) -> Self {
        Self { origins: origins.iter().map(|origin| origin.0.clone()).collect() }
    }

    /// The origin of a request, if it is one of ours. Compared as a whole: browsers write it in one spelling.
    fn known(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        let is_known = |known: &String| known.as_bytes() == origin.as_bytes();
        self.origins.iter().any(is_known).then(|| origin.clone())
    }
}

impl<S> Layer<S> for Cors {
    type Service = WithCors<S>;

    fn layer(&self, inner: S) -> WithCors<S> {
        WithCors { inner, cors: self.clone() }
    }
}

/// A service whose answers pages may read.
#[derive(Debug, Clone)]
pub(crate) struct WithCors<S> {
    inner: S,
    cors: Cors,
}

impl<B, S> Service<Request<B>> for WithCors<S>
where
    B: Send + 'static,
    S: Service<Request<B>, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let origin = self.cors.known(request.headers());
        if request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            let answer = preflight(origin, request.headers());
            return Box::pin(std::future::ready(Ok(answer)));
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            let headers = answer.headers_mut();
            // Also without an origin: a cache must not give that answer to a page.
            headers.append(VARY, HeaderValue::from_static("Origin"));
            if let Some(origin) = origin {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
            }
            Ok(answer)
        })
    }
}

/// Whether a page of this origin may send a request. One that may not gets an answer that permits nothing.
fn preflight(origin: Option<HeaderValue>, asked: &HeaderMap) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
    headers.insert(VARY, HeaderValue::from_static(vary));
    let Some(origin) = origin else { return answer };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    // All that it asks for: "*" does not stand for Authorization, and attributes are headers with names of the client's.
    if let Some(wanted) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS)
        && wanted.len() <= LONGEST_LIST
    {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    answer
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tower::Service;

    use super::*;

    async fn ask(method: &str, headers: &[(&str, &str)]) -> Response {
        let cors = Cors::of(&[CorsOrigin("https://app.example".into()), CorsOrigin("http://localhost:3000".into())]);
        let mut service = cors.layer(Router::new().route("/", get(|| async { "jobs" })));
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        service.call(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn only_pages_of_the_sites_may_read_answers() {
        for (origin, expected) in [
            ("https://app.example", true),
            ("http://localhost:3000", true),
            ("http://app.example", false),
            ("https://app.example:8443", false),
            ("https://app.example.attacker.example", false),
            ("https://APP.example", false),
            ("null", false),
        ] {
            let answer = ask("GET", &[("origin", origin)]).await;
            assert_eq!(answer.status(), StatusCode::OK);
            let allowed = answer.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN).map(HeaderValue::as_bytes);
            assert_eq!(allowed, expected.then_some(origin.as_bytes()), "{origin}");
            assert_eq!(answer.headers().contains_key(ACCESS_CONTROL_EXPOSE_HEADERS), expected, "{origin}");
            assert_eq!(answer.headers()[VARY], "Origin");
            assert!(!answer.headers().contains_key("access-control-allow-credentials"));
        }
        let answer = ask("GET", &[]).await;
        assert!(!answer.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        assert_eq!(answer.headers()[VARY], "Origin");
    }

    #[tokio::test]
    async fn a_first_question_is_answered_without_a_token() {
        let wanted = ("access-control-request-headers", "authorization,gristmill-attribute-title");
        let method = ("access-control-request-method", "POST");
        let answer = ask("OPTIONS", &[("origin", "https://app.example"), method, wanted]).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_HEADERS], wanted.1);
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_METHODS], METHODS);
        let answer = ask("OPTIONS", &[("origin", "https://attacker.example"), method, wanted]).await;
        assert!(!answer.headers().keys().any(|name| name.as_str().starts_with("access-control")));
        // No question of a browser's: what the API says to that method.
        assert_eq!(ask("OPTIONS", &[("origin", "https://app.example")]).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
