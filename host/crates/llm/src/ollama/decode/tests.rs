//! Replies in the form of Ollama's own API, and what each decodes to.

use std::time::SystemTime;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::json;

use super::*;
use crate::fixtures;

const SMALL: Size = Size { least: 9, about: 12 };

fn decoded_with(size: Size, status: u16, body: &str) -> Result<Answer, ChatFailure> {
    let request = fixtures::request("Write to Jane.Roe@example.com about her knee.");
    let quote = Quote { key: None, request: &request };
    let status = StatusCode::from_u16(status).unwrap();
    let (body, at) = (Bytes::copy_from_slice(body.as_bytes()), SystemTime::UNIX_EPOCH);
    let asked = Asked { target: "ollama/m", model: "m", context: 4_096, size };
    decode(&asked, &Reply { status, headers: HeaderMap::new(), body, at }, &quote)
}

fn decoded(status: u16, body: &str) -> Result<Answer, ChatFailure> {
    decoded_with(SMALL, status, body)
}

fn kind(result: &Result<Answer, ChatFailure>) -> &'static str {
    match result {
        Ok(_) => "answer",
        Err(failure) => failure.kind(),
    }
}

fn error(message: &str) -> String {
    json!({ "error": message }).to_string()
}

fn said(reason: &str, prompt: u64, answer: u64) -> String {
    json!({
        "model": "m", "message": {"role": "assistant", "content": "hello", "thinking": "Her knee…"}, "done": true,
        "done_reason": reason, "prompt_eval_count": prompt, "eval_count": answer, "load_duration": 1_500_000_000_u64,
    })
    .to_string()
}

#[test]
fn every_kind_of_error_has_its_failure() {
    for (status, message, expected) in [
        (400, "invalid format", "invalid-request"),
        (400, "\"m\" does not support thinking", "misconfigured"),
        (400, "the input length exceeds the context length", "context-length-exceeded"),
        (500, "the input length exceeds the context length", "context-length-exceeded"),
        (413, "the input length exceeds the context length", "context-length-exceeded"),
        (401, "unauthorized", "misconfigured"),
        (404, "model 'm' not found", "misconfigured"),
        (429, "too many requests", "rate-limited"),
        (429, "you've reached your hourly usage limit, please wait or upgrade to continue", "budget-exhausted"),
        (429, "you (jane) have reached your weekly usage limit, upgrade for higher limits", "budget-exhausted"),
        (500, "model requires more system memory (9.9 GiB) than is available", "unavailable"),
        (503, "server busy, please try again.  maximum pending requests exceeded", "unavailable"),
    ] {
        assert_eq!(kind(&decoded(status, &error(message))), expected, "{status} {message}");
    }
    assert_eq!(kind(&decoded(404, "<html>no</html>")), "misconfigured");
    assert_eq!(kind(&decoded(502, "<html>no</html>")), "unavailable");
    assert_eq!(kind(&decoded(200, &error("an error was encountered while running the model"))), "unavailable");
}

#[test]
fn how_long_to_wait_stands_beside_the_error_or_in_its_words() {
    let retry_info = json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"}]);
    for (body, expected) in [
        (json!({"error": "too many requests", "details": retry_info}), Some(36)),
        (json!({"error": "too many requests", "retry_after": 7}), Some(7)),
        (json!({"error": "too many requests, please retry in 20s"}), Some(20)),
        (json!({"error": "too many requests"}), None),
    ] {
        match decoded(429, &body.to_string()) {
            Err(ChatFailure::RateLimited { after, .. }) => {
                assert_eq!(after, expected.map(Duration::from_secs), "{body}")
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_way_out_is_told() {
    let told = |status, message: &str| match decoded(status, &error(message)) {
        Err(ChatFailure::Misconfigured(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert!(told(404, "model 'm' not found").contains("\"ollama pull m\""));
    assert!(told(400, "\"m\" does not support thinking").contains("remove `thinking`"));
    let elsewhere = decoded(404, "404 page not found").unwrap_err();
    assert!(
        matches!(elsewhere, ChatFailure::Misconfigured(reason) if reason.contains("check the target's `base_url`"))
    );
}

#[test]
fn an_answer_is_read_without_thoughts_and_with_the_time_to_load() {
    let answer = decoded(200, &said("stop", 12, 5)).unwrap();
    let expected = ChatResponse {
        text: "hello".into(),
        finish_reason: FinishReason::Stop,
        usage: Usage { input_tokens: Some(12), output_tokens: Some(5), ..Usage::default() },
        model: "ollama/m".into(),
        provider_request_id: None,
        cached: false,
    };
    assert_eq!(answer, Answer { response: expected, load: Some(Duration::from_millis(1_500)) });
    let terse = json!({"message": {"content": "hello"}, "done": true}).to_string();
    let answer = decoded(200, &terse).unwrap();
    assert_eq!((answer.response.usage, answer.load), (Usage::default(), None));
}

#[test]
fn an_answer_to_a_cut_prompt_is_an_error_that_names_the_way_out() {
    let large = Size { least: 3_000, about: 5_000 };
    for (size, reason, prompt, answer, expected) in [
        (SMALL, "stop", 4_096, 5, "the prompt was cut"),
        (SMALL, "stop", 4_095, 5, ""),
        (large, "stop", 2_000, 5, "messages were left out of the prompt"),
        // As many as there are words, so nothing is certain.
        (large, "stop", 3_000, 5, ""),
        // Some servers leave out of their count what they still knew.
        (Size { least: 3_000, about: 4_000 }, "stop", 2_000, 5, ""),
        (SMALL, "length", 4_000, 96, "the answer was cut off"),
        (SMALL, "length", 4_000, 50, ""),
    ] {
        match decoded_with(size, 200, &said(reason, prompt, answer)) {
            Ok(_) => assert_eq!(expected, "", "{size:?} {reason} {prompt} {answer}"),
            Err(ChatFailure::ContextLengthExceeded { message, limit, .. }) => {
                assert!(!expected.is_empty() && message.starts_with(expected), "{message}");
                assert!(message.contains("raise the target's `context`"), "{message}");
                assert_eq!(limit, Some(4_096));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_end_of_an_answer_is_told() {
    for (reason, expected) in [
        ("stop", FinishReason::Stop),
        ("length", FinishReason::Length),
        ("load", FinishReason::Other("load".into())),
        ("no such\u{1b}reason", FinishReason::Other("unreadable".into())),
    ] {
        assert_eq!(decoded(200, &said(reason, 12, 5)).unwrap().response.finish_reason, expected);
    }
}

#[test]
fn a_success_without_an_answer_is_a_broken_server() {
    let unfinished = json!({"message": {"content": "half"}, "done": false}).to_string();
    for body in ["", "not json", "[]", "null", "{}", r#"{"message": {"con"#, r#"{"choices": []}"#, &unfinished] {
        assert_eq!(kind(&decoded(200, body)), "unavailable", "{body}");
    }
}

#[test]
fn messages_repeat_neither_prompt_nor_control_characters() {
    let failure = decoded(400, &error("bad: Jane.Roe@example.com")).unwrap_err();
    assert_eq!(failure, ChatFailure::InvalidRequest("ollama/m answered 400".into()));
    let failure = decoded(400, &error(&"very \u{1b}[31m long ".repeat(1_000))).unwrap_err();
    let ChatFailure::InvalidRequest(reason) = failure else { panic!("{failure:?}") };
    assert!(reason.chars().count() < 350 && !reason.chars().any(char::is_control), "{reason}");
}
