//! A call of another service over HTTP and its answer, as stages and the host both see it.

use std::time::Duration;

use bytes::Bytes;

use super::canonical::Canonical;

/// What a stage wants to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// In capital letters: "GET".
    pub method: String,
    /// The whole address.
    pub url: String,
    /// Names and values. A value may hold placeholders of secrets.
    pub headers: Vec<(String, String)>,
    /// The body, empty for none.
    pub body: Bytes,
    /// Requests of a job and stage with the same key are one, where answers are kept.
    pub idempotency_key: Option<String>,
    /// Time limit for the whole call.
    pub timeout: Option<Duration>,
}

impl HttpRequest {
    /// A digest of everything that is sent. Secrets are not in it, only their placeholders.
    ///
    /// Do not change the encoding: journals look up answers by it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        // Destructured in full, so that adding a field does not compile until someone decides whether to include it.
        let Self { method, url, headers, body, idempotency_key: _, timeout: _ } = self;
        let mut to = Canonical::digest("gristmill http 1");
        to.text(method);
        to.text(url);
        to.list(headers.iter(), |to, (name, value)| {
            to.text(name);
            to.text(value);
        });
        to.bytes(body);
        to.finish()
    }
}

/// What a service answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status, 200 to 599.
    pub status: u16,
    /// Names in small letters, and values, without those that are of the connection or set cookies.
    pub headers: Vec<(String, String)>,
    /// The body, as it was sent.
    pub body: Bytes,
    /// True if the job had this answer already and nothing was sent.
    pub cached: bool,
}

/// Why there is no answer. Texts name no secret and hold nothing that the service said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpFailure {
    /// The grant does not allow it.
    Denied(String),
    /// It is malformed, and was not sent.
    InvalidRequest(String),
    /// The service was not reached, or broke the connection.
    Unavailable(String),
    /// There was no whole answer in time.
    Timeout(String),
    /// The answer is larger than so many bytes.
    TooLarge(u64),
}
