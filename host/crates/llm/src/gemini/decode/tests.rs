//! Replies in the form of Gemini's generateContent, and what each decodes to.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gristmill_core::model::BudgetScope;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::json;

use super::*;
use crate::delay::LONGEST;
use crate::fixtures;

const TARGET: &str = "gemini/m";

fn decoded(status: u16, body: &str) -> Result<ChatResponse, ChatFailure> {
    let request = fixtures::request("Write to Jane.Roe@example.com about her knee.");
    let quote = Quote { key: None, request: &request };
    let status = StatusCode::from_u16(status).unwrap();
    let (body, at) = (Bytes::copy_from_slice(body.as_bytes()), SystemTime::UNIX_EPOCH);
    decode(TARGET, &Reply { status, headers: HeaderMap::new(), body, at }, &quote)
}

fn kind(result: &Result<ChatResponse, ChatFailure>) -> &'static str {
    match result {
        Ok(_) => "answer",
        Err(failure) => failure.kind(),
    }
}

fn error(status: &str, message: &str, details: &Value) -> String {
    json!({"error": {"code": 0, "message": message, "status": status, "details": details}}).to_string()
}

fn detail(kind: &str, fields: &Value) -> Value {
    let mut detail = json!({"@type": format!("type.googleapis.com/google.rpc.{kind}")});
    for (name, value) in fields.as_object().unwrap() {
        detail[name] = value.clone();
    }
    detail
}

fn quota(id: &str, value: &str) -> Value {
    detail("QuotaFailure", &json!({"violations": [{"quotaMetric": "x", "quotaId": id, "quotaValue": value}]}))
}

fn said(finish: &str, text: &str) -> String {
    let content = json!({"role": "model", "parts": [{"text": text}]});
    json!({"candidates": [{"content": content, "finishReason": finish, "index": 0}]}).to_string()
}

#[test]
fn every_kind_of_error_has_its_failure() {
    for (status, name, expected) in [
        (400, "INVALID_ARGUMENT", "invalid-request"),
        (400, "FAILED_PRECONDITION", "misconfigured"),
        (401, "UNAUTHENTICATED", "misconfigured"),
        (402, "", "budget-exhausted"),
        (403, "PERMISSION_DENIED", "misconfigured"),
        (404, "NOT_FOUND", "misconfigured"),
        (413, "", "context-length-exceeded"),
        (429, "RESOURCE_EXHAUSTED", "rate-limited"),
        (429, "", "rate-limited"),
        (499, "CANCELLED", "unavailable"),
        (500, "INTERNAL", "unavailable"),
        (503, "UNAVAILABLE", "unavailable"),
        (504, "DEADLINE_EXCEEDED", "unavailable"),
        (502, "", "unavailable"),
        (302, "", "misconfigured"),
    ] {
        let body = if name.is_empty() { "<html>no</html>".to_owned() } else { error(name, "no", &json!([])) };
        assert_eq!(kind(&decoded(status, &body)), expected, "{status} {name}");
        assert_eq!(kind(&decoded(status, &format!("[{body}]"))), expected, "a list of one: {status} {name}");
    }
    assert_eq!(kind(&decoded(200, &error("UNAVAILABLE", "no", &json!([])))), "unavailable");
}

#[test]
fn a_wrong_key_is_no_bad_request() {
    let details = json!([detail("ErrorInfo", &json!({"reason": "API_KEY_INVALID", "domain": "googleapis.com"}))]);
    let failure = decoded(400, &error("INVALID_ARGUMENT", "API key not valid.", &details)).unwrap_err();
    let ChatFailure::Misconfigured(reason) = failure else { panic!("{failure:?}") };
    assert!(reason.contains("(API_KEY_INVALID)") && reason.contains("check the target's `key`"), "{reason}");
}

#[test]
fn the_wait_is_in_the_body() {
    let wait = |delay: &str| {
        let details = json!([
            quota("GenerateRequestsPerMinutePerProjectPerModel", "5"),
            detail("RetryInfo", &json!({"retryDelay": delay})),
        ]);
        match decoded(429, &error("RESOURCE_EXHAUSTED", "slow down", &details)).unwrap_err() {
            ChatFailure::RateLimited { after, .. } => after,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(wait("36s"), Some(Duration::from_secs(36)));
    assert_eq!(wait("0.250s"), Some(Duration::from_millis(250)));
    assert_eq!(wait("86400s"), Some(LONGEST));
    assert_eq!(wait("soon"), None);
    assert_eq!(wait("NaNs"), None);
}

#[test]
fn a_daily_quota_is_no_rate_limit_whatever_wait_comes_with_it() {
    let wait = detail("RetryInfo", &json!({"retryDelay": "36s"}));
    for violation in [
        quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "50"),
        quota("GenerateContentInputTokensPerModelPerMinute", "0"),
    ] {
        let id = violation["violations"][0]["quotaId"].as_str().unwrap().to_owned();
        let body = error("RESOURCE_EXHAUSTED", "You exceeded your quota.", &json!([wait, violation]));
        match decoded(429, &body).unwrap_err() {
            ChatFailure::BudgetExhausted { scope, message } => {
                assert_eq!(scope, BudgetScope::Account);
                assert!(message.contains(&id), "it says which: {message}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_input_that_is_too_long_is_told_by_words() {
    let message = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).";
    match decoded(400, &error("INVALID_ARGUMENT", message, &json!([]))).unwrap_err() {
        ChatFailure::ContextLengthExceeded { limit, actual, .. } => {
            assert_eq!((limit, actual), (Some(1_048_576), Some(1_200_000)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_is_read_with_all_it_tells_and_without_thoughts() {
    let parts = json!([{"text": "Her knee…", "thought": true}, {"text": "hel"}, {"text": "lo"}]);
    let body = json!({
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": 112, "cachedContentTokenCount": 100, "candidatesTokenCount": 5, "thoughtsTokenCount": 20,
            "totalTokenCount": 137,
        },
        "modelVersion": "m-2026", "responseId": "abc",
    });
    let expected = ChatResponse {
        text: "hello".into(),
        finish_reason: FinishReason::Stop,
        usage: Usage {
            input_tokens: Some(112),
            cache_read_input_tokens: Some(100),
            output_tokens: Some(25),
            reasoning_tokens: Some(20),
            ..Usage::default()
        },
        model: TARGET.into(),
        provider_request_id: Some("abc".into()),
        cached: false,
    };
    assert_eq!(decoded(200, &body.to_string()), Ok(expected));
    assert_eq!(decoded(200, &said("STOP", "hello")).unwrap().usage, Usage::default());
}

#[test]
fn the_end_of_an_answer_is_told() {
    for (finish, expected) in [
        ("STOP", FinishReason::Stop),
        ("MAX_TOKENS", FinishReason::Length),
        ("OTHER", FinishReason::Other("OTHER".into())),
        ("no such\u{1b}reason", FinishReason::Other("unreadable".into())),
    ] {
        assert_eq!(decoded(200, &said(finish, "text")).unwrap().finish_reason, expected);
    }
    // Everything was spent on thinking.
    let empty = json!({"candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}]});
    let response = decoded(200, &empty.to_string()).unwrap();
    assert_eq!((response.text.as_str(), response.finish_reason), ("", FinishReason::Length));
}

#[test]
fn filters_are_told_without_the_document() {
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}});
    let mut bodies = vec![blocked.to_string()];
    for reason in ["SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"] {
        bodies.push(said(reason, "half of her knee"));
    }
    for body in bodies {
        match decoded(200, &body) {
            Err(ChatFailure::ContentFiltered(reason)) => assert!(!reason.contains("knee"), "{reason}"),
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn a_success_without_an_answer_is_a_broken_server() {
    for body in ["", "not json", "[]", "null", "{}", r#"{"candidates": []}"#, r#"{"candidates": [{"con"#] {
        assert_eq!(kind(&decoded(200, body)), "unavailable", "{body}");
    }
}

#[test]
fn messages_repeat_neither_prompt_nor_control_characters() {
    let failure = decoded(400, &error("INVALID_ARGUMENT", "bad: Jane.Roe@example.com", &json!([]))).unwrap_err();
    assert_eq!(failure, ChatFailure::InvalidRequest("gemini/m answered 400 (INVALID_ARGUMENT)".into()));
    let failure = decoded(400, &error("x\u{7}\n", &"very \u{1b}[31m long ".repeat(1_000), &json!([]))).unwrap_err();
    let ChatFailure::InvalidRequest(reason) = failure else { panic!("{failure:?}") };
    assert!(reason.chars().count() < 350 && !reason.chars().any(char::is_control), "{reason}");
}
