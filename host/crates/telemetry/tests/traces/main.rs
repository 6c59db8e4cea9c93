//! Spans over OTLP, by real HTTP.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod collector;

use std::time::Duration;

use bytes::Bytes;
use collector::{Answer, Collector};
use gristmill_core::model::{
    ChatFailure, ChatMessage, ChatRequest, ChatResponse, DocumentGeneration, DocumentId, EmbedRequest, Event, EventId,
    Failed, Failure, FailureKind, FinishReason, Format, Generation, Header, Item, ItemId, JobId, Outcome, Partition,
    Position, Role, Spent, Stamp, Timestamp, TraceContext, Usage, Usd,
};
use gristmill_core::ports::{Call, Caller, Edition, End, Exchange, FlowEvent, Keys, Observer, StageError};
use gristmill_core::settings::HeaderText;
use gristmill_telemetry::traces::{Capture, Destination, Exporting, Origin, TraceObserver, TraceSettings, Traces};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

/// Of the collector's; enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A job of an event with this trace, with an attempt and a call of a model in it.
struct Job {
    event: Event,
    call: Call,
    caller: Caller,
    asked: TraceContext,
    request: ChatRequest,
    answer: ChatResponse,
}

impl Job {
    fn new(position: u128, traceparent: &'static str) -> Self {
        let id = EventId { partition: Partition { topic: "in".into(), index: 3 }, position: Position(position) };
        let header = Header { name: "traceparent".into(), value: Some(Bytes::from_static(traceparent.as_bytes())) };
        let event = Event {
            id: id.clone(),
            generation: Generation(1),
            key: None,
            payload: Some(Bytes::from_static(b"whole")),
            headers: vec![header],
            timestamp: Timestamp(0),
            deliveries: None,
            fault: None,
        };
        let (job, document) = (JobId::new("p", &id), DocumentId::unnamed(&id));
        let trace = event.trace().map_or_else(|| TraceContext::of_job(&job), |parent| parent.of_job_in(&job));
        let span = trace.child(|| 0xa);
        let item = Item {
            id: ItemId::root(&document),
            key: None,
            payload: Bytes::from_static(b"whole"),
            content_type: None,
            headers: Vec::new(),
            attributes: Vec::new(),
        };
        let caller = Caller {
            job: job.clone(),
            stage: "enrich".into(),
            item: item.id.as_str().into(),
            repeat: 0,
            edition: Edition::default(),
            trace: span,
        };
        let call = Call {
            job,
            event: id.clone(),
            generation: DocumentGeneration::of(&Stamp { place: id, time: Timestamp(0) }),
            document,
            timestamp: Timestamp(0),
            item,
            attempt: 2,
            edition: Edition::default(),
            trace,
            span,
        };
        let messages =
            vec![ChatMessage::text(Role::System, "instructed-canary"), ChatMessage::text(Role::User, "asked-canary")];
        let request = ChatRequest {
            format: Format::Json,
            temperature: Some(0.5),
            top_p: Some(0.9),
            max_output_tokens: Some(300),
            seed: Some(7),
            ..ChatRequest::new(messages)
        };
        let answer = ChatResponse {
            text: "answered-canary".into(),
            finish_reason: FinishReason::Length,
            usage: Usage::default(),
            model: "gemini/models/m".into(),
            provider_request_id: Some("r-1".into()),
            cached: false,
        };
        Self { event, call, caller, asked: span.child(|| 0xb), request, answer }
    }

    fn ended<'a>(&'a self, end: End<'a>) -> FlowEvent<'a> {
        let spent = Spent { calls: 1, input_tokens: 100, output_tokens: 7, cost: Usd::nano(1_500), ..Spent::default() };
        let (job, event, trace) = (&self.call.job, &self.event, self.call.trace);
        FlowEvent::JobEnded { job, event, trace, elapsed: Duration::from_secs(3), end, spent: Some(spent) }
    }

    fn attempt<'a>(&'a self, result: &'a Result<Outcome, StageError>) -> FlowEvent<'a> {
        FlowEvent::Attempt { call: &self.call, stage: "enrich", elapsed: Duration::from_secs(2), result }
    }

    fn asked<'a>(&'a self, result: Result<Usage, &'a ChatFailure>) -> FlowEvent<'a> {
        let response = result.is_ok().then_some(&self.answer);
        let exchange = Exchange::Chat { request: &self.request, response, keys: Keys::default() };
        self.exchanged(exchange, result)
    }

    fn exchanged<'a>(&'a self, exchange: Exchange<'a>, result: Result<Usage, &'a ChatFailure>) -> FlowEvent<'a> {
        FlowEvent::ModelCall {
            caller: &self.caller,
            alias: "smart",
            target: "gemini/models/m",
            exchange,
            answered_by: result.is_ok().then_some("models/m-002"),
            span: self.asked,
            elapsed: Duration::from_secs(1),
            result,
        }
    }
}

/// Traces to this collector, and what watches the pipeline `p`.
fn start(collector: &Collector) -> (Traces, TraceObserver, Exporting) {
    start_with(collector, Capture::Nothing)
}

fn start_with(collector: &Collector, capture: Capture) -> (Traces, TraceObserver, Exporting) {
    let settings = TraceSettings {
        endpoint: Some(format!("http://{}", collector.address)),
        headers: [("x-token".to_owned(), HeaderText::Plain("t".into()))].into(),
        capture_message_content: capture,
        ..TraceSettings::default()
    };
    let destination = Destination::find(&settings, |_| None).unwrap().unwrap();
    let (traces, exporting) = Traces::start(destination).unwrap();
    let observer = traces.observer(Origin { pipeline: "p".into(), system: "kafka", group: "g".into() });
    (traces, observer, exporting)
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let pair = span.attributes.iter().find(|pair| pair.key == key)?;
    Some(match pair.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        Value::BoolValue(yes) => yes.to_string(),
        Value::ArrayValue(values) => format!("{:?}", values.values.iter().map(|one| &one.value).collect::<Vec<_>>()),
        other => panic!("{other:?}"),
    })
}

fn expect(span: &Span, attributes: &[(&str, &str)]) {
    for (key, value) in attributes {
        assert_eq!(attribute(span, key).as_deref(), Some(*value), "{key} of {span:?}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn one_trace_goes_from_the_producer_over_job_and_stage_to_the_model() {
    let collector = Collector::start(&[]).await;
    let (traces, observer, exporting) = start(&collector);
    let job = Job::new(42, PARENT);
    let usage = Usage {
        input_tokens: Some(100),
        cache_read_input_tokens: Some(60),
        cache_write_input_tokens: Some(20),
        output_tokens: Some(7),
        reasoning_tokens: Some(3),
        cost_nano_usd: Some(1_500),
    };
    observer.observe(&job.asked(Ok(usage)));
    observer.observe(&job.attempt(&Ok(Outcome::Emit(Vec::new()))));
    observer.observe(&job.ended(End::Emitted(1)));
    exporting.finish(PATIENCE).await;
    let (headers, request) = collector.until("a request", |got| got.requests.first().cloned()).await;
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(headers["x-token"], "t");
    let resource = request.resource_spans[0].resource.as_ref().unwrap();
    assert!(resource.attributes.iter().any(|pair| pair.key == "service.name"), "{resource:?}");
    let spans = collector.until("three spans", |got| (got.spans.len() == 3).then(|| got.spans.clone())).await;
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:?}"));
    let (process, stage, chat) = (named("process in"), named("stage enrich"), named("chat models/m"));
    for span in [process, stage, chat] {
        assert_eq!(hex(&span.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736", "the producer's trace");
        assert!(span.start_time_unix_nano < span.end_time_unix_nano);
    }
    // What the output's header and the model's server see are these spans and no others.
    let [_, _, own, _] =
        job.call.trace.to_string().split('-').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
    assert_eq!((hex(&process.parent_span_id), hex(&process.span_id)), ("00f067aa0ba902b7".into(), own.clone()));
    assert_eq!((hex(&stage.parent_span_id), hex(&stage.span_id)), (own, "000000000000000a".into()));
    assert_eq!((hex(&chat.parent_span_id), hex(&chat.span_id)), ("000000000000000a".into(), "000000000000000b".into()));
    assert_eq!(process.flags & 0x300, 0x300, "the parent of the job is in another process");
    assert_eq!(stage.flags & 0x300, 0x100, "that of the attempt is not");
    assert_eq!(process.end_time_unix_nano - process.start_time_unix_nano, 3_000_000_000);
    assert_eq!(
        [process.kind, stage.kind, chat.kind],
        [SpanKind::Consumer, SpanKind::Internal, SpanKind::Client].map(i32::from)
    );
    expect(
        process,
        &[
            ("messaging.system", "kafka"),
            ("messaging.operation.type", "process"),
            ("messaging.destination.name", "in"),
            ("messaging.destination.partition.id", "3"),
            ("messaging.kafka.offset", "42"),
            ("messaging.consumer.group.name", "g"),
            ("messaging.message.body.size", "5"),
            ("gristmill.pipeline", "p"),
            ("gristmill.job.id", "p/in/3/42"),
            ("gristmill.job.end", "emitted"),
            ("gristmill.job.cost_usd", "0.0000015"),
        ],
    );
    expect(
        stage,
        &[
            ("gristmill.stage", "enrich"),
            ("gristmill.item.id", "in:3:42"),
            ("gristmill.attempt", "2"),
            ("gristmill.outcome", "emitted"),
        ],
    );
    expect(
        chat,
        &[
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "gcp.gemini"),
            ("gen_ai.request.model", "models/m"),
            ("gen_ai.request.temperature", "0.5"),
            ("gen_ai.request.top_p", "0.9"),
            ("gen_ai.request.max_tokens", "300"),
            ("gen_ai.request.seed", "7"),
            ("gen_ai.output.type", "json"),
            ("gen_ai.response.model", "models/m-002"),
            ("gen_ai.response.id", "r-1"),
            ("gen_ai.response.finish_reasons", "[Some(StringValue(\"length\"))]"),
            ("gen_ai.usage.cache_read.input_tokens", "60"),
            ("gen_ai.usage.cache_write.input_tokens", "20"),
            ("gen_ai.usage.reasoning.output_tokens", "3"),
            ("gen_ai.usage.input_tokens", "100"),
            ("gen_ai.usage.output_tokens", "7"),
            ("gristmill.cost_usd", "0.0000015"),
            ("gristmill.model.alias", "smart"),
        ],
    );
    assert_eq!((traces.sent(), traces.lost()), (3, 0));
    assert!(!format!("{request:?}").contains("canary"), "no word of a prompt or an answer: {request:?}");
}

#[tokio::test]
async fn prompts_and_answers_are_told_where_the_operator_wants_that_and_texts_for_vectors_never() {
    let collector = Collector::start(&[]).await;
    let (_traces, observer, exporting) = start_with(&collector, Capture::Messages);
    let job = Job::new(42, PARENT);
    let texts = EmbedRequest { dimensions: Some(256), ..EmbedRequest::new(vec!["vector-canary".into()]) };
    observer.observe(&job.asked(Ok(Usage::default())));
    observer.observe(&job.asked(Err(&ChatFailure::Timeout("slow".into()))));
    observer.observe(&job.exchanged(Exchange::Embed { request: &texts }, Ok(Usage::default())));
    exporting.finish(PATIENCE).await;
    let spans = collector.until("three spans", |got| (got.spans.len() == 3).then(|| got.spans.clone())).await;
    let system = r#"[{"type":"text","content":"instructed-canary"}]"#;
    let input = r#"[{"role":"user","parts":[{"type":"text","content":"asked-canary"}]}]"#;
    let output =
        r#"[{"role":"assistant","parts":[{"type":"text","content":"answered-canary"}],"finish_reason":"length"}]"#;
    let json = |span: &Span, key: &str| attribute(span, key).map(|text| serde_json::from_str(&text).unwrap());
    let parsed = |text: &str| Some(serde_json::from_str::<serde_json::Value>(text).unwrap());
    for span in &spans[..2] {
        assert_eq!(json(span, "gen_ai.system_instructions"), parsed(system));
        assert_eq!(json(span, "gen_ai.input.messages"), parsed(input));
    }
    assert_eq!(json(&spans[0], "gen_ai.output.messages"), parsed(output));
    assert_eq!(attribute(&spans[1], "gen_ai.output.messages"), None, "it did not answer");
    expect(&spans[1], &[("error.type", "timeout")]);
    expect(&spans[2], &[("gen_ai.operation.name", "embeddings"), ("gen_ai.embeddings.dimension.count", "256")]);
    assert!(!format!("{:?}", spans[2]).contains("canary"));
}

#[tokio::test]
async fn contents_go_out_in_requests_that_a_collector_takes() {
    let collector = Collector::start(&[]).await;
    let (traces, observer, exporting) = start_with(&collector, Capture::Messages);
    let mut job = Job::new(42, PARENT);
    job.request.messages = vec![ChatMessage::text(Role::User, "a".repeat(100_000))];
    for _ in 0..600 {
        observer.observe(&job.asked(Ok(Usage::default())));
    }
    exporting.finish(PATIENCE).await;
    assert_eq!((traces.sent(), traces.lost()), (600, 0));
    let sizes = |got: &collector::Got| {
        let lengths = got.requests.iter().map(|(headers, _)| headers["content-length"].to_str().unwrap().parse());
        Some(lengths.collect::<Result<Vec<u64>, _>>().unwrap())
    };
    let sizes = collector.until("the requests", sizes).await;
    assert!(sizes.iter().all(|size| *size < 6 << 20), "{sizes:?}");
}

#[tokio::test]
async fn what_failed_says_why_and_quotes_no_answer_of_a_model() {
    let collector = Collector::start(&[]).await;
    let (_traces, observer, exporting) = start(&collector);
    let job = Job::new(1, PARENT);
    let wrong = ChatFailure::InvalidOutput { text: "canary".into(), problems: vec!["canary".into()] };
    observer.observe(&job.asked(Err(&wrong)));
    observer.observe(&job.attempt(&Err(StageError::Trap(Failure::new("trap", "it panicked")))));
    let failed = Failed { failure: Failure::new("trap", "it panicked"), attempts: 2, kind: FailureKind::Fault };
    observer.observe(&job.ended(End::DeadLettered(&failed)));
    exporting.finish(PATIENCE).await;
    let spans = collector.until("three spans", |got| (got.spans.len() == 3).then(|| got.spans.clone())).await;
    for (span, code, message) in
        [(&spans[0], "invalid-output", ""), (&spans[1], "trap", "it panicked"), (&spans[2], "trap", "it panicked")]
    {
        let status = span.status.as_ref().unwrap();
        assert_eq!((status.code, &*status.message), (StatusCode::Error.into(), message));
        expect(span, &[("error.type", code)]);
    }
    expect(&spans[2], &[("gristmill.job.end", "dead-lettered")]);
    assert!(!format!("{spans:?}").contains("canary"));
}

#[tokio::test]
async fn a_trace_that_its_producer_does_not_record_is_not_recorded_here() {
    let collector = Collector::start(&[]).await;
    let (traces, observer, exporting) = start(&collector);
    let silent = Job::new(1, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
    observer.observe(&silent.asked(Ok(Usage::default())));
    observer.observe(&silent.attempt(&Ok(Outcome::Drop("x".into()))));
    observer.observe(&silent.ended(End::Dropped("x")));
    observer.observe(&Job::new(2, PARENT).ended(End::Dropped("x")));
    exporting.finish(PATIENCE).await;
    let spans = collector.until("a span", |got| (!got.spans.is_empty()).then(|| got.spans.clone())).await;
    assert_eq!((spans.len(), traces.sent()), (1, 1));
    expect(&spans[0], &[("gristmill.job.id", "p/in/3/2"), ("gristmill.drop.code", "x")]);
}

#[tokio::test]
async fn a_busy_collector_is_asked_again_and_one_that_refuses_is_not() {
    let collector =
        Collector::start(&[Answer::Busy, Answer::Busy, Answer::Take, Answer::Forbidden, Answer::Reject(1)]).await;
    let (traces, observer, exporting) = start(&collector);
    observer.observe(&Job::new(1, PARENT).ended(End::Emitted(1)));
    collector.until("it is taken", |got| (got.spans.len() == 1).then_some(())).await;
    observer.observe(&Job::new(2, PARENT).ended(End::Emitted(1)));
    collector.until("it is refused", |got| (got.requests.len() == 4).then_some(())).await;
    observer.observe(&Job::new(3, PARENT).ended(End::Emitted(1)));
    exporting.finish(PATIENCE).await;
    assert_eq!((traces.sent(), traces.lost()), (1, 2), "one was forbidden, one rejected");
    collector.until("no other request", |got| (got.requests.len() == 5).then_some(())).await;
}

#[tokio::test]
async fn a_collector_that_hangs_or_is_not_there_holds_nobody_up() {
    let collector = Collector::start(&[Answer::Silence]).await;
    let (traces, observer, exporting) = start(&collector);
    let job = Job::new(1, PARENT);
    let many = 20_000;
    let begun = std::time::Instant::now();
    for _ in 0..many {
        observer.observe(&job.ended(End::Emitted(1)));
    }
    assert!(begun.elapsed() < PATIENCE, "the flow waited");
    assert!(traces.lost() > 0, "a queue without end");
    let begun = std::time::Instant::now();
    exporting.finish(Duration::from_millis(200)).await;
    assert!(begun.elapsed() < Duration::from_secs(8), "the end waited for longer than it may: {:?}", begun.elapsed());
    // Spans that come after the end are lost, and nobody is told off.
    observer.observe(&job.ended(End::Emitted(1)));
}
