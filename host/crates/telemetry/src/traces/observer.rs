//! From what the flow tells to spans. Names follow OpenTelemetry's semantic conventions: `messaging.*` for the event,
//! `gen_ai.*` for calls of models (their state of November 2026).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gristmill_core::model::{
    ChatFailure, ChatRequest, ChatResponse, Event, Format, JobId, Outcome, Spent, TraceContext, Usage,
};
use gristmill_core::ports::{Call, Caller, End, Exchange, FlowEvent, ModelOperation, Observer, StageError};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::content::{Messages, finish_reason};
use super::queue::Queue;
use super::settings::Capture;
use super::span::{Parent, Time, count, failed, fraction, span, text, texts, yes};

/// A pipeline, and what its events come from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The pipeline.
    pub pipeline: Arc<str>,
    /// The broker, as `messaging.system` names it.
    pub system: &'static str,
    /// The consumer group.
    pub group: Arc<str>,
}

/// Writes the spans of one pipeline. Nothing is remembered between two events: a span is written when it ends.
pub struct TraceObserver {
    origin: Origin,
    queue: Queue,
    capture: Capture,
    clock: fn() -> SystemTime,
}

/// A job that has ended.
struct Ended<'a> {
    job: &'a JobId,
    event: &'a Event,
    trace: TraceContext,
    elapsed: Duration,
    end: End<'a>,
    spent: Option<Spent>,
}

/// A call of a model that has ended.
struct Asked<'a> {
    caller: &'a Caller,
    alias: &'a str,
    target: &'a str,
    exchange: Exchange<'a>,
    answered_by: Option<&'a str>,
    span: TraceContext,
    elapsed: Duration,
    result: Result<Usage, &'a ChatFailure>,
}

impl Observer for TraceObserver {
    fn observe(&self, event: &FlowEvent<'_>) {
        match *event {
            FlowEvent::JobEnded { job, event, trace, elapsed, end, spent, .. } if trace.is_sampled() => {
                self.queue.offer(self.job(&Ended { job, event, trace, elapsed, end, spent }));
            }
            FlowEvent::Attempt { call, stage, elapsed, result, .. } if call.span.is_sampled() => {
                self.queue.offer(self.attempt(call, stage, elapsed, result));
            }
            FlowEvent::ModelCall { caller, alias, target, exchange, answered_by, span, elapsed, result, .. }
                if span.is_sampled() =>
            {
                let asked = Asked { caller, alias, target, exchange, answered_by, span, elapsed, result };
                let mut span = self.model_call(&asked);
                let contents = self.capture(&mut span, exchange);
                self.queue.offer_with(span, contents);
            }
            _ => {}
        }
    }
}

impl TraceObserver {
    pub(super) fn new(origin: Origin, queue: Queue, capture: Capture, clock: fn() -> SystemTime) -> Self {
        Self { origin, queue, capture, clock }
    }

    fn ended(&self, elapsed: Duration) -> Time {
        Time { end: (self.clock)(), elapsed }
    }

    /// The passage of an event through the pipeline.
    fn job(&self, ended: &Ended<'_>) -> Span {
        let Ended { job, event, trace, elapsed, end, spent } = ended;
        let parent = event.trace().map_or(Parent::None, |parent| Parent::Remote(parent.span_id()));
        let mut span = span(*trace, parent, SpanKind::Consumer, self.ended(*elapsed));
        let partition = &event.id.partition;
        span.name = format!("process {}", partition.topic);
        span.attributes = vec![
            text("messaging.system", self.origin.system),
            text("messaging.operation.name", "process"),
            text("messaging.operation.type", "process"),
            text("messaging.destination.name", &*partition.topic),
            text("messaging.destination.partition.id", partition.index.to_string()),
            text("messaging.consumer.group.name", &*self.origin.group),
            text("gristmill.pipeline", &*self.origin.pipeline),
            text("gristmill.job.id", job.as_str()),
            match i64::try_from(event.id.position.0) {
                Ok(offset) => count("messaging.kafka.offset", offset),
                Err(_) => text("messaging.message.id", event.id.position.to_string()),
            },
            match &event.payload {
                Some(payload) => count("messaging.message.body.size", payload.len()),
                None => yes("messaging.kafka.message.tombstone"),
            },
        ];
        let (how, records) = match end {
            End::Emitted(records) => ("emitted", *records),
            End::Deleted(tombstones) => ("deleted", *tombstones),
            End::Dropped(code) => {
                span.attributes.push(text("gristmill.drop.code", *code));
                ("dropped", 0)
            }
            End::DeadLettered(end) => {
                failed(&mut span, &end.failure.code, &*end.failure.message);
                ("dead-lettered", 1)
            }
        };
        span.attributes.push(text("gristmill.job.end", how));
        span.attributes.push(count("gristmill.job.records", records));
        if let Some(spent) = spent {
            span.attributes.push(count("gristmill.job.input_tokens", spent.input_tokens));
            span.attributes.push(count("gristmill.job.output_tokens", spent.output_tokens));
            span.attributes.push(fraction("gristmill.job.cost_usd", usd(spent.cost.get())));
        }
        span
    }

    /// One attempt of a stage to process an item.
    fn attempt(&self, call: &Call, stage: &str, elapsed: Duration, result: &Result<Outcome, StageError>) -> Span {
        let parent = Parent::Own(call.trace.span_id());
        let mut span = span(call.span, parent, SpanKind::Internal, self.ended(elapsed));
        span.name = format!("stage {stage}");
        span.attributes = vec![
            text("gristmill.pipeline", &*self.origin.pipeline),
            text("gristmill.job.id", call.job.as_str()),
            text("gristmill.stage", stage),
            text("gristmill.item.id", call.item.id.as_str()),
            count("gristmill.attempt", call.attempt),
        ];
        let outcome = match result {
            Ok(Outcome::Emit(outputs)) => {
                span.attributes.push(count("gristmill.items", outputs.len()));
                "emitted"
            }
            Ok(Outcome::Drop(code)) => {
                span.attributes.push(text("gristmill.drop.code", code));
                "dropped"
            }
            Ok(Outcome::Reject(failure)) => {
                failed(&mut span, &failure.code, &failure.message);
                "rejected"
            }
            Err(error) => {
                let (code, message) = told(error);
                failed(&mut span, code, message);
                "failed"
            }
        };
        span.attributes.push(text("gristmill.outcome", outcome));
        span
    }

    /// One call of a target of a model.
    fn model_call(&self, asked: &Asked<'_>) -> Span {
        let Asked { caller, alias, target, exchange, answered_by, span: own, elapsed, result } = asked;
        let parent = Parent::Own(caller.trace.span_id());
        let mut span = span(*own, parent, SpanKind::Client, self.ended(*elapsed));
        let operation = match exchange.operation() {
            ModelOperation::Chat => "chat",
            ModelOperation::Embed => "embeddings",
        };
        let (provider, model) = target.split_once('/').unwrap_or(("_OTHER", *target));
        let provider = provider_name(provider);
        span.name = format!("{operation} {model}");
        span.attributes = vec![
            text("gen_ai.operation.name", operation),
            text("gen_ai.provider.name", provider),
            // What `gen_ai.provider.name` was called until 2025; most tools still read it.
            text("gen_ai.system", provider),
            text("gen_ai.request.model", model),
            text("gristmill.pipeline", &*self.origin.pipeline),
            text("gristmill.job.id", caller.job.as_str()),
            text("gristmill.stage", &*caller.stage),
            text("gristmill.item.id", &*caller.item),
            text("gristmill.model.alias", *alias),
        ];
        match *exchange {
            Exchange::Chat { request, response, .. } => {
                add_request(&mut span, request);
                if let Some(response) = response {
                    add_response(&mut span, response);
                }
            }
            Exchange::Embed { request } => {
                let dimensions = request.dimensions.map(|length| count("gen_ai.embeddings.dimension.count", length));
                span.attributes.extend(dimensions);
            }
        }
        span.attributes.extend(answered_by.map(|model| text("gen_ai.response.model", model)));
        match result {
            Ok(usage) => {
                for (key, tokens) in [
                    ("gen_ai.usage.input_tokens", usage.input_tokens),
                    ("gen_ai.usage.output_tokens", usage.output_tokens),
                    ("gen_ai.usage.cache_read.input_tokens", usage.cache_read_input_tokens),
                    ("gen_ai.usage.cache_write.input_tokens", usage.cache_write_input_tokens),
                    ("gen_ai.usage.reasoning.output_tokens", usage.reasoning_tokens),
                ] {
                    span.attributes.extend(tokens.map(|tokens| count(key, tokens)));
                }
                let cost = usage.cost_nano_usd.map(|nano| fraction("gristmill.cost_usd", usd(nano)));
                span.attributes.extend(cost);
            }
            // Without its words, which may quote what the model was asked or answered.
            Err(failure) => failed(&mut span, failure.kind(), ""),
        }
        span
    }

    /// Adds the messages of an exchange, if they are wanted. Returns how many bytes they are.
    fn capture(&self, span: &mut Span, exchange: Exchange<'_>) -> usize {
        match (self.capture, exchange) {
            (Capture::Messages, Exchange::Chat { request, response, keys }) => {
                let messages = Messages::of(request, response, keys);
                span.attributes.extend(messages.attributes);
                messages.size
            }
            // What vectors are made of is whole documents, and the conventions have no place for them.
            (Capture::Messages, Exchange::Embed { .. }) | (Capture::Nothing, _) => 0,
        }
    }
}

/// Adds what a request asks for beside its messages. What it leaves to the target is not known here.
fn add_request(span: &mut Span, request: &ChatRequest) {
    let output = match request.format {
        Format::Text => "text",
        Format::Json | Format::Schema { .. } => "json",
    };
    span.attributes.push(text("gen_ai.output.type", output));
    let numbers = [("gen_ai.request.temperature", request.temperature), ("gen_ai.request.top_p", request.top_p)];
    for (key, number) in numbers {
        span.attributes.extend(number.map(|number| fraction(key, number)));
    }
    let most = request.max_output_tokens.map(|most| count("gen_ai.request.max_tokens", most));
    let seed = request.seed.map(|seed| count("gen_ai.request.seed", seed));
    span.attributes.extend(most.into_iter().chain(seed));
}

/// Adds what an answer says beside its words.
fn add_response(span: &mut Span, response: &ChatResponse) {
    span.attributes.push(texts("gen_ai.response.finish_reasons", &[finish_reason(&response.finish_reason)]));
    let id = response.provider_request_id.as_deref();
    span.attributes.extend(id.map(|id| text("gen_ai.response.id", id)));
}

/// The code and the words of an attempt that failed.
fn told(error: &StageError) -> (&str, Cow<'_, str>) {
    match error {
        StageError::Retry { failure, .. }
        | StageError::Slow { failure, .. }
        | StageError::Trap(failure)
        | StageError::Permanent(failure) => (&failure.code, Cow::Borrowed(&failure.message)),
        StageError::Store(error) => ("store", error.to_string().into()),
        StageError::Host(error) => ("host", error.to_string().into()),
    }
}

/// As the semantic conventions name it, where they do.
fn provider_name(provider: &str) -> &str {
    match provider {
        "gemini" => "gcp.gemini",
        other => other,
    }
}

fn usd(nano: u64) -> f64 {
    nano as f64 / 1e9
}
