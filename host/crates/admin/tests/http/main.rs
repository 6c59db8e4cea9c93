//! The server over real connections: what it answers, whom, and that nobody who only waits keeps others out.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod versions;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, iter, pending};
use gristmill_admin::{
    AdminSettings, BindError, Code, Command, Control, DEFAULT, Done, HostView, Outcome, Phase, PipelineState,
    PipelineView, Reason, Refused, Server, Tapped, TappedItem, Warning,
};
use gristmill_core::settings::{Listen, SecretRef};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The timeout of every wait; enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);
/// Set by cargo for every test, because tests must not change the environment.
const TOKEN: &str = "CARGO_PKG_NAME";

/// A host with one pipeline, which is not ready.
struct Fake;

#[async_trait]
impl Control for Fake {
    async fn view(&self) -> HostView {
        let reason = Reason { pipeline: Some("p".into()), code: Code::Paused, message: "canary".into() };
        let pipeline = PipelineView { name: "p".into(), state: PipelineState::Running, ..PipelineView::default() };
        let warning = Warning { pipeline: Some("p".into()), stage: Some("s".into()), message: "refused".into() };
        let (reasons, warnings, pipelines) = (vec![reason], vec![warning], vec![pipeline]);
        HostView { phase: Phase::Running, reasons, warnings, pipelines, ..HostView::default() }
    }

    async fn metrics(&self) -> String {
        "gristmill_ready 0\n".into()
    }

    async fn command(&self, pipeline: &str, command: Command) -> Result<Done, Refused> {
        match (pipeline, command) {
            ("p", Command::Pause) => Ok(Done { pipeline: "p".into(), result: Outcome::Paused, deployment: None }),
            ("p", Command::Reload) => Err(Refused::Faulty("p.toml:3:1: no such key".into())),
            ("p", Command::Resume) => Err(Refused::Conflict("it is being restarted".into())),
            _ => Err(Refused::NotFound(format!("there is no pipeline {pipeline:?}"))),
        }
    }

    fn tap(&self, pipeline: &str, stage: Option<&str>) -> Result<BoxStream<'static, Tapped>, Refused> {
        if pipeline != "p" {
            return Err(Refused::Forbidden("taps are switched off".into()));
        }
        let item = TappedItem { id: "1".into(), content_type: None, bytes: 2, payload: "{}".into() };
        let tapped = Tapped {
            stage: stage.unwrap_or("any").into(),
            job: "j".into(),
            item,
            attempt: 1,
            seconds: 0.5,
            outcome: "dropped".into(),
            code: None,
            outputs: Vec::new(),
            output_count: 0,
            skipped: 0,
        };
        Ok(iter([tapped]).chain(pending()).boxed())
    }
}

/// A server in a runtime of its own with one thread, as on a small machine. It ends with the guard.
fn start(settings: AdminSettings) -> (SocketAddr, DropGuard) {
    let (told, address) = std::sync::mpsc::channel();
    let stop = CancellationToken::new();
    let until = stop.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = Server::bind(&settings).await.unwrap();
            told.send(server.address()).unwrap();
            server.serve(Arc::new(Fake), until).await;
        });
    });
    (address.recv().unwrap(), stop.drop_guard())
}

fn anywhere() -> AdminSettings {
    AdminSettings { listen: Some("127.0.0.1:0".parse().unwrap()), ..AdminSettings::default() }
}

async fn ask(address: SocketAddr, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Client::new().request(method, format!("http://{address}{path}")).timeout(PATIENCE);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// Checks that an answer is a problem with this status, and returns its detail.
async fn problem(answer: Response, status: u16) -> String {
    assert_eq!(answer.status().as_u16(), status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!((&body["type"], body["status"].as_u64()), (&"about:blank".into(), Some(status.into())));
    assert!(body["title"].as_str().is_some_and(|title| !title.is_empty()), "{body}");
    body["detail"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_answers() {
    let (address, _server) = start(anywhere());
    let get = async |path| ask(address, Method::GET, path, &[]).await;
    assert_eq!(get("/livez").await.text().await.unwrap(), "ok\n");
    let ready = get("/readyz").await;
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let ready: Value = ready.json().await.unwrap();
    assert_eq!((&ready["ready"], &ready["reasons"][0]["code"]), (&false.into(), &"paused".into()));
    assert_eq!(ready["reasons"][0]["message"], "canary");
    assert_eq!((&ready["warnings"][0]["stage"], &ready["warnings"][0]["message"]), (&"s".into(), &"refused".into()));
    let health: HostView = get("/healthz").await.json().await.unwrap();
    assert_eq!(health, Fake.view().await);
    let metrics = get("/metrics").await;
    assert_eq!(metrics.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(metrics.text().await.unwrap(), "gristmill_ready 0\n");
    let all: Value = get("/v1/pipelines").await.json().await.unwrap();
    let one: Value = get("/v1/pipelines/p").await.json().await.unwrap();
    assert_eq!((&all["pipelines"][0], &one["name"]), (&one, &"p".into()));
    let done: Done = ask(address, Method::POST, "/v1/pipelines/p/pause", &[]).await.json().await.unwrap();
    assert_eq!(done.result, Outcome::Paused);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_what_is_wrong() {
    let (address, _server) = start(anywhere());
    let get = async |path| ask(address, Method::GET, path, &[]).await;
    let post = async |path| ask(address, Method::POST, path, &[]).await;
    assert!(problem(get("/nowhere").await, 404).await.contains("/nowhere"));
    assert!(problem(get("/v1/pipelines/q").await, 404).await.contains("\"q\""));
    assert!(problem(post("/v1/pipelines/q/pause").await, 404).await.contains("\"q\""));
    assert!(problem(post("/v1/pipelines/p/stop").await, 404).await.contains("pause, resume and reload"));
    assert!(problem(post("/v1/pipelines/p/resume").await, 409).await.contains("restarted"));
    assert!(problem(post("/v1/pipelines/p/reload").await, 422).await.contains("p.toml:3:1"));
    assert!(problem(get("/v1/pipelines/q/tap").await, 403).await.contains("switched off"));
    let other = get("/v1/pipelines/p/pause").await;
    assert_eq!(other.headers()["allow"], "POST");
    assert!(problem(other, 405).await.contains("GET"));
    let elsewhere = ask(address, Method::GET, "/healthz", &[("host", "attacker.example")]).await;
    assert!(problem(elsewhere, 403).await.contains("token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused() {
    let (address, _server) = start(anywhere());
    let url = format!("http://{address}/v1/pipelines/p/pause");
    let largest = Client::new().post(&url).body(vec![b'a'; 64 << 10]).timeout(PATIENCE).send().await.unwrap();
    assert_eq!(largest.status(), StatusCode::OK);
    // It is told by its length, before any of it was sent.
    let head = b"POST /v1/pipelines/p/pause HTTP/1.1\r\nhost: localhost\r\ncontent-length: 65537\r\n\r\n";
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = wait(address, head).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("64 KiB"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_keeps_everybody_else_out() {
    let settings = AdminSettings { token: Some(SecretRef::Env(TOKEN.into())), ..anywhere() };
    let (address, _server) = start(settings);
    for path in ["/healthz", "/metrics", "/v1/pipelines"] {
        let without = ask(address, Method::GET, path, &[]).await;
        assert_eq!(without.headers()["www-authenticate"], "Bearer");
        problem(without, 401).await;
        let with = ask(address, Method::GET, path, &[("authorization", "Bearer gristmill-admin")]).await;
        assert_eq!(with.status(), StatusCode::OK, "{path}");
    }
    assert_eq!(ask(address, Method::GET, "/livez", &[]).await.status(), StatusCode::OK);
    let ready = ask(address, Method::GET, "/readyz", &[]).await.text().await.unwrap();
    assert!(ready.contains("paused") && !ready.contains("canary") && !ready.contains("refused"), "{ready}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tap_streams_until_its_reader_leaves_and_there_are_only_so_many() {
    let (address, _server) = start(anywhere());
    let tap = async || ask(address, Method::GET, "/v1/pipelines/p/tap?stage=s", &[]).await;
    let mut taps = Vec::new();
    for _ in 0..16 {
        let mut answer = tap().await;
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut text = String::new();
        while !text.contains("\n\n") {
            text += std::str::from_utf8(&answer.chunk().await.unwrap().unwrap()).unwrap();
        }
        let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let tapped: Tapped = serde_json::from_str(data).unwrap();
        assert_eq!((&*tapped.stage, text.contains("event: item")), ("s", true));
        taps.push(answer);
    }
    assert!(problem(tap().await, 503).await.contains("16"));
    taps.pop();
    let begun = Instant::now();
    while tap().await.status() != StatusCode::OK {
        assert!(begun.elapsed() < PATIENCE, "a reader that left is never noticed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A connection on which nothing, or only the beginning of a request, is sent.
fn wait(address: SocketAddr, begin: &[u8]) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    // One that was closed in favour of another has done its part.
    let _ = stream.write_all(begin);
    Some(stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_arrive_in_time_is_given_up() {
    let (address, _server) = start(anywhere());
    let cases: [(&[u8], &str); 3] = [
        (b"", ""),
        (b"GET /livez HTTP/1.1\r\nhost: localhost\r\n", ""),
        (b"POST /v1/pipelines/p/pause HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nab", "HTTP/1.1 408"),
    ];
    let mut waiting = Vec::new();
    for (begin, expected) in cases {
        let begun = Instant::now();
        waiting.push(tokio::task::spawn_blocking(move || {
            let mut stream = wait(address, begin).unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(answer.starts_with(expected), "{answer}");
            assert!(!expected.is_empty() || answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
            begun.elapsed()
        }));
    }
    for waited in waiting {
        let waited = waited.await.unwrap();
        assert!(waited >= Duration::from_secs(9) && waited < Duration::from_secs(60), "{waited:?}");
    }
}

/// How many connections this process may open, at most 10,000.
fn most_connections() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    // Those of the server, and what else is open.
    let most = limit.current.unwrap_or(u64::MAX).saturating_sub(1_000);
    usize::try_from(most).unwrap_or(usize::MAX).min(10_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_who_only_wait_keep_nobody_out() {
    let (address, _server) = start(anywhere());
    let count = most_connections();
    let flood = tokio::task::spawn_blocking(move || {
        let begin: &[u8] = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nx-slow: ";
        let waiting: Vec<TcpStream> = (0..count).filter_map(|_| wait(address, begin)).collect();
        waiting.len()
    });
    let (mut answered, mut worst) = (0, Duration::ZERO);
    while !flood.is_finished() || answered < 20 {
        let begun = Instant::now();
        // A client of its own each time, so that it needs a connection too. On a machine so busy that 512 others come
        // between its connection and its request, it is closed in favour of them, and tries again.
        let request = || Client::new().get(format!("http://{address}/readyz")).timeout(PATIENCE).send();
        while request().await.map(|answer| answer.status()).ok() != Some(StatusCode::SERVICE_UNAVAILABLE) {
            assert!(begun.elapsed() < PATIENCE, "no answer");
        }
        (answered, worst) = (answered + 1, worst.max(begun.elapsed()));
    }
    let waited = flood.await.unwrap();
    assert!(waited > count / 2, "only {waited} of {count} connections could be opened");
    assert!(worst < Duration::from_secs(60), "the slowest of {answered} answers took {worst:?}");
    eprintln!("beside {waited} connections the slowest of {answered} answers took {worst:?}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_only_if_somebody_chose_it() {
    // Taken by this one, or by another process already.
    let _taken = tokio::net::TcpListener::bind(DEFAULT.0).await;
    let server = Server::bind(&AdminSettings::default()).await.unwrap();
    assert!(server.address().ip().is_loopback());
    assert_ne!(server.address().port(), DEFAULT.0.port());
    let chosen = AdminSettings { listen: Some(Listen(server.address())), ..AdminSettings::default() };
    let Err(error) = Server::bind(&chosen).await else { panic!("two servers have one address") };
    assert!(matches!(error, BindError::Address { .. }), "{error}");
    assert!(error.to_string().contains("--admin off"), "{error}");
}

#[tokio::test]
async fn an_address_that_others_can_reach_needs_a_token() {
    let open = AdminSettings { listen: Some("0.0.0.0:0".parse().unwrap()), ..AdminSettings::default() };
    let Err(error) = Server::bind(&open).await else { panic!("it is open to everybody") };
    assert!(error.to_string().contains("without a token"), "{error}");
    let missing = SecretRef::Env("GRISTMILL_NO_SUCH_TOKEN".into());
    let Err(error) = Server::bind(&AdminSettings { token: Some(missing), ..open.clone() }).await else { panic!() };
    assert!(matches!(error, BindError::Token(_)), "{error}");
    assert!(Server::bind(&AdminSettings { token: Some(SecretRef::Env(TOKEN.into())), ..open }).await.is_ok());
}
