//! Server replies as recorded or documented, and what each decodes to.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::json;

use super::*;
use crate::fixtures;

const TARGET: &str = "openai/m";

fn decoded(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Result<ChatResponse, ChatFailure> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    let request = fixtures::request("Write to Jane.Roe@example.com about her knee.");
    let quote = Quote { key: None, request: &request };
    decode(TARGET, &reply(status, map, body), &quote).map_err(|unanswered| unanswered.failure)
}

fn reply(status: u16, headers: HeaderMap, body: &str) -> Reply {
    let (status, body) = (StatusCode::from_u16(status).unwrap(), Bytes::copy_from_slice(body.as_bytes()));
    Reply { status, headers, body, at: SystemTime::UNIX_EPOCH }
}

fn kind(result: &Result<ChatResponse, ChatFailure>) -> &'static str {
    match result {
        Ok(_) => "answer",
        Err(failure) => failure.kind(),
    }
}

fn error(code: &str, message: &str) -> String {
    json!({"error": {"message": message, "type": "some_type", "param": null, "code": code}}).to_string()
}

fn answer(choice: &Value) -> String {
    json!({"id": "chatcmpl-1", "object": "chat.completion", "model": "/srv/m.gguf", "choices": [choice]}).to_string()
}

fn said(text: &str, finish: &str) -> String {
    answer(&json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}))
}

#[test]
fn every_status_has_its_meaning() {
    for (status, expected) in [
        (302, "misconfigured"),
        (307, "misconfigured"),
        (400, "invalid-request"),
        (401, "misconfigured"),
        (402, "budget-exhausted"),
        (403, "misconfigured"),
        (404, "misconfigured"),
        (405, "misconfigured"),
        (408, "unavailable"),
        (409, "unavailable"),
        (413, "context-length-exceeded"),
        (418, "invalid-request"),
        (422, "invalid-request"),
        (425, "unavailable"),
        (499, "unavailable"),
        (429, "rate-limited"),
        (500, "unavailable"),
        (502, "unavailable"),
        (503, "unavailable"),
        (504, "unavailable"),
        (529, "unavailable"),
    ] {
        for body in ["", "<html>no</html>", "[1]", r#"{"error": {"message": "no", "type": "x", "code": null}}"#] {
            assert_eq!(kind(&decoded(status, &[], body)), expected, "{status} {body}");
        }
    }
}

#[test]
fn a_code_says_more_than_the_status() {
    for (status, code, expected) in [
        (429, "rate_limit_exceeded", "rate-limited"),
        (429, "insufficient_quota", "budget-exhausted"),
        (429, "credit_balance_exhausted", "budget-exhausted"),
        (429, "organization_spend_limit_exceeded", "budget-exhausted"),
        (429, "project_spend_limit_exceeded", "budget-exhausted"),
        (429, "organization_usage_limit_exceeded", "budget-exhausted"),
        (403, "billing_not_active", "budget-exhausted"),
        (400, "context_length_exceeded", "context-length-exceeded"),
        (400, "content_filter", "content-filtered"),
        (400, "model_not_found", "misconfigured"),
        (400, "unknown_parameter", "invalid-request"),
        (400, "json_validate_failed", "unavailable"),
        (200, "rate_limit_exceeded", "rate-limited"),
        (200, "invalid_api_key", "misconfigured"),
        (200, "context_length_exceeded", "context-length-exceeded"),
        (200, "content_filter", "content-filtered"),
        (200, "whatever", "unavailable"),
        (503, "context_length_exceeded", "unavailable"),
    ] {
        assert_eq!(kind(&decoded(status, &[], &error(code, "no"))), expected, "{status} {code}");
    }
    let by_type = json!({"error": {"message": "no", "type": "insufficient_quota", "code": null}});
    assert_eq!(kind(&decoded(429, &[], &by_type.to_string())), "budget-exhausted");
    let llama = json!({"error": {"code": 400, "message": "no", "type": "exceed_context_size_error", "n_ctx": 4096, "n_prompt_tokens": 5000}});
    let Err(ChatFailure::ContextLengthExceeded { limit, actual, .. }) = decoded(400, &[], &llama.to_string()) else {
        panic!("not too long")
    };
    assert_eq!((limit, actual), (Some(4096), Some(5000)));
    let vllm = json!({"object": "error", "message": "no", "type": "insufficient_quota", "code": 429});
    assert_eq!(kind(&decoded(429, &[], &vllm.to_string())), "budget-exhausted");
}

#[test]
fn words_about_length_are_the_last_resort() {
    let overflow = "This model's maximum context length is 4096 tokens, however you requested 5000.";
    assert_eq!(kind(&decoded(400, &[], &error("invalid", overflow))), "context-length-exceeded");
    assert_eq!(kind(&decoded(400, &[], &json!({ "error": overflow }).to_string())), "context-length-exceeded");
    assert_eq!(kind(&decoded(429, &[], &error("invalid", overflow))), "rate-limited");
    assert_eq!(kind(&decoded(400, &[], &error("invalid", "error 429: rate limit"))), "invalid-request");
}

#[test]
fn a_rate_limit_that_one_request_is_above_is_no_rate_limit() {
    let openai = "Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Requested 39000. \
                  The input or output tokens must be reduced in order to run successfully.";
    let busy = "Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, \
                Requested 2000. Please try again in 2s.";
    for (code, message, expected) in [
        ("rate_limit_exceeded", openai, "context-length-exceeded"),
        ("rate_limit_exceeded", "on tokens per minute: limit: 6,000, requested: 7,500", "context-length-exceeded"),
        ("request_too_large", "no", "context-length-exceeded"),
        ("context_length_exceeded", "no", "context-length-exceeded"),
        ("rate_limit_exceeded", busy, "rate-limited"),
        ("rate_limit_exceeded", "Limit 3, Used 3, Requested 1", "rate-limited"),
        ("rate_limit_exceeded", "Limit of requests reached: 9 requested", "rate-limited"),
        ("insufficient_quota", openai, "budget-exhausted"),
    ] {
        assert_eq!(kind(&decoded(429, &[("retry-after", "7")], &error(code, message))), expected, "{code} {message}");
    }
}

#[test]
fn the_wait_is_handed_on() {
    let wait = Some(Duration::from_secs(7));
    match decoded(429, &[("retry-after", "7")], &error("rate_limit_exceeded", "slow down")) {
        Err(ChatFailure::RateLimited { message, after }) => {
            assert_eq!(after, wait);
            assert_eq!(message, "openai/m answered 429 (rate_limit_exceeded): slow down");
        }
        other => panic!("{other:?}"),
    }
    match decoded(503, &[("retry-after-ms", "7000")], "") {
        Err(ChatFailure::Unavailable { after, .. }) => assert_eq!(after, wait),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_success_without_an_answer_is_a_broken_server() {
    for body in [
        "",
        "not json",
        "data: {}\n\n",
        "[]",
        "null",
        "{}",
        r#"{"choices": []}"#,
        r#"{"choices": [{"finish_reason": "stop"}]}"#,
        r#"{"error": "model is loading"}"#,
        r#"{"error": {"message": "upstream", "code": 502}}"#,
        r#"{"choices": [{"message": {"content": "half an ans"}, "finish_reason": "error"}]}"#,
    ] {
        assert_eq!(kind(&decoded(200, &[("content-type", "text/html")], body)), "unavailable", "{body}");
    }
    assert_eq!(kind(&decoded(200, &[], &error("insufficient_quota", "no"))), "budget-exhausted");
}

#[test]
fn an_answer_is_read_with_all_it_tells() {
    let body = json!({
        "id": "chatcmpl-1", "model": "/srv/m.gguf",
        "choices": [{"message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3}, "completion_tokens_details": {"reasoning_tokens": 2},
        },
    });
    let response = decoded(200, &[("x-request-id", "req_9")], &body.to_string()).unwrap();
    let usage = Usage {
        input_tokens: Some(12),
        cache_read_input_tokens: Some(4),
        cache_write_input_tokens: Some(3),
        output_tokens: Some(5),
        reasoning_tokens: Some(2),
        cost_nano_usd: None,
    };
    let expected = ChatResponse {
        text: "hello".into(),
        finish_reason: FinishReason::Stop,
        usage,
        model: TARGET.into(),
        provider_request_id: Some("req_9".into()),
        cached: false,
    };
    assert_eq!(response, expected);
}

#[test]
fn what_a_server_does_not_say_is_none() {
    let response = decoded(200, &[], &said("hello", "stop")).unwrap();
    assert_eq!(response.usage, Usage::default());
    assert_eq!(response.provider_request_id.as_deref(), Some("chatcmpl-1"));
    let odd = json!({"choices": [{"message": {"content": null}}], "usage": {"prompt_tokens": -1}});
    assert_eq!(decoded(200, &[], &odd.to_string()).unwrap().usage, Usage::default());
}

#[test]
fn the_end_of_an_answer_is_told() {
    for (finish, expected) in [
        ("stop", FinishReason::Stop),
        ("length", FinishReason::Length),
        ("tool_calls", FinishReason::Other("tool_calls".into())),
        ("no such\u{1b}reason", FinishReason::Other("unreadable".into())),
    ] {
        assert_eq!(decoded(200, &[], &said("text", finish)).unwrap().finish_reason, expected);
    }
}

#[test]
fn filters_and_refusals_are_told_without_the_document() {
    let refused =
        json!({"message": {"content": null, "refusal": "I cannot discuss her knee."}, "finish_reason": "stop"});
    for body in [said("half", "content_filter"), answer(&refused)] {
        match decoded(200, &[], &body) {
            Err(ChatFailure::ContentFiltered(reason)) => assert!(!reason.contains("knee"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn messages_are_bounded_and_repeat_neither_prompt_nor_control_characters() {
    let failure = decoded(400, &[], &error("bad", "invalid content: Jane.Roe@example.com")).unwrap_err();
    assert_eq!(failure, ChatFailure::InvalidRequest("openai/m answered 400 (bad)".into()));
    let failure = decoded(400, &[], &error("bad\u{7}\n", &"very \u{1b}[31m long ".repeat(1_000))).unwrap_err();
    let ChatFailure::InvalidRequest(reason) = failure else { panic!("{failure:?}") };
    assert!(reason.chars().count() < 350, "{}", reason.len());
    assert!(!reason.chars().any(char::is_control), "{reason}");
    assert!(reason.starts_with("openai/m answered 400 (some_type): very [31m long"), "{reason}");
}

#[test]
fn an_error_that_claims_success_is_decided_by_what_it_names() {
    for (body, expected) in [
        (json!({"error": {"message": "slow down", "code": 429}}), "rate-limited"),
        (json!({"error": {"message": "slow down", "code": "429"}}), "rate-limited"),
        (json!({"error": {"message": "no", "code": 401}}), "misconfigured"),
        (json!({"error": {"message": "no", "code": 402}}), "budget-exhausted"),
        (json!({"error": {"message": "no", "code": 400}}), "invalid-request"),
        (json!({"error": {"message": "no", "type": "rate_limit_error"}}), "rate-limited"),
        (json!({"error": {"message": "no", "type": "overloaded_error"}}), "unavailable"),
        (json!({"code": 429, "message": "slow down"}), "rate-limited"),
        (json!({"object": "error", "message": "no", "type": "x", "code": 503}), "unavailable"),
        (json!([{"error": {"message": "slow down", "code": 429}}]), "rate-limited"),
        (json!({"choices": [{"error": {"message": "slow", "code": 429}, "finish_reason": "error"}]}), "rate-limited"),
        (json!({"error": true}), "unavailable"),
    ] {
        assert_eq!(kind(&decoded(200, &[], &body.to_string())), expected, "{body}");
    }
    for empty in [Value::Null, json!(""), json!({}), json!(false), json!(0)] {
        let body = json!({"error": empty, "code": 0, "choices": [{"message": {"content": "hello"}}]});
        assert_eq!(decoded(200, &[], &body.to_string()).unwrap().text, "hello", "{body}");
    }
    let failure = decoded(200, &[], &json!({"error": {"message": "slow down", "code": 429}}).to_string()).unwrap_err();
    let message = "openai/m answered 200 with an error 429: slow down".to_owned();
    assert_eq!(failure, ChatFailure::RateLimited { message, after: None });
}

#[test]
fn the_wait_is_read_from_all_that_a_server_says() {
    let google = json!({"error": {"code": 429, "message": "Resource exhausted.", "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"}]}});
    for (status, headers, body, seconds) in [
        (429, &[("x-ratelimit-reset-tokens", "4s")][..], String::new(), 4),
        (429, &[("x-ms-retry-after-ms", "5000")], String::new(), 5),
        (429, &[], error("rate_limit_exceeded", "Please try again in 6s."), 6),
        (429, &[], "Too many requests. Try again in 7 seconds.".into(), 7),
        (429, &[], google.to_string(), 36),
        (429, &[], json!([google]).to_string(), 36),
        (200, &[], google.to_string(), 36),
    ] {
        match decoded(status, headers, &body) {
            Err(ChatFailure::RateLimited { after, .. }) => {
                assert_eq!(after, Some(Duration::from_secs(seconds)), "{body}")
            }
            other => panic!("{other:?}"),
        }
    }
    match decoded(503, &[], "busy, retry in 8s") {
        Err(ChatFailure::Unavailable { after, .. }) => assert_eq!(after, Some(Duration::from_secs(8))),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_may_have_been_paid_for_has_no_sign() {
    let request = fixtures::request("hello");
    let quote = Quote { key: None, request: &request };
    let sign =
        |status: u16, body: &str| decode(TARGET, &reply(status, HeaderMap::new(), body), &quote).unwrap_err().sign;
    assert_eq!(sign(400, &error("json_validate_failed", "no")), None, "a model that failed to write JSON");
    assert!(sign(499, "").is_some());
}

#[test]
fn an_answer_that_ended_in_thought_is_empty_also_if_it_comes_as_an_error() {
    let said = "Could not finish the message because max_tokens or model output limit was reached.";
    let response = decoded(400, &[], &error("invalid_request_error", said)).unwrap();
    assert_eq!((response.text.as_str(), response.finish_reason), ("", FinishReason::Length));
}

#[test]
fn a_byte_order_mark_before_the_body_is_skipped() {
    assert_eq!(decoded(200, &[], &format!("\u{feff}{}", said("hello", "stop"))).unwrap().text, "hello");
}

#[test]
fn the_cost_that_a_gateway_tells_is_taken_unless_it_is_nothing() {
    let answer = json!({"choices": [{"message": {"content": "yes"}}]}).to_string();
    for (told, cost) in [
        ("0.00025", Some(250_000)),
        ("2.5e-05", Some(25_000)),
        ("1e-12", Some(1)),
        ("0.0", None),
        ("-1", None),
        ("NaN", None),
        ("1e300", None),
        ("free", None),
    ] {
        let response = decoded(200, &[("x-litellm-response-cost", told)], &answer).unwrap();
        assert_eq!(response.usage.cost_nano_usd, cost, "{told}");
    }
}
