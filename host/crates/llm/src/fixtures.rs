//! Requests and callers for the tests of this folder.

use std::time::Duration;

use gristmill_core::model::{
    CacheUse, ChatMessage, ChatRequest, ChatResponse, Content, EventId, FinishReason, Format, JobId, Partition,
    Position, Role, Usage,
};
use gristmill_core::ports::Caller;

pub(super) fn message(role: Role, text: &str) -> ChatMessage {
    ChatMessage { role, content: vec![Content::Text(text.into())] }
}

pub(super) fn request(text: &str) -> ChatRequest {
    ChatRequest {
        model: None,
        messages: vec![message(Role::User, text)],
        format: Format::Text,
        temperature: None,
        top_p: None,
        max_output_tokens: None,
        stop: Vec::new(),
        seed: None,
        idempotency_key: None,
        timeout: Some(Duration::from_secs(10)),
        cache: CacheUse::Normal,
        options: Vec::new(),
    }
}

pub(super) fn schema(schema: &str) -> Format {
    Format::Schema { name: "answer".into(), description: None, schema: schema.into() }
}

pub(super) fn response(text: &str) -> ChatResponse {
    ChatResponse {
        text: text.into(),
        finish_reason: FinishReason::Stop,
        usage: Usage::default(),
        model: "test/model".into(),
        provider_request_id: None,
        cached: false,
    }
}

pub(super) fn job(position: u128) -> JobId {
    let partition = Partition { topic: "in".into(), index: 0 };
    JobId::new("p", &EventId { partition, position: Position(position) })
}

pub(super) fn caller(position: u128, stage: &str, item: &str, repeat: u32) -> Caller {
    let edition = gristmill_core::ports::Edition::default();
    Caller { job: job(position), stage: stage.into(), item: item.into(), repeat, edition }
}
