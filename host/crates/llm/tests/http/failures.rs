//! Servers that give no usable answer, each asked exactly once.

use std::time::{Duration, Instant};

use gristmill_core::model::{ChatFailure, ChatRequest};
use gristmill_llm::settings::OpenAiSettings;

use super::{caller, key_file, model, request, target};
use gristmill_model_server::{Behaviour, ModelServer, Script};

/// Returns the failure of one call, which must come within 20 seconds.
async fn ask(targets: Vec<OpenAiSettings>, request: &ChatRequest) -> ChatFailure {
    let (model, caller) = (model(targets), caller(1));
    tokio::time::timeout(Duration::from_secs(20), model.chat(&caller, request)).await.unwrap().unwrap_err()
}

/// Returns the failure of one call to a server with this behaviour.
async fn failure(behaviour: Behaviour, settings: impl Fn(OpenAiSettings) -> OpenAiSettings) -> ChatFailure {
    let server = ModelServer::start(Script::new().when("", [behaviour])).await;
    let failure = ask(vec![settings(target(&server))], &request("hello")).await;
    assert_eq!((server.calls(), server.paid()), (1, 0), "a call is never repeated here");
    server.until("no request is left behind", |server| server.in_flight() == 0).await;
    failure
}

#[tokio::test]
async fn every_kind_of_fault_has_its_failure() {
    for (behaviour, expected) in [
        (Behaviour::rate_limited("7"), "rate-limited"),
        (Behaviour::error(429, "insufficient_quota", "pay"), "budget-exhausted"),
        (Behaviour::error(500, "server_error", "oops"), "unavailable"),
        (Behaviour::error(503, "overloaded", "oops"), "unavailable"),
        (Behaviour::error(400, "unknown_parameter", "no"), "invalid-request"),
        (Behaviour::error(400, "context_length_exceeded", "long"), "context-length-exceeded"),
        (Behaviour::error(401, "invalid_api_key", "no"), "misconfigured"),
        (Behaviour::error(404, "model_not_found", "no"), "misconfigured"),
        (Behaviour::error(408, "x", "no"), "unavailable"),
        (Behaviour::error(409, "x", "no"), "unavailable"),
        (Behaviour::error(413, "x", "no"), "context-length-exceeded"),
        (Behaviour::error(422, "x", "no"), "invalid-request"),
        (Behaviour::error(499, "x", "no"), "unavailable"),
        (Behaviour::error(529, "overloaded_error", "no"), "unavailable"),
        (Behaviour::error(400, "json_validate_failed", "no"), "unavailable"),
        (Behaviour::error(200, "rate_limit_exceeded", "no"), "rate-limited"),
        (Behaviour::ok("application/json", "{\"error\": {\"message\": \"no\", \"code\": 429}}"), "rate-limited"),
        (Behaviour::ok("application/json", "{\"choices\": []}"), "unavailable"),
        (Behaviour::ok("application/json", "{\"choices\": ["), "unavailable"),
        (Behaviour::ok("application/json", "\u{0}\u{1}garbage"), "unavailable"),
        (Behaviour::ok("text/html", "<html>log in</html>"), "unavailable"),
        (Behaviour::ok("text/event-stream", "data: {}\n\n"), "unavailable"),
        (Behaviour::ok("application/json", ""), "unavailable"),
        (Behaviour::BreakOff, "unavailable"),
    ] {
        let name = format!("{behaviour:?}");
        assert_eq!(failure(behaviour, |target| target).await.kind(), expected, "{name}");
    }
}

#[tokio::test]
async fn the_time_to_wait_comes_through() {
    let ChatFailure::RateLimited { after, .. } = failure(Behaviour::rate_limited("7"), |target| target).await else {
        panic!("not limited")
    };
    assert_eq!(after, Some(Duration::from_secs(7)));
    let date = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_secs(100));
    let ChatFailure::RateLimited { after, .. } = failure(Behaviour::rate_limited(date), |target| target).await else {
        panic!("not limited")
    };
    let after = after.unwrap().as_secs();
    assert!((80..=100).contains(&after), "{after}");
}

#[tokio::test]
async fn the_time_to_wait_is_read_from_limits_and_words() {
    let body = "{\"error\": {\"message\": \"Rate limit reached. Please try again in 4s.\"}}";
    let said = |headers| Behaviour::Raw { status: 429, headers, body: body.into() };
    let reset = ("x-ratelimit-reset-tokens", "6s".to_owned());
    let none_left = ("x-ratelimit-remaining-tokens", "0".to_owned());
    let silent = Behaviour::Raw { status: 429, headers: vec![reset.clone(), none_left], body: String::new() };
    let exact = ("x-ms-retry-after-ms", "2500".to_owned());
    for (behaviour, milliseconds) in [(said(vec![]), 4_000), (silent, 6_000), (said(vec![reset, exact]), 2_500)] {
        match failure(behaviour, |target| target).await {
            ChatFailure::RateLimited { after, .. } => assert_eq!(after, Some(Duration::from_millis(milliseconds))),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn silence_and_slow_drips_end_with_the_targets_time() {
    for behaviour in [Behaviour::Silence, Behaviour::Drip] {
        let begun = Instant::now();
        let failure =
            failure(behaviour, |target| OpenAiSettings { timeout: Duration::from_millis(300), ..target }).await;
        assert_eq!(failure.kind(), "timeout", "{failure:?}");
        assert!(begun.elapsed() >= Duration::from_millis(300));
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_request_may_ask_for_less_time_than_the_target_has() {
    let server = ModelServer::start(Script::new().when("", [Behaviour::Silence])).await;
    let hurried = ChatRequest { timeout: Some(Duration::from_millis(200)), ..request("hello") };
    let begun = Instant::now();
    let failure = ask(vec![target(&server)], &hurried).await;
    assert_eq!(failure.kind(), "timeout");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_answer_above_the_bound_is_not_read_to_its_end() {
    let small = |target| OpenAiSettings { max_answer_bytes: 64 << 10, ..target };
    let told = Behaviour::ok("application/json", " ".repeat(65 << 10));
    // Many times the size of the socket buffers.
    for behaviour in [told, Behaviour::Flood(1 << 30)] {
        match failure(behaviour, small).await {
            ChatFailure::Unavailable { message, .. } => assert!(message.contains("more than 65536 bytes"), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_takes_no_key_along() {
    let elsewhere = ModelServer::start(Script::new()).await;
    let to = format!("{}/chat/completions", elsewhere.base_url());
    let (_folder, key) = key_file("sk-test-key");
    let with_key = |target| OpenAiSettings { key: Some(key.clone()), ..target };
    let failure = failure(Behaviour::redirect(to), with_key).await;
    assert_eq!(failure.kind(), "misconfigured");
    assert_eq!(elsewhere.calls(), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let server = ModelServer::start(Script::new()).await;
    let settings = target(&server);
    server.stop().await;
    match ask(vec![settings], &request("hello")).await {
        ChatFailure::Unavailable { message, .. } => assert!(message.contains("cannot be reached"), "{message}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_dropped_call_ends_at_the_server() {
    let server = ModelServer::start(Script::new().when("", [Behaviour::Silence])).await;
    // Longer than the test waits, so that the timeout does not end the request.
    let patient = OpenAiSettings { timeout: Duration::from_secs(120), ..target(&server) };
    let model = model(vec![patient]);
    let call = tokio::spawn(async move { model.chat(&caller(1), &request("hello")).await });
    server.until("the request is there", |server| server.in_flight() == 1).await;
    call.abort();
    server.until("the request is gone", |server| server.in_flight() == 0).await;
}
