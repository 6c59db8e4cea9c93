//! One trace, from a producer through the binary to a model's server and to the output: what a collector gets, and what the
//! others see.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[allow(dead_code, reason = "the tests of the crate look at more of it")]
#[path = "../crates/telemetry/tests/traces/collector.rs"]
mod collector;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use collector::Collector;
use gristmill_model_server::{Behaviour, ModelServer, Script};
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

/// The timeout of every wait; enough for a busy machine that compiles the stages first.
const PATIENCE: Duration = Duration::from_secs(300);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn gristmill() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    command
        .env("GRISTMILL_CACHE", cache)
        .env("GRISTMILL_STATE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("state"))
        .env_remove("GRISTMILL_BROKERS")
        .env_remove("RUST_LOG");
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A pipeline whose one stage asks a model, on the embedded broker.
fn pipeline(folder: &Path, server: &ModelServer) -> PathBuf {
    let guest = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests").join("misbehave.wasm");
    let text = format!(
        "name = \"p\"\nkafka = {{ brokers = \"embedded\" }}\nsource = {{ topic = \"in\" }}\nsink = {{ topic = \"out\" }}\n\
         dead_letter = {{ topic = \"dead\" }}\n\
         stage = [{{ name = \"asks\", module = {:?}, grants = [\"llm\"] }}]\n\
         [models.m]\ntargets = [{{ provider = \"openai\", model = \"x\", base_url = {:?} }}]\n",
        guest.display().to_string(),
        server.base_url()
    );
    let path = folder.join("pipeline.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Where the embedded broker listens, by the log.
async fn address(log: &Path, run: &mut Child) -> String {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(log).unwrap();
        let found = text.lines().find_map(|line| line.split_once("brokers=\"")?.1.split('"').next());
        match found.filter(|_| text.contains("the embedded broker keeps everything in memory")) {
            Some(address) => return address.to_owned(),
            None => {
                assert!(run.try_wait().unwrap().is_none() && begun.elapsed() < PATIENCE, "it does not run:\n{text}")
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn output(command: &mut Command) -> String {
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it takes too long").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The ids of a span and of its parent, and the trace of both.
fn ids(span: &Span) -> [String; 3] {
    [hex(&span.trace_id), hex(&span.parent_span_id), hex(&span.span_id)]
}

/// What the stage is given, and the model with it.
const QUESTION: &str = "question-canary";
/// What the model says.
const ANSWER: &str = "answer-canary";

/// The text of an attribute.
fn attribute<'s>(span: &'s Span, key: &str) -> Option<&'s str> {
    let value = &span.attributes.iter().find(|pair| pair.key == key)?.value;
    match value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text),
        other => panic!("{key} is {other:?}"),
    }
}

/// Runs a pipeline for one event, looks at its trace, and gives its spans and all that the collector got. `traces` is the
/// section of the host file.
async fn traced(traces: &str) -> (Vec<Span>, String) {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::new().when("", [Behaviour::answer(ANSWER)]);
    let (server, collector) = (ModelServer::start(script).await, Collector::start(&[]).await);
    let (file, log) = (pipeline(folder.path(), &server), folder.path().join("log"));
    let host = folder.path().join("host.toml");
    std::fs::write(&host, format!("[traces]\n{traces}\n")).unwrap();
    let mut run = gristmill()
        .args(["run", "--admin", "off", "--host"])
        .arg(&host)
        .arg(&file)
        .env("RUST_LOG", "info,gristmill=debug")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", collector.address))
        .env("OTEL_SERVICE_NAME", "under-test")
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let brokers = address(&log, &mut run).await;
    let event = folder.path().join("event");
    std::fs::write(&event, format!("ask {QUESTION}")).unwrap();
    let producer = format!("traceparent=00-{TRACE}-00f067aa0ba902b7-01");
    let send = ["--content-type", "text/plain", "--brokers", &brokers, "--header", &producer];
    output(gristmill().args(["send", "in"]).arg(&event).args(send)).await;
    let shown = output(gristmill().args(["tail", "out", "--json", "--count", "1", "--brokers", &brokers])).await;
    let record: Value = serde_json::from_str(&shown).unwrap();
    let headers = record["headers"].as_array().unwrap();
    let header = headers.iter().find(|header| header["name"] == "traceparent").unwrap();
    let seen = server.seen()[0].traceparent.clone().unwrap();

    let spans = collector.until("three spans", |got| (got.spans.len() >= 3).then(|| got.spans.clone())).await;
    let named = |name: &str| ids(spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{spans:?}")));
    let (process, stage, chat) = (named("process in"), named("stage asks"), named("chat x"));
    assert_eq!((&*process[0], &*process[1]), (TRACE, "00f067aa0ba902b7"), "the job is within the producer's span");
    assert_eq!((&*stage[0], &stage[1]), (TRACE, &process[2]), "the attempt is within the job");
    assert_eq!((&*chat[0], &chat[1]), (TRACE, &stage[2]), "the call is within the attempt");
    assert_eq!(header["value"], format!("00-{TRACE}-{}-01", process[2]), "consumers join the job's span");
    assert_eq!(seen, format!("00-{TRACE}-{}-01", chat[2]), "the model's server joins the call's span");
    let service = collector.until("a request", |got| got.requests.first().map(|(_, request)| request.clone())).await;
    assert!(format!("{:?}", service.resource_spans[0].resource).contains("under-test"));

    let process = Command::new("kill").arg(run.id().unwrap().to_string()).status().await.unwrap();
    assert!(process.success());
    let ended = tokio::time::timeout(PATIENCE, run.wait()).await.expect("it does not end").unwrap();
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(ended.success(), "{log}");
    for line in ["a model answered", "job done"] {
        let line = log.lines().find(|told| told.contains(line)).unwrap_or_else(|| panic!("{line}:\n{log}"));
        assert!(line.contains(TRACE), "{line}");
    }
    assert!(!log.contains("-canary"), "the log tells contents:\n{log}");
    let exported = collector.until("all requests", |got| Some(format!("{:?}", got.requests))).await;
    (spans, exported)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_goes_from_the_producer_to_the_output_and_the_model_and_tells_no_contents() {
    let (spans, exported) = traced("").await;
    let chat = spans.iter().find(|span| span.name == "chat x").unwrap();
    assert_eq!(attribute(chat, "gen_ai.response.model"), Some("served"));
    assert!(!exported.contains("-canary"), "a word of the prompt or the answer: {exported}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_spans_of_models_tell_prompts_and_answers_if_the_host_file_says_so() {
    let (spans, _) = traced("capture_message_content = true").await;
    let chat = spans.iter().find(|span| span.name == "chat x").unwrap();
    let json = |key| serde_json::from_str::<Value>(attribute(chat, key).unwrap()).unwrap();
    let asked = json!({"role": "user", "parts": [{"type": "text", "content": QUESTION}]});
    assert_eq!(json("gen_ai.input.messages"), json!([asked]));
    let answer = json!({"role": "assistant", "parts": [{"type": "text", "content": ANSWER}], "finish_reason": "stop"});
    assert_eq!(json("gen_ai.output.messages"), json!([answer]));
    for other in spans.iter().filter(|span| span.name != "chat x") {
        assert!(!format!("{other:?}").contains("-canary"), "{other:?}");
    }
}
