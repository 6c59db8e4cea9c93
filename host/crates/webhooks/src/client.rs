//! Sends one message, once.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gristmill_core::model::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;

use super::guard::{Guard, Reach, Target};
use super::message::Message;
use super::resolver::{Lookup, LookupError, Resolver};
use super::schedule::Outcome;

const GONE: u16 = 410;

/// Sends to public addresses and to those that are allowed. Each has a resolver of its own, so that a name is only ever
/// connected to addresses that were compared for it.
pub(crate) struct Client {
    guard: Guard,
    public: reqwest::Client,
    allowed: reqwest::Client,
    timeout: Duration,
}

impl Client {
    pub(crate) fn new(guard: &Guard, timeout: Duration, lookup: &Arc<dyn Lookup>) -> reqwest::Result<Self> {
        let client = |reach: Reach| {
            let resolver = Resolver { guard: guard.clone(), reach, lookup: Arc::clone(lookup) };
            reqwest::Client::builder()
                .dns_resolver(Arc::new(resolver))
                .no_proxy()
                .redirect(Policy::none())
                .https_only(reach == Reach::Public)
                .timeout(timeout)
                // A connection that is kept would be used without asking again where its name leads.
                .pool_max_idle_per_host(0)
                .user_agent(concat!("gristmill/", env!("CARGO_PKG_VERSION")))
                .build()
        };
        Ok(Self { guard: guard.clone(), public: client(Reach::Public)?, allowed: client(Reach::Allowed)?, timeout })
    }

    /// Sends a message, and does not read what is answered beside its head. Cancel-safe: it may have arrived.
    pub(crate) async fn send(&self, url: &str, message: Message, now: Timestamp) -> Outcome {
        // Settings may have changed since it was submitted.
        let Target { url, reach } = match self.guard.check(url) {
            Ok(target) => target,
            Err(reason) => return Outcome::Pointless(format!("the address is not told: {reason}")),
        };
        let client = match reach {
            Reach::Public => &self.public,
            Reach::Allowed => &self.allowed,
        };
        let request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", message.seconds)
            .header("webhook-signature", message.signature)
            .body(message.body);
        match request.send().await {
            Ok(answer) => outcome(answer.status().as_u16(), answer.headers(), now),
            Err(error) => Outcome::Failed { status: None, retry_after: None, error: self.plain(&error) },
        }
    }

    /// What went wrong, for who submitted the job. Without the address, and without what a receiver says.
    fn plain(&self, error: &reqwest::Error) -> String {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        let mut last = String::new();
        while let Some(next) = cause {
            if let Some(lookup) = next.downcast_ref::<LookupError>() {
                return lookup.to_string();
            }
            last = next.to_string();
            cause = next.source();
        }
        if error.is_timeout() {
            return format!("there was no answer within {} s", self.timeout.as_secs());
        }
        match error.is_connect() {
            true => format!("there is no connection: {last}"),
            false => "the connection broke before an answer".to_owned(),
        }
    }
}

fn outcome(status: u16, headers: &HeaderMap, now: Timestamp) -> Outcome {
    let error = match status {
        200..=299 => return Outcome::Delivered(status),
        GONE => return Outcome::Gone,
        300..=399 => format!("it answers {status}, and redirects are not followed"),
        _ => format!("it answers {status}"),
    };
    Outcome::Failed { status: Some(status), retry_after: retry_after(headers, now), error }
}

/// How long to wait (RFC 9110): seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(now.0).ok()?);
    let at: SystemTime = httpdate::parse_http_date(value).ok()?;
    at.duration_since(now).ok()
}

#[cfg(test)]
mod tests;
