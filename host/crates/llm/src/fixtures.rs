//! Requests and callers for this crate's unit tests.

use std::time::Duration;

use gristmill_core::model::{
    ChatMessage, ChatRequest, ChatResponse, EventId, FinishReason, Format, JobId, Partition, Position, Role,
    TraceContext, Usage,
};
use gristmill_core::ports::Caller;

pub(super) fn message(role: Role, text: &str) -> ChatMessage {
    ChatMessage::text(role, text)
}

pub(super) fn request(text: &str) -> ChatRequest {
    ChatRequest { timeout: Some(Duration::from_secs(10)), ..ChatRequest::new(vec![message(Role::User, text)]) }
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
    let trace = TraceContext::of_job(&job(position));
    Caller { job: job(position), stage: stage.into(), item: item.into(), repeat, edition, trace }
}
