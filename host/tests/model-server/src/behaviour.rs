//! How calls are answered.

use bytes::Bytes;
use serde_json::json;

use crate::answers::Fault;

/// How one call is answered.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// A whole answer with this text.
    Answer(String),
    /// The same, after the test calls `release`.
    Held(String),
    /// Exactly this response.
    Raw {
        /// The HTTP status.
        status: u16,
        /// Names and values.
        headers: Vec<(&'static str, String)>,
        /// The response body.
        body: String,
    },
    /// 200 with these bytes as JSON, whatever they are.
    Bytes(Vec<u8>),
    /// The same, compressed as gzip.
    Compressed(Bytes),
    /// No response, ever.
    Silence,
    /// An endless answer, one byte at a time.
    Drip,
    /// This many bytes without a content length.
    Flood(usize),
    /// The start of an answer, then the connection breaks.
    BreakOff,
    /// A stream whose first events are those of an answer with this text; after them, what goes wrong. The second event
    /// has the first word. With more events than there are, all of the answer is sent first.
    Cut {
        /// The text of the answer.
        text: String,
        /// How many events are sent.
        events: usize,
        /// What then.
        fault: Fault,
    },
    /// A whole answer in one piece, whatever was asked for.
    Unstreamed(String),
}

impl Behaviour {
    /// A whole answer.
    pub fn answer(text: impl Into<String>) -> Self {
        Self::Answer(text.into())
    }

    /// A stream that goes wrong after this many events.
    pub fn cut(text: impl Into<String>, events: usize, fault: Fault) -> Self {
        Self::Cut { text: text.into(), events, fault }
    }

    /// 429 with this `retry-after`: seconds or an HTTP date.
    pub fn rate_limited(retry_after: impl Into<String>) -> Self {
        let body = json!({"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}});
        Self::Raw { status: 429, headers: vec![("retry-after", retry_after.into())], body: body.to_string() }
    }

    /// A status with an error in OpenAI's format.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = json!({"error": {"message": message, "type": "error", "param": null, "code": code}});
        Self::Raw { status, headers: vec![("content-type", "application/json".into())], body: body.to_string() }
    }

    /// 200 with this content type and body.
    pub fn ok(content_type: &str, body: impl Into<String>) -> Self {
        Self::Raw { status: 200, headers: vec![("content-type", content_type.into())], body: body.into() }
    }

    /// A redirect that keeps method and body.
    pub fn redirect(to: impl Into<String>) -> Self {
        Self::Raw { status: 307, headers: vec![("location", to.into())], body: String::new() }
    }
}
