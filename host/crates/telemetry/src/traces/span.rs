//! Spans as OTLP writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gristmill_core::model::{SpanId, TraceContext};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

/// The flags of a span: the parent's place is told, and it is in another process.
const PARENT_IS_KNOWN: u32 = 0x100;
const PARENT_IS_REMOTE: u32 = 0x200;
const SAMPLED: u32 = 1;

/// What a span is within.
#[derive(Debug, Clone, Copy)]
pub(super) enum Parent {
    /// Nothing: the trace begins with it.
    None,
    /// A span of this process.
    Own(SpanId),
    /// A span of the producer.
    Remote(SpanId),
}

/// When something ended, and how long it took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time {
    pub(super) end: SystemTime,
    pub(super) elapsed: Duration,
}

/// A span without attributes.
pub(super) fn span(own: TraceContext, parent: Parent, kind: SpanKind, time: Time) -> Span {
    let (parent, remote) = match parent {
        Parent::None => (Vec::new(), 0),
        Parent::Own(parent) => (parent.to_bytes().to_vec(), 0),
        Parent::Remote(parent) => (parent.to_bytes().to_vec(), PARENT_IS_REMOTE),
    };
    Span {
        trace_id: own.trace_id().to_bytes().to_vec(),
        span_id: own.span_id().to_bytes().to_vec(),
        parent_span_id: parent,
        flags: SAMPLED | PARENT_IS_KNOWN | remote,
        kind: kind.into(),
        start_time_unix_nano: nanoseconds(time.end.checked_sub(time.elapsed).unwrap_or(UNIX_EPOCH)),
        end_time_unix_nano: nanoseconds(time.end),
        ..Span::default()
    }
}

/// What it was that failed, by its stable code, and in words.
pub(super) fn failed(span: &mut Span, code: &str, message: impl Into<String>) {
    span.attributes.push(text("error.type", code));
    span.status = Some(Status { message: message.into(), code: StatusCode::Error.into() });
}

pub(super) fn text(key: &str, value: impl Into<String>) -> KeyValue {
    pair(key, Value::StringValue(value.into()))
}

pub(super) fn texts(key: &str, values: &[&str]) -> KeyValue {
    let value = |text: &&str| AnyValue { value: Some(Value::StringValue((*text).to_owned())) };
    pair(key, Value::ArrayValue(ArrayValue { values: values.iter().map(value).collect() }))
}

/// A number; one that is too large is the largest.
pub(super) fn count(key: &str, value: impl TryInto<i64>) -> KeyValue {
    pair(key, Value::IntValue(value.try_into().unwrap_or(i64::MAX)))
}

pub(super) fn fraction(key: &str, value: f64) -> KeyValue {
    pair(key, Value::DoubleValue(value))
}

pub(super) fn yes(key: &str) -> KeyValue {
    pair(key, Value::BoolValue(true))
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Since the Unix epoch.
fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
