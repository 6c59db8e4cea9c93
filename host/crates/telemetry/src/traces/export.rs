//! Sends spans in batches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode, redirect};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};

use super::destination::Destination;
use super::queue::{Counters, Waiting};

/// The most spans in one request.
const MOST: usize = 512;
/// No more spans are added to a request with so many bytes of contents; many collectors refuse bodies of more than 20 MiB.
const ENOUGH: usize = 4 << 20;
/// How long a span waits for others to be sent with.
const TOGETHER: Duration = Duration::from_secs(1);
/// Of one request; the default of OpenTelemetry's exporters.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a batch is sent again, at most, after 1, 2 and 4 s or what the collector asks for.
const AGAIN: u32 = 3;
/// The longest such wait.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A loss that goes on is told this often.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Sends spans to a destination.
pub(super) struct Exporter {
    client: Client,
    destination: Destination,
    counters: Arc<Counters>,
    /// When a loss was last told.
    told: Option<Instant>,
    /// How many were lost by then.
    told_lost: u64,
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
enum Refused {
    /// It may be taken later.
    #[error("{reason}")]
    ForNow { reason: String, after: Option<Duration> },
    /// It never will.
    #[error("{0}")]
    ForGood(String),
}

impl Exporter {
    pub(super) fn new(destination: Destination, counters: Arc<Counters>) -> anyhow::Result<Self> {
        let mut client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("gristmill/", env!("CARGO_PKG_VERSION")));
        if is_this_machine(&destination) {
            client = client.no_proxy();
        }
        let client = client.build().context("the HTTP client for traces cannot be created")?;
        Ok(Self { client, destination, counters, told: None, told_lost: 0 })
    }

    /// Sends what comes until it is stopped and all that waited is sent.
    pub(super) async fn run(mut self, mut waiting: mpsc::Receiver<Waiting>, mut stop: oneshot::Receiver<()>) {
        loop {
            let batch = gather(&mut waiting, &mut stop).await;
            if batch.is_empty() {
                return;
            }
            let count = batch.len() as u64;
            // The places of their contents are given back once they are sent.
            let (spans, _places): (_, Vec<_>) = batch.into_iter().map(|Waiting { span, place }| (span, place)).unzip();
            match self.send(spans).await {
                Ok(rejected) => {
                    self.counters.sent.fetch_add(count.saturating_sub(rejected), Ordering::Relaxed);
                    self.counters.lost.fetch_add(rejected, Ordering::Relaxed);
                    self.tell("the collector rejected some, or they came faster than it took them");
                }
                Err(refused) => {
                    self.counters.lost.fetch_add(count, Ordering::Relaxed);
                    self.tell(&refused.to_string());
                }
            }
        }
    }

    /// Sends a batch, again if it may be taken later. Returns how many spans of it the collector rejected.
    async fn send(&self, spans: Vec<Span>) -> Result<u64, Refused> {
        let scope = InstrumentationScope {
            name: "gristmill".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            ..InstrumentationScope::default()
        };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
        let resource = Some(self.destination.resource.clone());
        let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
        let body = bytes::Bytes::from(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
        let mut wait = Duration::from_secs(1);
        for _ in 0..AGAIN {
            match self.post(body.clone()).await {
                Err(Refused::ForNow { after, .. }) => sleep(after.unwrap_or(wait).min(LONGEST_WAIT)).await,
                ended => return ended,
            }
            wait *= 2;
        }
        self.post(body).await
    }

    async fn post(&self, body: bytes::Bytes) -> Result<u64, Refused> {
        let request = self.client.post(self.destination.url.clone()).headers(self.destination.headers.clone());
        let sent = request.header(CONTENT_TYPE, "application/x-protobuf").body(body).send().await;
        let response = sent.map_err(|error| {
            let error = anyhow::Error::new(error.without_url());
            Refused::ForNow { reason: format!("{} does not answer: {error:#}", self.destination.url), after: None }
        })?;
        let status = response.status();
        if !status.is_success() {
            let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let reason = format!("{} answered {status}", self.destination.url);
            return Err(match status {
                StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => Refused::ForNow { reason, after: after.map(Duration::from_secs) },
                _ => Refused::ForGood(reason),
            });
        }
        // A collector that says nothing readable has taken everything.
        let said = response.bytes().await.ok().and_then(|body| ExportTraceServiceResponse::decode(body).ok());
        let rejected = said.and_then(|said| said.partial_success).map_or(0, |partial| partial.rejected_spans);
        Ok(u64::try_from(rejected).unwrap_or(0))
    }

    /// Logs that spans were lost since the last time, and why; at most once a minute.
    fn tell(&mut self, reason: &str) {
        let lost = self.counters.lost.load(Ordering::Relaxed);
        let is_time = self.told.is_none_or(|told| told.elapsed() >= TELL_AGAIN);
        if lost > self.told_lost && is_time {
            tracing::warn!(lost = lost - self.told_lost, reason, "spans of traces are lost; events are not affected");
            (self.told, self.told_lost) = (Some(Instant::now()), lost);
        }
    }
}

/// The next batch: what comes within a moment of the first span. Empty when stopped and nothing waits any more.
async fn gather(waiting: &mut mpsc::Receiver<Waiting>, stop: &mut oneshot::Receiver<()>) -> Vec<Waiting> {
    let mut batch = Vec::new();
    let first = if waiting.is_closed() {
        waiting.recv().await
    } else {
        tokio::select! {
            first = waiting.recv() => first,
            _ = &mut *stop => {
                waiting.close();
                waiting.recv().await
            }
        }
    };
    batch.extend(first);
    let until = Instant::now() + TOGETHER;
    while !batch.is_empty() && batch.len() < MOST && contents(&batch) < ENOUGH {
        if waiting.is_closed() {
            match waiting.try_recv() {
                Ok(span) => batch.push(span),
                Err(_) => break,
            }
            continue;
        }
        tokio::select! {
            next = timeout_at(until, waiting.recv()) => match next {
                Ok(Some(span)) => batch.push(span),
                Ok(None) | Err(_) => break,
            },
            _ = &mut *stop => waiting.close(),
        }
    }
    batch
}

/// How many bytes of contents spans have.
fn contents(batch: &[Waiting]) -> usize {
    batch.iter().map(|waiting| waiting.place.num_permits()).sum()
}

/// A collector beside this process is not reached through a proxy.
fn is_this_machine(destination: &Destination) -> bool {
    match destination.url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}
