//! Calls of other services through the host: the operator says which, and puts in their keys. Needs the grant "http".
//!
//! ```
//! use gristmill_sdk::http::{self, Request};
//! use gristmill_sdk::{Item, Outcome, Output, StageError};
//!
//! fn look_up(item: &Item, client: &impl http::Client) -> Result<Outcome, StageError> {
//!     let request = Request::get("https://api.example.com/v1/parts/7").header("authorization", "Bearer {{secret.parts}}");
//!     let answer = client.send(request)?.successful()?;
//!     Ok(Outcome::one(Output::from(item).payload(answer.body)))
//! }
//! ```

use crate::StageError;
#[cfg(target_arch = "wasm32")]
use crate::bindings::gristmill::stage::http as host;
pub use crate::bindings::gristmill::stage::http::{Error, Field, Request, Response};
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::outside as host;

/// Something that calls services: [`Host`], or one of your own.
pub trait Client {
    /// Makes one call. Whatever came back is an answer: see [`Response::successful`].
    ///
    /// # Errors
    /// Why nothing came back. Return it with `?`: the host tries the item again where that may help.
    fn send(&self, request: Request) -> Result<Response, Error>;
}

/// The host; in unit tests [`testing::Host`](crate::testing::Host).
#[derive(Debug, Clone, Copy, Default)]
pub struct Host;

impl Client for Host {
    fn send(&self, mut request: Request) -> Result<Response, Error> {
        request.for_item = request.for_item.or_else(crate::llm::current_item);
        host::send(&request)
    }
}

impl Request {
    /// A call by this method, in capital letters.
    #[must_use]
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            for_item: None,
            idempotency_key: None,
            timeout: None,
        }
    }

    /// A call that asks for something.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A call that sends something.
    #[must_use]
    pub fn post(url: impl Into<String>, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut request = Self::new("POST", url).header("content-type", content_type);
        request.body = body.into();
        request
    }

    /// Adds a header. Its value may hold `{{secret.NAME}}`.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(Field { name: name.into(), value: value.into() });
        self
    }

    /// Sets the time for all of the call, in milliseconds.
    #[must_use]
    pub fn timeout(mut self, milliseconds: u64) -> Self {
        self.timeout = Some(milliseconds);
        self
    }

    /// Sets the key that makes two calls one, where the operator has answers kept.
    #[must_use]
    pub fn idempotency_key(mut self, key: &str) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Sets the only item that the call is for.
    #[must_use]
    pub fn for_item(mut self, id: &str) -> Self {
        self.for_item = Some(id.into());
        self
    }
}

impl Response {
    /// The first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let is_it = |field: &&Field| field.name.eq_ignore_ascii_case(name);
        self.headers.iter().find(is_it).map(|field| field.value.as_str())
    }

    /// The answer, if its status is of the two hundreds.
    ///
    /// # Errors
    /// `rate-limited` for 429, not before `retry-after` in seconds; `retryable` for 408, 425 and the five hundreds;
    /// `permanent` for all others. Whether the service or the item is at fault, the host decides by what other calls get.
    pub fn successful(self) -> Result<Self, StageError> {
        let after = self.header("retry-after").and_then(|seconds| seconds.trim().parse::<u64>().ok());
        let after = after.map(|seconds| seconds.saturating_mul(1_000));
        let message = format!("the service answers {}", self.status);
        match self.status {
            200..=299 => Ok(self),
            429 => Err(StageError::rate_limited("http-rate-limited", message, after)),
            408 | 425 | 500.. => Err(StageError::retryable("http-failed", message, after)),
            _ => Err(StageError::permanent("http-refused", message)),
        }
    }
}

impl From<Error> for StageError {
    /// Converts each case as `http.error` documents it.
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(message) => Self::permanent("http-denied", message),
            Error::InvalidRequest(message) => Self::permanent("http-invalid-request", message),
            Error::Unavailable(message) => Self::retryable("http-unavailable", message, None),
            Error::Timeout(message) => Self::retryable("http-timeout", message, None),
            Error::TooLarge(most) => {
                Self::permanent("http-too-large", format!("the answer is larger than {most} bytes"))
            }
            Error::Other(message) => Self::retryable("http-failed", message, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> Response {
        let headers = vec![Field { name: "retry-after".into(), value: "7".into() }];
        Response { status, headers, body: Vec::new(), cached: false }
    }

    #[test]
    fn a_status_says_whether_to_try_again() {
        assert!(answer(204).successful().is_ok());
        assert!(matches!(answer(429).successful(), Err(StageError::RateLimited(retry)) if retry.after == Some(7_000)));
        assert!(matches!(answer(503).successful(), Err(StageError::Retryable(_))));
        for status in [302, 404, 403] {
            assert!(matches!(answer(status).successful(), Err(StageError::Permanent(_))), "{status}");
        }
    }
}
