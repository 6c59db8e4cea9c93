//! What all requests share, and what each is asked for first: its caller, its pipeline, its path.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts as Head;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use gristmill_core::model::{Caller, Scope, Timestamp};
use gristmill_core::ports::Admission;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::audit::{Asker, Audit, Change};
use super::desk::{Desk, Pipeline};
use super::lookout::Lookout;
use super::problem::{Kind, Problem};
use super::settings::{ApiSettings, CorsOrigin};
use super::submit::Submitter;

/// How many requests are answered at a time, streams of events not counted.
const REQUESTS: usize = 1_024;
/// How many streams of events there are at a time. Each costs a connection and some KiB.
const STREAMS: usize = 4_000;

/// Says why an address is none for webhooks.
pub type CheckWebhook = dyn Fn(&str) -> Result<(), String> + Send + Sync;

/// What the API gets from the host.
pub struct Parts {
    /// The pipelines.
    pub desk: Arc<dyn Desk>,
    /// Who is let in.
    pub admission: Arc<dyn Admission>,
    /// Looks at the addresses of webhooks. `None` if there are no webhooks: then requests with one are refused.
    pub webhooks: Option<Arc<CheckWebhook>>,
    /// The time of the day.
    pub clock: fn() -> Timestamp,
}

/// What all requests share.
pub(crate) struct Api {
    pub(crate) parts: Parts,
    pub(crate) max_body: u64,
    pub(crate) anyone: bool,
    pub(crate) origins: Vec<CorsOrigin>,
    pub(crate) lookout: Arc<Lookout>,
    pub(crate) submitter: Submitter,
    audit: Arc<Audit>,
    /// What goes on when its client leaves. The server waits for it when it stops.
    pub(crate) work: TaskTracker,
    pub(crate) requests: Arc<Semaphore>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) stop: CancellationToken,
}

/// The same for each request.
pub(crate) type Shared = Arc<Api>;

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Held while a connection is of use, so that it is not closed in favour of another one.
#[derive(Clone)]
pub(crate) struct InUse(#[expect(dead_code, reason = "it counts as long as it lives")] pub(crate) Arc<()>);

impl Api {
    pub(crate) fn new(parts: Parts, settings: &ApiSettings, audit: Audit) -> Self {
        let (work, audit) = (TaskTracker::new(), Arc::new(audit));
        Self {
            lookout: Arc::new(Lookout::new(Arc::clone(&parts.desk), work.clone())),
            parts,
            max_body: settings.max_body.get(),
            anyone: settings.anyone,
            origins: settings.cors.clone(),
            submitter: Submitter::new(work.clone(), Arc::clone(&audit)),
            audit,
            work,
            requests: Arc::new(Semaphore::new(REQUESTS)),
            streams: Arc::new(Semaphore::new(STREAMS)),
            stop: CancellationToken::new(),
        }
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        (self.parts.clock)()
    }

    /// Makes a change between its two lines in the audit log. Goes on if it is dropped.
    pub(crate) async fn audited<C>(&self, change: Change, made: C) -> Result<(), Problem>
    where
        C: Future<Output = Result<(), Problem>> + Send + 'static,
    {
        let audit = Arc::clone(&self.audit);
        let whole = self.work.spawn(async move {
            let asked = audit.asked(change).await.map_err(|error| Problem::of_audit(&error))?;
            let made = made.await;
            audit.answered(asked, Problem::outcome(made.as_ref().copied()), None).await;
            made
        });
        whole.await.unwrap_or_else(|_| Err(Problem::stopping()))
    }

    /// The pipeline of this name.
    pub(crate) fn pipeline(&self, name: &str) -> Result<Arc<Pipeline>, Problem> {
        let desk = &self.parts.desk;
        if let Some(pipeline) = desk.pipeline(name) {
            return Ok(pipeline);
        }
        if desk.absent().iter().any(|absent| **absent == *name) {
            return Err(Problem::new(Kind::NotRunning, "the pipeline does not run now; ask again").retry_after(5));
        }
        let known: Vec<_> = desk.pipelines().iter().map(|pipeline| pipeline.name.to_string()).collect();
        let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
        let detail = format!("there is no pipeline {shown:?}; those that take jobs are: {}", known.join(", "));
        Err(Problem::new(Kind::NotFound, detail))
    }

    /// The address of a webhook, if it is good.
    pub(crate) fn webhook(&self, url: Option<String>) -> Result<Option<String>, Problem> {
        let bad = |detail: String| Problem::new(Kind::BadRequest, detail);
        match (url, &self.parts.webhooks) {
            (None, _) => Ok(None),
            (Some(_), None) => Err(bad("this host sends no webhooks: its host file has no [webhooks]".to_owned())),
            (Some(url), Some(check)) => match check(&url) {
                Ok(()) => Ok(Some(url)),
                Err(reason) => Err(bad(format!("webhook: {reason}"))),
            },
        }
    }
}

/// Whether a caller may do what needs this scope.
pub(crate) fn need(caller: &Caller, scope: Scope) -> Result<(), Problem> {
    if caller.may(scope) {
        return Ok(());
    }
    let name = Scope::ALL.iter().find(|(_, known)| *known == scope).map_or("", |(name, _)| *name);
    Err(Problem::new(Kind::MissingScope, format!("this needs the scope {name}")))
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, _: &S) -> Result<Self, Problem> {
        match (head.extensions.get::<Caller>(), head.extensions.get::<Peer>()) {
            (Some(caller), Some(peer)) => Ok(Self { caller: caller.clone(), from: peer.0 }),
            _ => Err(Problem::new(Kind::Internal, "it is not known who asks")),
        }
    }
}

/// What a path holds.
#[derive(Debug, Clone)]
pub(crate) struct At<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Head, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(head, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            // No id and no number that could be meant has such a path.
            Err(_) => Err(Problem::new(Kind::NotFound, "there is nothing under this path")),
        }
    }
}

/// An answer in JSON.
pub(crate) fn json(view: &impl Serialize) -> Response {
    // Structs of text and numbers are always JSON.
    json_bytes(serde_json::to_vec(view).unwrap_or_default().into())
}

/// The same of bytes that are JSON.
pub(crate) fn json_bytes(bytes: Bytes) -> Response {
    let mut response = bytes.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

/// Whether a client has what has this tag.
pub(crate) fn has(headers: &HeaderMap, tag: &str) -> bool {
    let mut sent = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_it = |one: &str| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag;
    sent.any(|list| list.split(',').any(|one| is_it(one.trim())))
}

/// A value of a header of ours. All that we write is printable.
pub(crate) fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_a_list_and_weak_or_not() {
        let headers = |text: &str| [(header::IF_NONE_MATCH, text.parse().unwrap())].into_iter().collect();
        for text in ["\"1-2\"", "W/\"1-2\"", "\"x\", \"1-2\"", "*"] {
            assert!(has(&headers(text), "\"1-2\""), "{text}");
        }
        assert!(!has(&headers("\"1-3\""), "\"1-2\"") && !has(&HeaderMap::new(), "\"1-2\""));
    }

    #[test]
    fn a_scope_that_is_missing_is_named() {
        let caller = Caller { owner: None, scopes: vec![Scope::ReadJobs] };
        assert!(need(&caller, Scope::ReadJobs).is_ok());
        assert!(need(&caller, Scope::WriteDeadLetters).unwrap_err().detail.contains("dlq:write"));
    }
}
