//! Sends one request, once, and reads its answer within bounds.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gristmill_core::model::{HttpFailure, Sign};
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Method, Url, redirect, retry};

use super::resolver::{Lookup, LookupError, Reach, Resolver};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next call. Where it leads was compared when it was opened.
const IDLE: Duration = Duration::from_secs(15);
/// Room for a body whose length nobody has told.
const FIRST: usize = 8 << 10;
/// The most room that is made because a server tells a length.
const MOST_FIRST: usize = 64 << 10;

/// Sends the requests of one grant, over connections of its own.
pub(crate) struct Client {
    client: reqwest::Client,
    largest: usize,
}

/// What is sent.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) timeout: Duration,
}

/// What came back.
pub(crate) struct Incoming {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why nothing did; and the sign of it, if it leaves open whose fault it is.
pub(crate) struct Lost {
    pub(crate) failure: HttpFailure,
    pub(crate) sign: Option<Sign>,
}

impl Client {
    pub(crate) fn new(reach: Reach, lookup: Arc<dyn Lookup>, largest: usize) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder()
            .dns_resolver(Arc::new(Resolver { reach, lookup }))
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .http1_only()
            // What is small on the wire could be large here.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("gristmill/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, largest })
    }

    /// Sends it. Cancel-safe: it may have arrived.
    pub(crate) async fn send(&self, outgoing: Outgoing) -> Result<Incoming, Lost> {
        let Outgoing { method, url, mut headers, body, timeout } = outgoing;
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let request = self.client.request(method, url).headers(headers).body(body);
        // Around all of it: a server that sends one byte a second is as late as one that sends none.
        let exchange = async {
            let answer = request.send().await.map_err(|error| plain(&error))?;
            self.read(answer).await
        };
        let late = || Lost {
            failure: HttpFailure::Timeout(format!("there was no whole answer within {} ms", timeout.as_millis())),
            sign: None,
        };
        tokio::time::timeout(timeout, exchange).await.unwrap_or_else(|_| Err(late()))
    }

    async fn read(&self, mut answer: reqwest::Response) -> Result<Incoming, Lost> {
        let too_large = || Lost { failure: HttpFailure::TooLarge(self.largest as u64), sign: None };
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        if !(200..600).contains(&status) {
            let failure = HttpFailure::Unavailable(format!("it answers {status}, which ends no exchange"));
            return Err(Lost { failure, sign: Some(Sign::Broken) });
        }
        let told = answer.content_length();
        if told.is_some_and(|length| length > self.largest as u64) {
            return Err(too_large());
        }
        let room = told.and_then(|length| usize::try_from(length).ok()).unwrap_or(FIRST);
        let mut body = BytesMut::with_capacity(room.min(MOST_FIRST));
        while let Some(chunk) = answer.chunk().await.map_err(|error| plain(&error))? {
            if body.len() + chunk.len() > self.largest {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Incoming { status, headers, body: body.freeze() })
    }
}

/// What went wrong, without the address and without what a server says.
fn plain(error: &reqwest::Error) -> Lost {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(next) = cause {
        match next.downcast_ref::<LookupError>() {
            Some(inside @ LookupError::Inside) => {
                return Lost { failure: HttpFailure::Denied(inside.to_string()), sign: None };
            }
            Some(failed @ LookupError::Failed(_)) => {
                return Lost { failure: HttpFailure::Unavailable(failed.to_string()), sign: Some(Sign::Unreached) };
            }
            None => cause = next.source(),
        }
    }
    let (reason, sign) = match error.is_connect() {
        true => ("there is no connection", Sign::Unreached),
        false => ("the connection broke before the end of the answer", Sign::Broken),
    };
    Lost { failure: HttpFailure::Unavailable(reason.to_owned()), sign: Some(sign) }
}
