//! What becomes of each fault in each dialect, in one table.

mod replies;

use std::fmt::Write;
use std::time::{Duration, Instant, SystemTime};

use gristmill_core::model::{Blame, ChatFailure, ChatRequest, FinishReason, Format, Usage};
use gristmill_core::ports::ModelError;
use gristmill_llm::settings::AliasSettings;
use gristmill_model_server::{Behaviour, Fault as Break, ModelServer, Script};
use serde_json::json;

use super::{alias, caller, request};
use replies::{ALL, Dialect, End, Times};

/// Each request asks for JSON. What a cell says:
///
/// - what the stage gets, and how long the server says to wait;
/// - what the flow does, if this server answers nobody else: `pause` (nothing is counted), `retry` (attempts by the policy, then
///   a dead letter) or `fail` (a dead letter at once);
/// - how often the server was asked, if more than once.
///
/// A `timeout` says what ended it, and took that long and not much more; everything else was told at once.
const TABLE: &str = "\
429, Retry-After in seconds     | rate-limited 7s, pause         | rate-limited 7s, pause         | rate-limited 7s, pause         | rate-limited 7s, pause
429, Retry-After as a date      | rate-limited 100s, pause       | rate-limited 100s, pause       | rate-limited 100s, pause       | rate-limited 100s, pause
429, retry-after-ms             | rate-limited 2.5s, pause       | rate-limited 2.5s, pause       | rate-limited 2.5s, pause       | rate-limited 2.5s, pause
429, RetryInfo                  | rate-limited 36s, pause        | rate-limited 36s, pause        | rate-limited 36s, pause        | rate-limited 36s, pause
429, nothing                    | rate-limited, pause            | rate-limited, pause            | rate-limited, pause            | rate-limited, pause
429, headers at -1              | rate-limited, pause            | rate-limited, pause            | rate-limited, pause            | rate-limited, pause
429, a quota of the day         | budget-exhausted, pause        | budget-exhausted, pause        | budget-exhausted, pause        | budget-exhausted, pause
400                             | invalid-request, fail          | invalid-request, fail          | invalid-request, fail          | invalid-request, fail
401                             | misconfigured, pause           | misconfigured, pause           | misconfigured, pause           | misconfigured, pause
403                             | misconfigured, pause           | misconfigured, pause           | misconfigured, pause           | misconfigured, pause
404                             | misconfigured, pause           | misconfigured, pause           | misconfigured, pause           | misconfigured, pause
408                             | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
409                             | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
413                             | context-length-exceeded, fail  | context-length-exceeded, fail  | context-length-exceeded, fail  | context-length-exceeded, fail
422                             | invalid-request, fail          | invalid-request, fail          | invalid-request, fail          | invalid-request, fail
500                             | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
502                             | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
503, Retry-After                | unavailable 7s, pause          | unavailable 7s, pause          | unavailable 7s, pause          | unavailable 7s, pause
504                             | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
529                             | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
502, a page of a proxy          | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
200, a page of a proxy          | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
reset                           | unavailable, retry             | unavailable, retry             | unavailable, retry             | unavailable, retry
hang before the headers         | timeout by first_byte, retry   | timeout by first_byte, retry   | timeout by first_byte, retry   | timeout by first_byte, retry
hang before the first token     | timeout by first_byte, retry   | timeout by first_byte, retry   | timeout by first_byte, retry   | timeout by first_byte, retry
hang after the first token      | timeout by idle, retry         | timeout by idle, retry         | timeout by idle, retry         | timeout by idle, retry
hang between two chunks         | timeout by idle, retry         | timeout by idle, retry         | timeout by idle, retry         | timeout by idle, retry
hang until the end of the time  | timeout by timeout, retry      | timeout by timeout, retry      | timeout by timeout, retry      | timeout by timeout, retry
reset in a stream               | unavailable, retry             | unavailable, retry             | unavailable, retry             | unavailable, retry
a stream without its end        | unavailable, retry             | unavailable, retry             | unavailable, retry             | unavailable, retry
JSON that breaks off            | unavailable, retry             | unavailable, retry             | unavailable, retry             | unavailable, retry
an answer as text/plain         | answer                         | answer                         | answer                         | answer
another type in the answer      | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
200, a list                     | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
200, an error                   | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
200, no UTF-8                   | unavailable, retry             | unavailable, retry             | unavailable, retry             | unavailable, retry
no choices                      | unavailable, pause             | invalid-output, fail, 3 calls  | unavailable, pause             | invalid-output, fail, 3 calls
a refusal                       | content-filtered, fail         | content-filtered, fail         | content-filtered, fail         | invalid-output, fail, 3 calls
cut off by the output limit     | invalid-output, fail           | invalid-output, fail           | invalid-output, fail           | invalid-output, fail
only thoughts                   | invalid-output, fail, 3 calls  | invalid-output, fail, 3 calls  | invalid-output, fail, 3 calls  | invalid-output, fail, 3 calls
only thoughts, then the limit   | invalid-output, fail           | invalid-output, fail, 2 calls  | invalid-output, fail           | invalid-output, fail
no usage                        | answer, no usage               | answer, no usage               | answer, no usage               | answer, no usage
";

/// 200 with this body.
fn ok(body: impl ToString) -> Behaviour {
    Behaviour::ok("application/json", body.to_string())
}

/// A page of a proxy.
fn page(status: u16) -> Behaviour {
    let headers = vec![("content-type", "text/html".into())];
    Behaviour::Raw { status, headers, body: "<html><body>The service is not available</body></html>".into() }
}

type Fault = (&'static str, fn(Dialect) -> Behaviour);

/// The faults, in the order of the table.
const FAULTS: &[Fault] = &[
    ("429, Retry-After in seconds", |dialect| dialect.status(429, vec![("retry-after", "7".into())])),
    ("429, Retry-After as a date", |dialect| {
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        dialect.status(429, vec![("retry-after", date)])
    }),
    ("429, retry-after-ms", |dialect| dialect.status(429, vec![("retry-after-ms", "2500".into())])),
    ("429, RetryInfo", |dialect| {
        let details = json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"}]);
        let body = dialect.fault(429, "some_error", "no", details).to_string();
        Behaviour::Raw { status: 429, headers: Vec::new(), body }
    }),
    ("429, nothing", |dialect| dialect.status(429, Vec::new())),
    ("429, headers at -1", |dialect| {
        let names =
            ["retry-after", "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];
        dialect.status(429, names.map(|name| (name, "-1".into())).to_vec())
    }),
    ("429, a quota of the day", |dialect| dialect.quota()),
    ("400", |dialect| dialect.status(400, Vec::new())),
    ("401", |dialect| dialect.status(401, Vec::new())),
    ("403", |dialect| dialect.status(403, Vec::new())),
    ("404", |dialect| dialect.status(404, Vec::new())),
    ("408", |dialect| dialect.status(408, Vec::new())),
    ("409", |dialect| dialect.status(409, Vec::new())),
    ("413", |dialect| dialect.status(413, Vec::new())),
    ("422", |dialect| dialect.status(422, Vec::new())),
    ("500", |dialect| dialect.status(500, Vec::new())),
    ("502", |dialect| dialect.status(502, Vec::new())),
    ("503, Retry-After", |dialect| dialect.status(503, vec![("retry-after", "7".into())])),
    ("504", |dialect| dialect.status(504, Vec::new())),
    ("529", |dialect| dialect.status(529, Vec::new())),
    ("502, a page of a proxy", |_| page(502)),
    ("200, a page of a proxy", |_| page(200)),
    ("reset", |_| Behaviour::BreakOff),
    ("hang before the headers", |_| Behaviour::Silence),
    ("hang before the first token", |_| Behaviour::cut("{}", 0, Break::Hang)),
    ("hang after the first token", |_| Behaviour::cut("{}", 2, Break::Hang)),
    ("hang between two chunks", |dialect| {
        // The third event of Gemini is the last one.
        let events = if dialect == Dialect::Gemini { 2 } else { 3 };
        Behaviour::cut("{}", events, Break::Hang)
    }),
    ("hang until the end of the time", |_| Behaviour::cut("{}", 2, Break::Hang)),
    ("reset in a stream", |_| Behaviour::cut("{}", 2, Break::Break)),
    ("a stream without its end", |_| Behaviour::cut("{}", 2, Break::End)),
    ("JSON that breaks off", |dialect| {
        let whole = dialect.answer("{}", End::Stop).to_string();
        ok(&whole[..whole.len() / 2])
    }),
    ("an answer as text/plain", |dialect| Behaviour::ok("text/plain", dialect.answer("{}", End::Stop).to_string())),
    ("another type in the answer", |dialect| ok(dialect.of_another_type())),
    ("200, a list", |_| ok("[]")),
    ("200, an error", |dialect| ok(dialect.fault(500, "some_error", "no", json!([])))),
    ("200, no UTF-8", |dialect| {
        let whole = dialect.answer("{\"a\": \"#\"}", End::Stop).to_string();
        let bytes = whole.bytes().map(|byte| if byte == b'#' { 0xe9 } else { byte }).collect();
        Behaviour::Bytes(bytes)
    }),
    ("no choices", |dialect| ok(dialect.without_choices())),
    ("a refusal", |dialect| ok(dialect.refusal())),
    ("cut off by the output limit", |dialect| ok(dialect.answer("{\"a\": [1, 2", End::Length))),
    ("only thoughts", |dialect| ok(dialect.only_thoughts(End::Stop))),
    ("only thoughts, then the limit", |dialect| ok(dialect.only_thoughts(End::Length))),
    ("no usage", |dialect| ok(dialect.without_usage())),
];

#[tokio::test]
async fn every_fault_in_every_dialect_has_its_decision() {
    let mut table = String::new();
    for (name, behaviour) in FAULTS {
        let mut cells = Vec::new();
        for dialect in ALL {
            cells.push(format!("{:<30}", cell(dialect, behaviour(dialect), Times::of(name)).await));
        }
        writeln!(table, "{}", format!("{name:<31} | {}", cells.join(" | ")).trim_end()).unwrap();
    }
    assert_eq!(table, TABLE, "the table is now:\n{table}");
}

/// What becomes of a request that meets this behaviour, always.
async fn cell(dialect: Dialect, behaviour: Behaviour, times: Times) -> String {
    let server = ModelServer::start(Script::new().when("", [behaviour])).await;
    let asked = ChatRequest { format: Format::Json, ..request("count") };
    let model = alias(AliasSettings::new(vec![dialect.target(&server, times)])).0.model;
    let (caller, begun) = (caller(1), Instant::now());
    let answer = tokio::time::timeout(Times::LONG, model.chat(&caller, &asked)).await;
    let took = begun.elapsed();
    let mut cell = match answer.expect("an answer or a failure long before the time of the target is over") {
        Ok(answer) => {
            assert_eq!((answer.text.as_str(), answer.finish_reason), ("{}", FinishReason::Stop));
            let Usage { input_tokens, output_tokens, .. } = answer.usage;
            match (input_tokens, output_tokens) {
                (Some(10), Some(5)) => "answer".to_owned(),
                (None, None) => "answer, no usage".to_owned(),
                other => panic!("{other:?}"),
            }
        }
        Err(ModelError::Chat { failure, blame }) => {
            if let ChatFailure::Timeout(_) = failure {
                assert!(took >= Times::SHORT, "{failure:?} after {took:?}");
            }
            decision(&failure, blame)
        }
        Err(ModelError::Store(error)) => panic!("there is no store: {error}"),
    };
    if server.calls() > 1 {
        write!(cell, ", {} calls", server.calls()).unwrap();
    }
    cell
}

fn decision(failure: &ChatFailure, blame: Option<Blame>) -> String {
    let flow = match (failure, blame) {
        (ChatFailure::RateLimited { .. }, _) | (_, Some(Blame::Dependency | Blame::Limit)) => "pause",
        (ChatFailure::Unavailable { .. } | ChatFailure::Timeout(_), _) => "retry",
        _ => "fail",
    };
    let after = match failure {
        ChatFailure::RateLimited { after, .. } | ChatFailure::Unavailable { after, .. } => *after,
        _ => None,
    };
    // Of a date, some part has passed.
    let after = after.map(|after| match after.as_secs() {
        80..100 => " 100s".to_owned(),
        _ => format!(" {after:?}"),
    });
    let by = match failure {
        ChatFailure::Timeout(reason) if reason.contains("`first_byte`") => " by first_byte",
        ChatFailure::Timeout(reason) if reason.contains("`idle`") => " by idle",
        ChatFailure::Timeout(_) => " by timeout",
        _ => "",
    };
    format!("{}{}{by}, {flow}", failure.kind(), after.unwrap_or_default())
}
