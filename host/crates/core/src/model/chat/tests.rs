//! What makes two requests equal.

use std::time::Duration;

use super::*;

fn message(role: Role, text: &str) -> ChatMessage {
    ChatMessage::text(role, text)
}

fn request(text: &str) -> ChatRequest {
    ChatRequest::new(vec![message(Role::User, text)])
}

fn schema(schema: &str) -> Format {
    Format::Schema { name: "answer".into(), description: None, schema: schema.into() }
}

fn base() -> ChatRequest {
    request("hello")
}

#[test]
fn whatever_shapes_the_answer_tells_requests_apart() {
    let variants = [
        base(),
        request("hello!"),
        ChatRequest { model: Some("smart".into()), ..base() },
        ChatRequest { messages: vec![message(Role::System, "hello")], ..base() },
        ChatRequest { messages: vec![message(Role::User, "hel"), message(Role::User, "lo")], ..base() },
        ChatRequest { format: Format::Json, ..base() },
        ChatRequest { format: schema("{}"), ..base() },
        ChatRequest { format: schema("true"), ..base() },
        ChatRequest { temperature: Some(0.0), ..base() },
        ChatRequest { top_p: Some(0.0), ..base() },
        ChatRequest { max_output_tokens: Some(0), ..base() },
        ChatRequest { stop: vec!["a".into(), "b".into()], ..base() },
        ChatRequest { stop: vec!["ab".into()], ..base() },
        ChatRequest { seed: Some(0), ..base() },
        ChatRequest { options: vec![("a".into(), "1".into())], ..base() },
        ChatRequest { raised: 1, ..base() },
        ChatRequest { raised: 2, ..base() },
    ];
    for (index, one) in variants.iter().enumerate() {
        for other in &variants[..index] {
            assert_ne!(one.digest(), other.digest(), "{one:?} and {other:?}");
        }
    }
}

#[test]
fn what_differs_between_attempts_does_not() {
    let later = ChatRequest { timeout: Some(Duration::from_secs(1)), idempotency_key: Some("k".into()), ..base() };
    assert_eq!(base().digest(), later.digest());
}

#[test]
fn the_encoding_stays() {
    let hex: String = base().digest().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "da2c84f96931ed883908b8bff5d46268ec0044aaa28b2ce2146274a29f14e655");
}
