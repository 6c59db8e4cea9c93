//! What is counted, by which names, and that the documentation and what we ship for Prometheus and Grafana know them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use gristmill_core::flow::{Intake, PartitionStatus, Status};
use gristmill_core::model::{
    Amount, ChatFailure, ChatRequest, DocumentGeneration, DocumentId, Event, EventId, Failed, Failure, FailureKind,
    Generation, Item, ItemId, JobId, Measure, Next, Outcome, Partition, Position, Timestamp, TraceContext, Usage,
};
use gristmill_core::ports::{
    Call, Caller, CommitOutcome, Edition, End, Exchange, Fate, FlowEvent, Keys, ModelOperation, Notice, Observer,
    PauseReason, Queues, Reach, Revocation, SavedBy, StageError, StoreOperation, StoreOutcome,
};

use super::*;

fn partition() -> Partition {
    Partition { topic: "in".into(), index: 3 }
}

fn event() -> Event {
    Event {
        id: EventId { partition: partition(), position: Position(7) },
        generation: Generation(1),
        key: None,
        payload: Some(Bytes::from_static(b"x")),
        headers: Vec::new(),
        timestamp: Timestamp(0),
        deliveries: None,
        fault: None,
    }
}

fn dead_lettered(code: &str) -> Failed {
    Failed { failure: Failure::new(code, "why"), attempts: 1, kind: FailureKind::Fault }
}

/// Tells that a job ended.
fn end(observer: &dyn Observer, end: End<'_>) {
    let (event, elapsed) = (event(), Duration::from_millis(20));
    let job = JobId::new("p", &event.id);
    let trace = TraceContext::of_job(&job);
    observer.observe(&FlowEvent::JobEnded { job: &job, event: &event, trace, elapsed, end, spent: None });
}

fn call() -> Call {
    let event = event().id;
    let (job, document) = (JobId::new("p", &event), DocumentId::unnamed(&event));
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
    Call { job, event, document, generation, timestamp, item, attempt: 1, edition, trace, span: trace }
}

/// Tells of a model that answers, of one that does not, and of an answer that was kept.
fn ask(observer: &dyn Observer, call: &Call) {
    let Call { job, edition, trace, .. } = call.clone();
    let caller = Caller { job, stage: "s".into(), item: "i".into(), repeat: 0, edition, trace };
    let usage =
        Usage { input_tokens: Some(10), output_tokens: Some(3), cost_nano_usd: Some(1_500), ..Usage::default() };
    let (alias, target, request) = ("smart", "openai/m", ChatRequest::new(Vec::new()));
    let slow = ChatFailure::Timeout("slow".into());
    for result in [Ok(usage), Err(&slow)] {
        let elapsed = Duration::from_secs(1);
        observer.observe(&FlowEvent::ModelCall {
            caller: &caller,
            alias,
            target,
            exchange: Exchange::Chat { request: &request, response: None, keys: Keys::default() },
            answered_by: None,
            span: trace,
            elapsed,
            result,
        });
    }
    observer.observe(&FlowEvent::ModelCallSaved {
        caller: &caller,
        alias,
        operation: ModelOperation::Chat,
        by: SavedBy::Journal,
    });
}

fn status() -> Status {
    let settled = Some(Next(7));
    Status {
        intake: Intake::Paused,
        throttled: Some((Duration::from_secs(30), PauseReason::Store("locked".into()))),
        held: 1,
        queues: Queues { jobs: 5, bytes: 500, waiting_for_order: 2, waiting_for_transaction: 1 },
        deployment: 3,
        canary: None,
        live: Vec::new(),
        partitions: vec![PartitionStatus { partition: partition(), generation: Generation(1), settled }],
    }
}

/// Renders metrics after this pipeline has told something.
fn render(metrics: &Metrics, pipeline: &PipelineMetrics) -> String {
    let status = status();
    let moment = pipeline.moment(Some(&status));
    metrics.render(&Scrape {
        now: Timestamp(1_000_000),
        readiness: Readiness::NotReady,
        version: "1.2.3",
        pipelines: vec![(&moment, Some(&status))],
        stopped: vec!["broken".into()],
        targets: vec![TargetNow {
            address: "https://h/v1".into(),
            model: "m".into(),
            state: "limited",
            limits: vec![("requests_per_minute", 60.0, 12.5)],
        }],
        sandbox: SandboxNow { running: 4, idle: 1, most: 512, memory: 1 << 20 },
        spans: SpansNow { sent: 40, lost: 2 },
    })
}

fn new() -> (Metrics, Arc<PipelineMetrics>) {
    let metrics = Metrics::new(UNIX_EPOCH + Duration::from_secs(5));
    let pipeline = metrics.pipeline(&"p".into());
    (metrics, pipeline)
}

/// Counts something of a stage's own.
fn measure(observer: &dyn Observer, name: &str, labels: &[(&str, &str)], amount: Amount) {
    let measure = Measure::new(name, labels, amount).unwrap();
    observer.observe(&FlowEvent::Measured { stage: "s", measure: &measure });
}

/// Tells one of everything.
fn everything() -> String {
    let (metrics, pipeline) = new();
    pipeline.has_stage(&"s".into());
    let observer: &dyn Observer = &*pipeline;
    let id = event().id;
    observer.observe(&FlowEvent::Assigned { partitions: &[partition()], all: 6 });
    observer.observe(&FlowEvent::Revoked { partitions: &[partition()], how: Revocation::Lost });
    observer.observe(&FlowEvent::Lag { partition: &partition(), records: 12 });
    for notice in [
        Notice::Commit(CommitOutcome::Done),
        Notice::Backlog { partition: partition(), records: 11 },
        Notice::Broker(Reach::Lost("refused".into())),
        Notice::Turn,
        Notice::ReadAhead { records: 9, bytes: 900 },
        Notice::Irregular { fate: Fate::Trimmed, records: 7 },
    ] {
        observer.observe(&FlowEvent::Notice(&notice));
    }
    observer.observe(&FlowEvent::Paused { why: &PauseReason::Operator, wait: None });
    observer.observe(&FlowEvent::Stale { event: &id });
    for ended in [End::Emitted(2), End::Deleted(1), End::Dropped("d"), End::DeadLettered(&dead_lettered("trap"))] {
        end(observer, ended);
    }
    let call = call();
    let trapped = Err(StageError::Trap(Failure::new("cpu-limit", "long")));
    for result in [Ok(Outcome::Emit(Vec::new())), trapped] {
        let elapsed = Duration::from_millis(2);
        observer.observe(&FlowEvent::Attempt { call: &call, stage: "s", elapsed, result: &result });
    }
    observer.observe(&FlowEvent::Restored { job: &call.job, stage: "s", trace: call.trace });
    ask(observer, &call);
    let elapsed = Duration::from_micros(300);
    let (operation, outcome) = (StoreOperation::Keep, StoreOutcome::Transient);
    observer.observe(&FlowEvent::StoreCall { operation, elapsed, outcome });
    measure(observer, "took", &[], Amount::Observe(0.3));
    for number in 0..200 {
        measure(observer, &format!("n{number}"), &[], Amount::Add(2));
    }
    render(&metrics, &pipeline)
}

/// A metric as the text tells of it.
#[derive(Default)]
struct Described {
    kind: String,
    help: String,
    labels: Vec<String>,
    series: usize,
}

fn described(text: &str) -> BTreeMap<String, Described> {
    let mut all: BTreeMap<String, Described> = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|line| line.split_once(' ')) {
            all.entry(name.to_owned()).or_default().help = help.to_owned();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
            all.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else {
            let name = line.split(['{', ' ']).next().unwrap();
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| {
                let name = name.strip_suffix(suffix)?;
                all.get(name).filter(|family| family.kind == "histogram")?;
                Some(name.to_owned())
            });
            let family = all.get_mut(&family.unwrap_or_else(|| name.to_owned())).expect("a sample before its HELP");
            family.series += 1;
            let labels = line.split_once('{').map_or("", |(_, rest)| rest.split_once('}').unwrap().0);
            family.labels = labels
                .split("\",")
                .filter_map(|label| label.split_once('=').map(|(name, _)| name.to_owned()))
                .filter(|label| label != "le")
                .collect();
        }
    }
    all
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

#[test]
fn everything_is_told_by_its_name() {
    let text = everything();
    for line in [
        "gristmill_events_total{pipeline=\"p\"} 0",
        "gristmill_jobs_total{pipeline=\"p\",end=\"emitted\"} 1",
        "gristmill_jobs_total{pipeline=\"p\",end=\"dead_lettered\"} 1",
        "gristmill_jobs_total{pipeline=\"p\",end=\"stale\"} 1",
        "gristmill_records_total{pipeline=\"p\"} 3",
        "gristmill_job_seconds_count{pipeline=\"p\"} 4",
        "gristmill_dead_letters_total{pipeline=\"p\",reason=\"trap\"} 1",
        "gristmill_stage_attempts_total{pipeline=\"p\",stage=\"s\",outcome=\"emitted\"} 1",
        "gristmill_stage_versions_total{pipeline=\"p\",stage=\"s\",change=\"refused\"} 0",
        "gristmill_stage_traps_total{pipeline=\"p\",stage=\"s\",code=\"cpu-limit\"} 1",
        "gristmill_stage_seconds_bucket{pipeline=\"p\",stage=\"s\",le=\"0.001\"} 0",
        "gristmill_pauses_total{pipeline=\"p\",reason=\"operator\"} 1",
        "gristmill_rebalances_total{pipeline=\"p\",kind=\"lost\"} 1",
        "gristmill_commits_total{pipeline=\"p\",result=\"done\"} 1",
        "gristmill_model_calls_total{pipeline=\"p\",alias=\"smart\",target=\"openai/m\",operation=\"chat\",result=\"timeout\"} 1",
        "gristmill_model_calls_saved_total{pipeline=\"p\",alias=\"smart\",by=\"journal\"} 1",
        "gristmill_model_tokens_total{pipeline=\"p\",alias=\"smart\",target=\"openai/m\",kind=\"output\"} 3",
        "gristmill_model_cost_usd_total{pipeline=\"p\",alias=\"smart\",target=\"openai/m\"} 0.0000015",
        "gristmill_store_seconds_count{pipeline=\"p\",operation=\"keep\",outcome=\"transient\"} 1",
        "gristmill_stage_custom_total{pipeline=\"p\",stage=\"s\",name=\"n7\"} 2",
        "gristmill_stage_custom_values_sum{pipeline=\"p\",stage=\"s\",name=\"took\"} 0.3",
        "gristmill_stage_custom_dropped_total{pipeline=\"p\",stage=\"s\"} 1",
        "gristmill_ready 0",
        "gristmill_pipeline_running{pipeline=\"p\"} 1",
        "gristmill_pipeline_running{pipeline=\"broken\"} 0",
        "gristmill_deployment_version{pipeline=\"p\"} 3",
        "gristmill_partitions{pipeline=\"p\"} 6",
        "gristmill_consumer_lag{pipeline=\"p\",topic=\"in\",partition=\"3\"} 12",
        "gristmill_backlog{pipeline=\"p\",topic=\"in\",partition=\"3\"} 11",
        "gristmill_stream_entries_total{pipeline=\"p\",fate=\"trimmed\"} 7",
        "gristmill_stream_entries_total{pipeline=\"p\",fate=\"claimed\"} 0",
        "gristmill_read_ahead_records{pipeline=\"p\"} 9",
        "gristmill_read_ahead_bytes{pipeline=\"p\"} 900",
        "gristmill_spans_sent_total 40",
        "gristmill_spans_lost_total 2",
        "gristmill_jobs_waiting{pipeline=\"p\",reason=\"order\"} 2",
        "gristmill_paused{pipeline=\"p\",reason=\"operator\"} 1",
        "gristmill_paused{pipeline=\"p\",reason=\"dependency\"} 0",
        "gristmill_paused_until_seconds{pipeline=\"p\",reason=\"store\"} 1030.0",
        "gristmill_broker_reachable{pipeline=\"p\"} 0",
        "gristmill_store_answering{pipeline=\"p\"} 0",
        "gristmill_success_ratio{pipeline=\"p\"} 0.5",
        "gristmill_model_target{address=\"https://h/v1\",model=\"m\",state=\"limited\"} 1",
        "gristmill_model_limit_left{address=\"https://h/v1\",model=\"m\",limit=\"requests_per_minute\"} 12.5",
        "gristmill_sandbox_memory_bytes 1048576",
        "gristmill_build_info{version=\"1.2.3\"} 1",
        "process_start_time_seconds 5.0",
    ] {
        assert!(text.lines().any(|told| told == line), "not told: {line}\n{text}");
    }
}

#[test]
fn a_hostile_stage_makes_no_more_series_than_there_may_be() {
    let (metrics, pipeline) = new();
    for number in 0..10_000 {
        end(&*pipeline, End::DeadLettered(&dead_lettered(&format!("made-up-{number}"))));
    }
    // A run that begins anew does not begin to count labels anew.
    let again = metrics.pipeline(&"p".into());
    for number in 10_000..20_000 {
        end(&*again, End::DeadLettered(&dead_lettered(&format!("made-up-{number}"))));
    }
    let text = render(&metrics, &again);
    let reasons = &described(&text)["gristmill_dead_letters_total"];
    assert_eq!(reasons.series, 51);
    assert!(text.contains("gristmill_dead_letters_total{pipeline=\"p\",reason=\"other\"} 19950"), "{text}");
    assert_eq!(again.moment(None).totals.dead_lettered, 20_000, "counters go on");
}

#[test]
fn a_stage_that_counts_under_ever_new_labels_makes_no_more_series_than_there_may_be() {
    let (metrics, pipeline) = new();
    let forged = "a\"} 1\ngristmill_ready 1 ";
    measure(&*pipeline, "pages", &[("kind", forged)], Amount::Add(1));
    for number in 0..5_000 {
        measure(&*pipeline, "pages", &[("item", &number.to_string())], Amount::Add(1));
    }
    // A run that begins anew does not begin to count labels anew, and goes on with those it has.
    let again = metrics.pipeline(&"p".into());
    for number in 0..5_000 {
        measure(&*again, "pages", &[("item", &number.to_string())], Amount::Observe(1.0));
    }
    measure(&*again, "pages", &[("kind", forged)], Amount::Add(6));
    let text = render(&metrics, &again);
    assert_eq!(described(&text)["gristmill_stage_custom_total"].series, 200);
    assert!(text.contains("gristmill_stage_custom_dropped_total{pipeline=\"p\",stage=\"s\"} 9801"), "{text}");
    let line = "gristmill_stage_custom_total{pipeline=\"p\",stage=\"s\",name=\"pages\",kind=\"a\\\"} 1 gristmill_ready 1 \"} 7";
    assert!(text.lines().any(|told| told == line), "{text}");
    assert!(!text.lines().any(|told| told.starts_with("gristmill_ready 1")), "{text}");
}

#[test]
fn what_is_gone_is_not_told_any_more() {
    let (metrics, pipeline) = new();
    pipeline.observe(&FlowEvent::Lag { partition: &partition(), records: 1 });
    assert!(render(&metrics, &pipeline).contains("gristmill_consumer_lag{"));
    pipeline.observe(&FlowEvent::Revoked { partitions: &[partition()], how: Revocation::Asked });
    assert!(!render(&metrics, &pipeline).contains("gristmill_consumer_lag{"));
}

/// docs/metrics.md lists what there is. `GRISTMILL_BLESS=1` rewrites the list.
#[test]
fn the_documentation_lists_what_there_is() {
    let mut table = String::from("| metric | type | labels | |\n|---|---|---|---|\n");
    for (name, Described { kind, help, labels, .. }) in described(&everything()) {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(table, "| `{name}` | {kind} | {} | {help} |", labels.join(", "));
    }
    let page = repository().join("docs/metrics.md");
    let written = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = written.split_once("<!-- metrics -->").unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    let filled = format!("{before}<!-- metrics -->\n\n{table}\n<!-- end -->{after}");
    if std::env::var_os("GRISTMILL_BLESS").is_some() {
        std::fs::write(&page, &filled).unwrap();
    } else {
        assert!(written == filled, "docs/metrics.md differs from what there is; run the test with GRISTMILL_BLESS=1");
    }
}

/// The names of metrics in a text.
fn named(text: &str) -> Vec<&str> {
    let words = text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    words.filter(|word| word.starts_with("gristmill_") || word.starts_with("process_")).collect()
}

#[test]
fn dashboards_alerts_and_scalers_name_only_what_there_is() {
    let there = described(&everything());
    let is_there = |name: &str| {
        let suffix = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        there.contains_key(name) || suffix.is_some_and(|name| there.get(name).is_some_and(|it| it.kind == "histogram"))
    };
    let mut used = 0;
    for file in ["grafana/gristmill.json", "prometheus/alerts.yml"] {
        let text = std::fs::read_to_string(repository().join("deploy").join(file)).unwrap();
        for name in named(&text) {
            assert!(is_there(name), "{file} names {name}, which does not exist");
            used += 1;
        }
    }
    assert!(used > 30, "{used}");
}
