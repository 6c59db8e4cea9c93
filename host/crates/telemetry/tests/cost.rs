//! What counting costs: nothing that happens for each event may allocate. A program of its own, because it replaces the
//! allocator.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use gristmill_core::model::{
    DocumentGeneration, DocumentId, Event, EventId, Failed, Failure, FailureKind, Generation, Item, ItemId, JobId,
    Outcome, Partition, Position, Timestamp, TraceContext,
};
use gristmill_core::ports::{Call, Edition, End, FlowEvent, Observer, StoreOperation, StoreOutcome};
use gristmill_telemetry::metrics::Metrics;
use gristmill_telemetry::taps::Taps;

fn call() -> (Event, Call) {
    let id = EventId { partition: Partition { topic: "in".into(), index: 0 }, position: Position(7) };
    let event = Event {
        id: id.clone(),
        generation: Generation(1),
        key: None,
        payload: Some(Bytes::from_static(b"x")),
        headers: Vec::new(),
        timestamp: Timestamp(0),
        deliveries: None,
        fault: None,
    };
    let (job, document) = (JobId::new("p", &id), DocumentId::unnamed(&id));
    let item = Item {
        id: ItemId::root(&document),
        key: None,
        payload: Bytes::from_static(b"x"),
        content_type: None,
        headers: Vec::new(),
        attributes: Vec::new(),
    };
    let trace = TraceContext::of_job(&job);
    let generation = DocumentGeneration { milliseconds: 0, sequence: 0 };
    let (timestamp, edition) = (Timestamp(0), Edition::default());
    let call = Call { job, event: id, document, generation, timestamp, item, attempt: 1, edition, trace, span: trace };
    (event, call)
}

#[test]
fn an_event_is_counted_without_an_allocation() {
    let metrics = Metrics::new(UNIX_EPOCH);
    let (pipeline, taps) = (metrics.pipeline(&"p".into()), Taps::default());
    let (event, call) = call();
    let result = Ok(Outcome::Emit(Vec::new()));
    let failure = Failure::new("made-up", "why");
    let failed = Failed { failure, attempts: 1, kind: FailureKind::Fault };
    let elapsed = Duration::from_millis(3);
    let pass = |end: End<'_>| {
        let (job, trace, stage) = (&call.job, call.trace, "s");
        let told = [
            FlowEvent::JobStarted { job, event: &event },
            FlowEvent::Attempt { call: &call, stage, elapsed, result: &result },
            FlowEvent::StoreCall { operation: StoreOperation::Keep, elapsed, outcome: StoreOutcome::Answered },
            FlowEvent::JobEnded { job, event: &event, trace, elapsed, end, spent: None },
        ];
        for event in &told {
            pipeline.observe(event);
            taps.observe(event);
        }
    };
    // The first time, series are made.
    pass(End::Emitted(1));
    pass(End::DeadLettered(&failed));
    let cost = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            pass(End::Emitted(1));
            pass(End::DeadLettered(&failed));
        }
    });
    assert_eq!(cost.count_total, 0, "two thousand events allocated");
    assert_eq!(pipeline.moment(None).totals.events, 2_002);
}
