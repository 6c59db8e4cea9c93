//! A server with OpenAI's chat completions API, Anthropic's, Gemini's and Ollama's that misbehaves on request. It streams
//! where that is asked for, listens on a free local port, counts requests and the answers that would have to be paid for,
//! and stops when it is dropped.
//!
//! ```ignore
//! let script = Script::new().when("invoice", [Behaviour::rate_limited("1"), Behaviour::answer("paid")]);
//! let server = ModelServer::start(script).await;
//! // … ask server.base_url() …
//! assert_eq!((server.calls(), server.paid()), (2, 1));
//! ```

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod answers;
mod behaviour;
mod bodies;
mod enforced;
mod vectors;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

pub use answers::Fault;
use answers::{Api, PATHS};
pub use behaviour::Behaviour;
use bodies::{cut, streamed};
use enforced::Enforced;
pub use enforced::{Limits, Share};

/// Answers a request by looking at it.
type Answering = Arc<dyn Fn(Seen) -> BoxFuture<'static, String> + Send + Sync>;

/// Which behaviour each prompt gets.
#[derive(Default)]
pub struct Script {
    rules: Vec<(String, Vec<Behaviour>)>,
    otherwise: Option<Answering>,
    limits: Option<Limits>,
}

impl Script {
    /// Answers "ok" to every prompt.
    pub fn new() -> Self {
        Self::default()
    }

    /// Prompts that contain this text get these behaviours in turn; the last one repeats. The first rule that matches
    /// applies; an empty text matches every prompt.
    pub fn when(mut self, text: &str, behaviours: impl IntoIterator<Item = Behaviour>) -> Self {
        self.rules.push((text.to_owned(), behaviours.into_iter().collect()));
        self
    }

    /// Requests above these limits get 429, without a word about how long.
    pub fn within(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Prompts that no rule matches get what this says.
    pub fn otherwise<F>(mut self, answer: impl Fn(Seen) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = String> + Send + 'static,
    {
        self.otherwise = Some(Arc::new(move |seen| answer(seen).boxed()));
        self
    }
}

/// One request as received.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The JSON body.
    pub body: Value,
    /// The `authorization` header.
    pub authorization: Option<String>,
    /// The `traceparent` header.
    pub traceparent: Option<String>,
    /// Path and query.
    pub path: String,
    /// All headers.
    pub headers: HeaderMap,
}

/// The server.
pub struct ModelServer {
    address: SocketAddr,
    state: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    rules: Vec<(String, Vec<Behaviour>, AtomicUsize)>,
    otherwise: Option<Answering>,
    enforced: Option<Enforced>,
    seen: Mutex<Vec<Seen>>,
    paid: AtomicUsize,
    connections: AtomicUsize,
    in_flight: AtomicUsize,
    /// Connections outlive their listener: what comes on them after the end is turned away.
    stopped: AtomicBool,
    most_in_flight: AtomicUsize,
    held: Semaphore,
}

impl ModelServer {
    /// Listens on a free local port.
    pub async fn start(script: Script) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), script).await
    }

    /// Listens on this address, for a server that comes back.
    pub async fn start_at(address: SocketAddr, script: Script) -> Self {
        let state = Arc::new(Shared {
            rules: script.rules.into_iter().map(|(text, all)| (text, all, AtomicUsize::new(0))).collect(),
            otherwise: script.otherwise,
            enforced: script.limits.map(Enforced::new),
            seen: Mutex::default(),
            paid: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            most_in_flight: AtomicUsize::new(0),
            held: Semaphore::new(0),
        });
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut router = Router::new();
        for path in PATHS {
            router = router.route(path, post(complete));
        }
        let router = router.with_state(Arc::clone(&state));
        let counted = Arc::clone(&state);
        let listener = listener.tap_io(move |_| {
            counted.connections.fetch_add(1, Ordering::SeqCst);
        });
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, state, task }
    }

    /// The base URL for clients of OpenAI's and Anthropic's APIs.
    pub fn base_url(&self) -> String {
        self.url("/v1")
    }

    /// The address with this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of requests so far.
    pub fn calls(&self) -> usize {
        self.state.seen.lock().unwrap().len()
    }

    /// The number of whole answers so far: those that a provider would charge for.
    pub fn paid(&self) -> usize {
        self.state.paid.load(Ordering::SeqCst)
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// The number of requests in flight.
    pub fn in_flight(&self) -> usize {
        self.state.in_flight.load(Ordering::SeqCst)
    }

    /// The most requests that were ever in flight.
    pub fn most_in_flight(&self) -> usize {
        self.state.most_in_flight.load(Ordering::SeqCst)
    }

    /// What became of the requests between two moments, by the limits.
    ///
    /// # Panics
    /// If it has none.
    pub fn share(&self, from: Instant, to: Instant) -> Share {
        self.state.enforced.as_ref().unwrap().between(from, to)
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// Releases this many held answers, present or future.
    pub fn release(&self, answers: usize) {
        self.state.held.add_permits(answers);
    }

    /// Stops and frees the port, for tests of unreachable servers.
    pub async fn stop(mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        self.task.abort();
        let _aborted = (&mut self.task).await;
    }

    /// Waits until `is_true` returns true.
    ///
    /// # Panics
    /// After 10 s.
    pub async fn until(&self, what: &str, is_true: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if is_true(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("not within 10 s: {what}");
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Counts a request while it is in flight, even if the client disconnects.
struct InFlight(Arc<Shared>);

impl InFlight {
    fn begin(state: &Arc<Shared>) -> Self {
        let now = state.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_in_flight.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(state))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn complete(
    State(state): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response<Body> {
    if state.stopped.load(Ordering::SeqCst) {
        let response = Response::builder().status(StatusCode::BAD_GATEWAY).header("connection", "close");
        return response.body(Body::empty()).unwrap();
    }
    let in_flight = InFlight::begin(&state);
    let said = ["messages", "contents", "input", "requests"].into_iter().find_map(|name| body.get(name));
    let prompt = said.unwrap_or(&Value::Null).to_string();
    let texts = vectors::texts(&body);
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let (authorization, traceparent) = (text("authorization"), text("traceparent"));
    let path = uri.path_and_query().unwrap().to_string();
    let api = Api::at(uri.path());
    let streams = api.streams(uri.path(), &body);
    let seen = Seen { body, authorization, traceparent, path, headers };
    state.seen.lock().unwrap().push(seen.clone());
    let behaviour = match &state.enforced {
        Some(enforced) if !enforced.takes() => Behaviour::error(429, "rate_limit_exceeded", "too many requests"),
        _ => state.behaviour(&prompt, seen).await,
    };
    match behaviour {
        Behaviour::Answer(_) if !texts.is_empty() => state.vectors(uri.path(), &texts),
        Behaviour::Answer(text) => state.answer(api, streams, &text),
        Behaviour::Held(text) => {
            state.held.acquire().await.unwrap().forget();
            state.answer(api, streams, &text)
        }
        Behaviour::Unstreamed(text) => state.answer(api, false, &text),
        Behaviour::Cut { text, events, fault } => cut(in_flight, api, &text, events, fault),
        Behaviour::Raw { status, headers, body } => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(body.into()).unwrap()
        }
        Behaviour::Bytes(bytes) => {
            let response = Response::builder().header("content-type", "application/json");
            response.body(bytes.into()).unwrap()
        }
        Behaviour::Compressed(bytes) => {
            let response = Response::builder().header("content-type", "application/json");
            response.header("content-encoding", "gzip").body(bytes.into()).unwrap()
        }
        Behaviour::Silence => std::future::pending().await,
        Behaviour::Drip => streamed(in_flight, Duration::from_millis(5), usize::MAX, Bytes::from_static(b" "), Ok(())),
        Behaviour::Flood(bytes) => {
            const CHUNK: usize = 16 << 10;
            let chunk = Bytes::from(vec![b' '; CHUNK]);
            streamed(in_flight, Duration::ZERO, bytes.div_ceil(CHUNK), chunk, Ok(()))
        }
        Behaviour::BreakOff => {
            let start = Bytes::from_static(b"{\"choices\": [{\"message\": {\"content\": \"half of it");
            streamed(in_flight, Duration::from_millis(5), 1, start, Err("broken off"))
        }
    }
}

impl Shared {
    async fn behaviour(&self, prompt: &str, seen: Seen) -> Behaviour {
        for (text, behaviours, uses) in &self.rules {
            if prompt.contains(text.as_str()) {
                let turn = uses.fetch_add(1, Ordering::SeqCst);
                return behaviours[turn.min(behaviours.len() - 1)].clone();
            }
        }
        match &self.otherwise {
            Some(answer) => Behaviour::Answer(answer(seen).await),
            None => Behaviour::answer("ok"),
        }
    }

    fn vectors(&self, path: &str, texts: &[String]) -> Response<Body> {
        self.paid.fetch_add(1, Ordering::SeqCst);
        let response = Response::builder().status(StatusCode::OK).header("content-type", "application/json");
        response.body(vectors::whole(path, texts).to_string().into()).unwrap()
    }

    fn answer(&self, api: Api, streams: bool, text: &str) -> Response<Body> {
        let number = self.paid.fetch_add(1, Ordering::SeqCst) + 1;
        let (kind, body) = match streams {
            true => (api.content_type(), api.events(number, text).concat()),
            false => ("application/json", api.whole(number, text).to_string()),
        };
        Response::builder().status(StatusCode::OK).header("content-type", kind).body(body.into()).unwrap()
    }
}
