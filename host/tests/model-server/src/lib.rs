//! A server with OpenAI's chat completions API, Anthropic's, Gemini's and Ollama's that misbehaves on request. It listens on a free local port, counts
//! requests and the answers that would have to be paid for, and stops when it is dropped.
//!
//! ```ignore
//! let script = Script::new().when("invoice", [Behaviour::rate_limited("1"), Behaviour::answer("paid")]);
//! let server = ModelServer::start(script).await;
//! // … ask server.base_url() …
//! assert_eq!((server.calls(), server.paid()), (2, 1));
//! ```

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod vectors;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

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
    /// No response, ever.
    Silence,
    /// An endless answer, one byte at a time.
    Drip,
    /// This many bytes without a content length.
    Flood(usize),
    /// The start of an answer, then the connection breaks.
    BreakOff,
}

impl Behaviour {
    /// A whole answer.
    pub fn answer(text: impl Into<String>) -> Self {
        Self::Answer(text.into())
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

/// Which behaviour each prompt gets.
#[derive(Debug, Default)]
pub struct Script {
    rules: Vec<(String, Vec<Behaviour>)>,
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

/// Where the APIs are: OpenAI's, the same as Azure has it, Anthropic's, Gemini's and Ollama's.
const PATHS: [&str; 8] = [
    "/v1/chat/completions",
    "/openai/deployments/{name}/chat/completions",
    "/v1/messages",
    "/v1beta/models/{method}",
    "/api/chat",
    "/v1/embeddings",
    "/openai/deployments/{name}/embeddings",
    "/api/embed",
];

/// The server.
pub struct ModelServer {
    address: SocketAddr,
    state: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    rules: Vec<(String, Vec<Behaviour>, AtomicUsize)>,
    seen: Mutex<Vec<Seen>>,
    paid: AtomicUsize,
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
            seen: Mutex::default(),
            paid: AtomicUsize::new(0),
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

    /// The number of requests in flight.
    pub fn in_flight(&self) -> usize {
        self.state.in_flight.load(Ordering::SeqCst)
    }

    /// The most requests that were ever in flight.
    pub fn most_in_flight(&self) -> usize {
        self.state.most_in_flight.load(Ordering::SeqCst)
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
    state.seen.lock().unwrap().push(Seen { body, authorization, traceparent, path, headers });
    match state.behaviour(&prompt) {
        Behaviour::Answer(_) if !texts.is_empty() => state.vectors(uri.path(), &texts),
        Behaviour::Answer(text) => state.answer(uri.path(), &text),
        Behaviour::Held(text) => {
            state.held.acquire().await.unwrap().forget();
            state.answer(uri.path(), &text)
        }
        Behaviour::Raw { status, headers, body } => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(body.into()).unwrap()
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
    fn behaviour(&self, prompt: &str) -> Behaviour {
        for (text, behaviours, uses) in &self.rules {
            if prompt.contains(text.as_str()) {
                let turn = uses.fetch_add(1, Ordering::SeqCst);
                return behaviours[turn.min(behaviours.len() - 1)].clone();
            }
        }
        Behaviour::answer("ok")
    }

    fn vectors(&self, path: &str, texts: &[String]) -> Response<Body> {
        self.paid.fetch_add(1, Ordering::SeqCst);
        let response = Response::builder().status(StatusCode::OK).header("content-type", "application/json");
        response.body(vectors::whole(path, texts).to_string().into()).unwrap()
    }

    fn answer(&self, path: &str, text: &str) -> Response<Body> {
        let number = self.paid.fetch_add(1, Ordering::SeqCst) + 1;
        let response = Response::builder().status(StatusCode::OK).header("content-type", "application/json");
        response.body(whole_answer(path, number, text).to_string().into()).unwrap()
    }
}

/// An answer as the API at this path gives it.
fn whole_answer(path: &str, number: usize, text: &str) -> Value {
    match path {
        "/v1/messages" => json!({
            "id": format!("msg_{number}"), "type": "message", "role": "assistant", "model": "served",
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
            "usage": {"input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 5},
        }),
        "/api/chat" => json!({
            "model": "served", "message": {"role": "assistant", "content": text}, "done": true, "done_reason": "stop",
            "prompt_eval_count": 10, "eval_count": 5,
        }),
        path if path.starts_with("/v1beta") => json!({
            "responseId": format!("response-{number}"),
            "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 3, "thoughtsTokenCount": 2},
        }),
        _ => json!({
            "id": format!("chatcmpl-{number}"), "object": "chat.completion", "model": "served",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        }),
    }
}

/// 200 with the same chunk this many times, each after a pause, then this end.
fn streamed(
    in_flight: InFlight,
    pause: Duration,
    chunks: usize,
    chunk: Bytes,
    end: Result<(), &'static str>,
) -> Response<Body> {
    let body = stream::unfold((in_flight, 0), move |(in_flight, sent)| {
        let chunk = chunk.clone();
        async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            if sent < chunks {
                return Some((Ok(chunk), (in_flight, sent + 1)));
            }
            // A stream is not polled again after an error.
            end.err().map(|reason| (Err(reason), (in_flight, sent)))
        }
    });
    let response = Response::builder().header("content-type", "application/json");
    response.body(Body::from_stream(body)).unwrap()
}
