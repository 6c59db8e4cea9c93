//! A collector in place of a real one: takes OTLP over HTTP and keeps what it got.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// The timeout of every wait; enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the collector answers to a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// It takes everything.
    Take,
    /// It takes all but so many.
    Reject(i64),
    /// Not now.
    Busy,
    /// Never.
    Forbidden,
    /// Nothing, for longer than anybody waits.
    Silence,
}

/// What it got.
#[derive(Debug, Default)]
pub(crate) struct Got {
    /// The requests that it answered, whatever it answered.
    pub(crate) requests: Vec<(HeaderMap, ExportTraceServiceRequest)>,
    /// The spans that it took.
    pub(crate) spans: Vec<Span>,
}

/// A collector that listens.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Got>>,
}

#[derive(Clone)]
struct Shared {
    got: Arc<Mutex<Got>>,
    answers: Arc<Mutex<Vec<Answer>>>,
}

impl Collector {
    /// Gives these answers, in this order, and takes everything afterwards.
    pub(crate) async fn start(answers: &[Answer]) -> Self {
        let answers = answers.iter().rev().copied().collect();
        let shared = Shared { got: Arc::default(), answers: Arc::new(Mutex::new(answers)) };
        let got = Arc::clone(&shared.got);
        let router =
            Router::new().route("/v1/traces", post(take)).layer(DefaultBodyLimit::max(20 << 20)).with_state(shared);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, got }
    }

    /// Waits for something that it got.
    pub(crate) async fn until<T>(&self, what: &str, reached: impl Fn(&Got) -> Option<T>) -> T {
        let waiting = async {
            loop {
                if let Some(reached) = reached(&self.got.lock().unwrap()) {
                    return reached;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let ended = tokio::time::timeout(PATIENCE, waiting).await;
        ended.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}; got {:?}", self.got.lock().unwrap()))
    }
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> (StatusCode, HeaderMap, Vec<u8>) {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let answer = shared.answers.lock().unwrap().pop().unwrap_or(Answer::Take);
    if matches!(answer, Answer::Silence) {
        std::future::pending::<()>().await;
    }
    let spans = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    let spans: Vec<Span> = spans.flat_map(|scope| scope.spans.clone()).collect();
    let mut got = shared.got.lock().unwrap();
    got.requests.push((headers, request));
    let mut told = HeaderMap::new();
    let rejected = match answer {
        Answer::Take | Answer::Silence => 0,
        Answer::Reject(count) => count,
        Answer::Busy => {
            told.insert("retry-after", "0".parse().unwrap());
            return (StatusCode::SERVICE_UNAVAILABLE, told, Vec::new());
        }
        Answer::Forbidden => return (StatusCode::FORBIDDEN, told, b"no".to_vec()),
    };
    got.spans.extend(spans);
    let partial = ExportTracePartialSuccess { rejected_spans: rejected, error_message: String::new() };
    let answer = ExportTraceServiceResponse { partial_success: Some(partial) };
    (StatusCode::OK, told, answer.encode_to_vec())
}
