//! Replies in the form of Anthropic's Messages, and what each decodes to.

use std::time::Duration;

use bytes::Bytes;
use gristmill_core::model::BudgetScope;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::json;

use super::*;
use crate::delay::LONGEST;
use crate::fixtures;

const TARGET: &str = "anthropic/m";

fn decoded(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Result<ChatResponse, ChatFailure> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    let request = fixtures::request("Write to Jane.Roe@example.com about her knee.");
    let quote = Quote { key: None, request: &request };
    let at = humantime::parse_rfc3339("2026-10-21T07:28:00Z").unwrap();
    let status = StatusCode::from_u16(status).unwrap();
    let reply = Reply { status, headers: map, body: Bytes::copy_from_slice(body.as_bytes()), at };
    decode(TARGET, &reply, &quote)
}

fn kind(result: &Result<ChatResponse, ChatFailure>) -> &'static str {
    match result {
        Ok(_) => "answer",
        Err(failure) => failure.kind(),
    }
}

fn error(kind: &str, message: &str) -> String {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).to_string()
}

fn said(stop: &str, content: &Value) -> String {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "content": content, "stop_reason": stop}).to_string()
}

#[test]
fn every_kind_of_error_has_its_failure() {
    for (status, name, message, expected) in [
        (529, "overloaded_error", "Overloaded", "unavailable"),
        (500, "api_error", "Internal server error", "unavailable"),
        (504, "timeout_error", "no", "unavailable"),
        (503, "", "", "unavailable"),
        (429, "rate_limit_error", "slow down", "rate-limited"),
        (413, "request_too_large", "no", "context-length-exceeded"),
        (413, "", "", "context-length-exceeded"),
        (400, "invalid_request_error", "max_tokens: Field required", "invalid-request"),
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", "context-length-exceeded"),
        (400, "invalid_request_error", "Your credit balance is too low to use the API.", "budget-exhausted"),
        (400, "invalid_request_error", "You have reached your specified API usage limits.", "budget-exhausted"),
        (402, "billing_error", "pay", "budget-exhausted"),
        (401, "authentication_error", "invalid x-api-key", "misconfigured"),
        (403, "permission_error", "no", "misconfigured"),
        (404, "not_found_error", "model: m", "misconfigured"),
        (302, "", "", "misconfigured"),
        (408, "", "", "unavailable"),
        (409, "", "", "unavailable"),
        (422, "invalid_request_error", "no", "invalid-request"),
    ] {
        let body = if name.is_empty() { "<html>no</html>".to_owned() } else { error(name, message) };
        assert_eq!(kind(&decoded(status, &[], &body)), expected, "{status} {name} {message}");
    }
}

#[test]
fn an_error_inside_a_success_is_an_error() {
    assert_eq!(kind(&decoded(200, &[], &error("overloaded_error", "Overloaded"))), "unavailable");
    assert_eq!(kind(&decoded(200, &[], &error("rate_limit_error", "slow down"))), "rate-limited");
}

#[test]
fn a_spend_limit_is_no_rate_limit() {
    let details = json!({"error_code": "enforced_spend_limit_reached"});
    let error = json!({"type": "rate_limit_error", "message": "You have reached a limit.", "details": details});
    let failure = decoded(429, &[], &json!({"type": "error", "error": error}).to_string()).unwrap_err();
    let ChatFailure::BudgetExhausted { scope, message } = failure else { panic!("{failure:?}") };
    assert_eq!(scope, BudgetScope::Account);
    assert_eq!(message, "anthropic/m answered 429 (enforced_spend_limit_reached): You have reached a limit.");
}

#[test]
fn the_wait_is_the_servers_or_that_of_the_limit_that_is_used_up() {
    let wait =
        |headers: &[(&'static str, &'static str)]| match decoded(429, headers, &error("rate_limit_error", "slow down"))
            .unwrap_err()
        {
            ChatFailure::RateLimited { after, .. } => after,
            other => panic!("{other:?}"),
        };
    let requests = ("anthropic-ratelimit-requests-remaining", "3");
    let early = ("anthropic-ratelimit-requests-reset", "2026-10-21T07:28:05Z");
    let used_up = ("anthropic-ratelimit-input-tokens-remaining", "0");
    let late = ("anthropic-ratelimit-input-tokens-reset", "2026-10-21T07:28:40Z");
    assert_eq!(wait(&[("retry-after", "7"), used_up, late]), Some(Duration::from_secs(7)));
    assert_eq!(wait(&[requests, early, used_up, late]), Some(Duration::from_secs(40)));
    assert_eq!(wait(&[requests, early]), Some(Duration::from_secs(5)), "no limit says that it was met");
    let tomorrow = ("anthropic-ratelimit-input-tokens-reset", "2026-10-22T07:28:40Z");
    assert_eq!(wait(&[used_up, tomorrow]), Some(LONGEST));
    assert_eq!(wait(&[]), None);
}

#[test]
fn the_sizes_come_from_the_message() {
    for (message, expected) in [
        ("prompt is too long: 210000 tokens > 200000 maximum", (Some(200_000), Some(210_000))),
        (
            "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease them",
            (Some(200_000), Some(210_000)),
        ),
        ("prompt is too long", (None, None)),
    ] {
        match decoded(400, &[], &error("invalid_request_error", message)).unwrap_err() {
            ChatFailure::ContextLengthExceeded { limit, actual, .. } => assert_eq!((limit, actual), expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_answer_is_read_with_all_it_tells() {
    let body = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m-2026", "stop_reason": "end_turn",
        "content": [
            {"type": "thinking", "thinking": "Her knee…", "signature": "x"},
            {"type": "text", "text": "hel"}, {"type": "text", "text": "lo"},
        ],
        "usage": {
            "input_tokens": 12, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 30, "output_tokens": 5,
        },
    });
    let expected = ChatResponse {
        text: "hello".into(),
        finish_reason: FinishReason::Stop,
        usage: Usage {
            input_tokens: Some(142),
            cache_read_input_tokens: Some(100),
            cache_write_input_tokens: Some(30),
            output_tokens: Some(5),
            ..Usage::default()
        },
        model: TARGET.into(),
        provider_request_id: Some("req_9".into()),
        cached: false,
    };
    assert_eq!(decoded(200, &[("request-id", "req_9")], &body.to_string()), Ok(expected));
}

#[test]
fn what_a_server_does_not_say_is_none() {
    let response = decoded(200, &[], &said("end_turn", &json!([{"type": "text", "text": "hello"}]))).unwrap();
    assert_eq!(response.usage, Usage::default());
    assert_eq!(response.provider_request_id.as_deref(), Some("msg_1"));
}

#[test]
fn the_call_of_the_answers_tool_is_the_answer() {
    let call = json!([{"type": "text", "text": "Here:"}, {"type": "tool_use", "id": "t", "name": "answer", "input": {"a": "x"}}]);
    let response = decoded(200, &[], &said("tool_use", &call)).unwrap();
    assert_eq!((response.text.as_str(), response.finish_reason), ("{\"a\":\"x\"}", FinishReason::Stop));
}

#[test]
fn the_end_of_an_answer_is_told() {
    let text = json!([{"type": "text", "text": "half of her knee"}]);
    let end = |stop: &str| decoded(200, &[], &said(stop, &text));
    for (stop, expected) in [
        ("end_turn", FinishReason::Stop),
        ("stop_sequence", FinishReason::Stop),
        ("max_tokens", FinishReason::Length),
        ("pause_turn", FinishReason::Other("pause_turn".into())),
        ("no such\u{1b}reason", FinishReason::Other("unreadable".into())),
    ] {
        assert_eq!(end(stop).unwrap().finish_reason, expected);
    }
    assert_eq!(kind(&end("model_context_window_exceeded")), "context-length-exceeded");
    match end("refusal") {
        Err(ChatFailure::ContentFiltered(reason)) => assert!(!reason.contains("knee"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_success_without_an_answer_is_a_broken_server() {
    for body in ["", "not json", "[]", "null", "{}", r#"{"choices": []}"#, r#"{"content": "text"}"#, r#"{"type": "mes"#]
    {
        assert_eq!(kind(&decoded(200, &[("content-type", "text/html")], body)), "unavailable", "{body}");
    }
}

#[test]
fn messages_repeat_neither_prompt_nor_control_characters() {
    let failure = decoded(400, &[], &error("invalid_request_error", "bad: Jane.Roe@example.com")).unwrap_err();
    assert_eq!(failure, ChatFailure::InvalidRequest("anthropic/m answered 400 (invalid_request_error)".into()));
    let failure = decoded(400, &[], &error("x\u{7}\n", &"very \u{1b}[31m long ".repeat(1_000))).unwrap_err();
    let ChatFailure::InvalidRequest(reason) = failure else { panic!("{failure:?}") };
    assert!(reason.chars().count() < 350 && !reason.chars().any(char::is_control), "{reason}");
}
