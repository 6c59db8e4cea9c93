//! One model server over HTTP: asks once, reads an answer that is bounded in size and time, and says what was lost.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use bytes::Bytes;
use gristmill_core::model::{ChatFailure, Sign, TRACEPARENT};
use gristmill_core::ports::Caller;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Response, StatusCode, Url, redirect, retry};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{timeout, timeout_at};

use crate::answered::Unanswered;
use crate::headers::Sent;
use crate::limits::Account;
use crate::pace::{Clock, Pace, Seen};
use crate::quote::{Quote, clean};
use crate::retry_after::Refusal;
use crate::secrets::Secrets;
use crate::stream::{BYTE_ORDER_MARK, Cut, Gathering, Incoming, Taken, TooLarge};

/// A server that does not accept the connection within this time is unavailable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection on which something still comes behind an answer is given up after this time. Nobody waits for it.
const FOR_CONNECTION: Duration = Duration::from_millis(500);

/// How a server is reached.
#[derive(Clone)]
pub(crate) struct Reach {
    /// The target, as "provider/model".
    pub(crate) name: String,
    /// Whose limits its calls count against.
    pub(crate) account: Account,
    pub(crate) model: String,
    pub(crate) url: Url,
    pub(crate) sent: Arc<Secrets>,
    /// Of one request, to the last byte.
    pub(crate) timeout: Duration,
    /// How fast an answer must come.
    pub(crate) pace: Pace,
    /// The largest body of an answer, in bytes.
    pub(crate) max_answer_bytes: usize,
}

/// One server.
pub(crate) struct Server {
    client: Client,
    reach: Reach,
}

/// What is asked.
pub(crate) struct Question {
    /// The time that the request has. `None` leaves it to the target.
    pub(crate) timeout: Option<Duration>,
    pub(crate) body: String,
    pub(crate) gathering: Gathering,
}

/// An answer as received.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// When it was received.
    pub(crate) at: SystemTime,
}

impl Reply {
    /// The body as text without the byte order mark that it may begin with; empty if it is no UTF-8.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default().trim_start_matches('\u{feff}')
    }

    /// The body as JSON; null if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_default()
    }

    /// The model that answered, as the body names it.
    pub(crate) fn model(&self, quote: &Quote<'_>) -> Option<String> {
        /// Of the body of an answer.
        #[derive(Deserialize)]
        struct Named<'a> {
            /// In Gemini's words `modelVersion`.
            #[serde(borrow, alias = "modelVersion")]
            model: Cow<'a, str>,
        }
        let named = serde_json::from_str::<Named<'_>>(self.text()).ok()?;
        quote.word(&named.model)
    }

    /// What is said about how long to wait: by the headers, by the error that the body holds, and by its words for people.
    /// A body that is no JSON is taken for such words.
    pub(crate) fn refusal<'a>(&'a self, error: &'a Value, words: Option<&'a str>) -> Refusal<'a> {
        let words = words.unwrap_or_else(|| if error.is_null() { self.text() } else { "" });
        Refusal { headers: &self.headers, error, words, at: self.at }
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether it began as an answer and is none: cut off, or no text. It may have been paid for.
    pub(crate) fn is_broken_answer(&self) -> bool {
        let body = self.body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.body).trim_ascii_start();
        self.status.is_success() && body.starts_with(b"{") && serde_json::from_slice::<Value>(body).is_err()
    }

    /// The failure of an answer with a good status that holds no answer.
    pub(crate) fn no_answer(&self, target: &str, quote: &Quote<'_>) -> ChatFailure {
        if let Some(how) = self.header(CONTENT_ENCODING.as_str()).and_then(|how| quote.word(how)) {
            let message = format!(
                "{target} answered {} with a body compressed as {how}, which was not asked for and is not unpacked; turn \
                 compression off at the server, or at the proxy before it",
                self.status
            );
            return ChatFailure::Unavailable { message, after: None };
        }
        let kind = self.header(CONTENT_TYPE.as_str()).and_then(|kind| quote.message(kind));
        let kind = kind.unwrap_or_else(|| "no content type".into());
        let message =
            format!("{target} answered {}, but nothing that is an answer ({kind}); check `base_url`", self.status);
        ChatFailure::Unavailable { message, after: None }
    }
}

impl Server {
    /// Does not connect yet.
    pub(crate) fn new(reach: Reach) -> anyhow::Result<Self> {
        if reach.timeout == Duration::ZERO {
            bail!("its `timeout` is zero, so no answer could ever arrive in time; 60s is usual");
        }
        // Within the target's time, so that no connection is told apart from no answer.
        let connect = CONNECT_TIMEOUT.min(reach.timeout.min(reach.pace.first_byte()) / 2);
        let mut client = Client::builder()
            .connect_timeout(connect)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .user_agent(concat!("gristmill/", env!("CARGO_PKG_VERSION")));
        if is_this_machine(&reach.url) {
            client = client.no_proxy();
        }
        let client = client.build().context("the HTTP client cannot be created")?;
        Ok(Self { client, reach })
    }

    /// The same server at another address, with answers in one piece of at most so many bytes. Shares its connections.
    pub(crate) fn at(&self, url: Url, max_answer_bytes: usize) -> Self {
        let reach = Reach { url, max_answer_bytes, pace: Pace::Whole, ..self.reach.clone() };
        Self { client: self.client.clone(), reach }
    }

    /// The target, as "provider/model".
    pub(crate) fn name(&self) -> &str {
        &self.reach.name
    }

    /// How it is reached.
    pub(crate) fn reach(&self) -> &Reach {
        &self.reach
    }

    /// The headers to send now, with the secrets in them.
    pub(crate) async fn sent(&self) -> Arc<Sent> {
        self.reach.sent.current().await
    }

    /// The headers that were sent last.
    pub(crate) fn last_sent(&self) -> Arc<Sent> {
        self.reach.sent.last()
    }

    /// Sends one body, and takes at most the shorter of the request's and the target's timeout for the answer.
    pub(crate) async fn ask(&self, caller: &Caller, sent: &Sent, question: Question) -> Result<Reply, Unanswered> {
        let Question { timeout, body, gathering } = question;
        let total = timeout.map_or(self.reach.timeout, |asked| asked.min(self.reach.timeout));
        let mut clock = Clock::start(total, self.reach.pace);
        let call = self.client.post(self.reach.url.clone()).headers(sent.headers.clone());
        let call = call.header(CONTENT_TYPE, "application/json").header(TRACEPARENT, caller.trace.to_string());
        let response = match timeout_at(clock.next(Seen::Nothing), call.body(body).send()).await {
            Ok(response) => response.map_err(|error| self.lost(error))?,
            Err(_) => return Err(self.late(&clock)),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let incoming = Incoming::new(gathering, self.reach.max_answer_bytes);
        let body = match self.read(response, incoming, clock).await?.end() {
            Ok(body) => body,
            Err(Cut) if status.is_success() => {
                return Err(self.cut("an event stream that breaks off or cannot be read"));
            }
            Err(Cut) => Bytes::new(),
        };
        Ok(Reply { status, headers, body, at: SystemTime::now() })
    }

    /// The body, as far as it is needed: when a stream has had its end, no more than a moment is spent on what follows.
    async fn read(
        &self,
        mut response: Response,
        mut incoming: Incoming,
        mut clock: Clock,
    ) -> Result<Incoming, Unanswered> {
        let (status, mut seen) = (response.status(), Seen::Nothing);
        loop {
            match timeout_at(clock.next(seen), response.chunk()).await {
                Ok(Ok(Some(chunk))) => incoming.take(&chunk).map_err(|TooLarge| self.too_large())?,
                Ok(Ok(None)) => return Ok(incoming),
                Ok(Err(_)) if incoming.is_whole() => return Ok(incoming),
                Err(_) if incoming.is_whole() => {
                    tokio::spawn(timeout(FOR_CONNECTION, drain(response)));
                    return Ok(incoming);
                }
                // A part of the answer is there, and may have been paid for: that must have an end.
                Ok(Err(_)) if status.is_success() && incoming.has_begun() => {
                    return Err(self.cut("a part of an answer and dropped the connection"));
                }
                Ok(Err(error)) => return Err(self.lost(error)),
                Err(_) => return Err(self.late(&clock)),
            }
            seen = match incoming.taken() {
                Some(Taken::Whole) => Seen::Answer,
                Some(Taken::Last) => Seen::End,
                _ => Seen::Some,
            };
        }
    }

    /// The failure of this reply. One that began as an answer is not repeated without end.
    pub(crate) fn unanswered(&self, reply: &Reply, unanswered: Unanswered) -> Unanswered {
        match reply.is_broken_answer() {
            true => self.cut("an answer that breaks off or cannot be read"),
            false => unanswered,
        }
    }

    /// The failure of an answer without its end. What came of it may have been paid for, so it is not repeated without end.
    fn cut(&self, what: &str) -> Unanswered {
        let message = format!("{} sent {what}", self.reach.name);
        Unanswered { failure: ChatFailure::Unavailable { message, after: None }, sign: None }
    }

    /// The failure of an answer above the bound. It may have been paid for, so it is not repeated without end.
    fn too_large(&self) -> Unanswered {
        let message = format!("{} answered with more than {} bytes", self.reach.name, self.reach.max_answer_bytes);
        Unanswered { failure: ChatFailure::Unavailable { message, after: None }, sign: None }
    }

    /// The failure of a server that took too long.
    fn late(&self, clock: &Clock) -> Unanswered {
        ChatFailure::Timeout(format!("{} {}", self.reach.name, clock.missed())).into()
    }

    /// The failure for a missing or incomplete answer.
    fn lost(&self, error: reqwest::Error) -> Unanswered {
        let name = &self.reach.name;
        let (what, sign) = match error.is_connect() {
            true => ("cannot be reached", Sign::Unreached),
            false => ("dropped the connection", Sign::Broken),
        };
        // The innermost cause is the helpful one: "connection refused". The URL is left out: its path could be secret.
        let error = error.without_url();
        let mut cause: &dyn std::error::Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let host = self.reach.url.host_str().unwrap_or_default();
        let message = format!("{name} at {host} {what}: {}", clean(&cause.to_string()));
        Unanswered { failure: ChatFailure::Unavailable { message, after: None }, sign: Some(sign) }
    }
}

/// Takes what still comes behind an answer, so that the connection can be used again.
async fn drain(mut response: Response) {
    while let Ok(Some(_)) = response.chunk().await {}
}

/// A base URL with these path segments behind it.
///
/// # Errors
/// The text is not the address of an API. The error does not repeat it: it may contain a password.
pub(crate) fn url(base: &str, path: &[&str]) -> anyhow::Result<Url> {
    let mut url = match Url::parse(base.trim()) {
        Ok(url) => url,
        Err(error) => bail!("`base_url` is not an address: {error}; write it like https://host/v1"),
    };
    if !url.username().is_empty() || url.password().is_some() {
        bail!("`base_url` contains a user name or password; give secrets as `key`");
    }
    if !matches!(url.scheme(), "http" | "https") {
        bail!("`base_url` begins with {:?}; it can be http or https", url.scheme());
    }
    if url.fragment().is_some() {
        bail!("`base_url` has a fragment (#…), which is never sent; remove it");
    }
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    Ok(url)
}

/// Whether the address is on this machine: such servers are never asked through a proxy.
pub(crate) fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_to_the_base_url() {
        for (base, path, expected) in [
            ("https://api.anthropic.com/v1", &["messages"][..], "https://api.anthropic.com/v1/messages"),
            ("https://api.openai.com/v1/", &["chat", "completions"], "https://api.openai.com/v1/chat/completions"),
            (" http://[::1]:8080/ ", &["api", "chat"], "http://[::1]:8080/api/chat"),
            ("https://h/v1beta", &["models", "m-1.5:generateContent"], "https://h/v1beta/models/m-1.5:generateContent"),
        ] {
            assert_eq!(url(base, path).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn a_base_url_that_cannot_be_used_is_told_without_its_secrets() {
        for (base, expected) in [
            ("api.anthropic.com/v1", "is not an address"),
            ("ftp://host/v1", "http or https"),
            ("https://user:canary@host/v1", "give secrets as `key`"),
            ("https://canary@host/v1", "give secrets as `key`"),
            ("https://host/v1#canary", "fragment"),
        ] {
            let fault = url(base, &["messages"]).unwrap_err().to_string();
            assert!(fault.contains(expected) && !fault.contains("canary"), "{fault}");
        }
    }

    #[test]
    fn only_this_machine_is_asked_around_the_proxy() {
        let here = |base: &str| is_this_machine(&url(base, &[]).unwrap());
        assert!(here("http://localhost:1/v1") && here("http://127.0.0.1:1/v1") && here("http://[::1]:1/v1"));
        assert!(!here("http://10.0.0.1/v1") && !here("https://api.openai.com/v1"));
    }
}
