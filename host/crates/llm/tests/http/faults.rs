//! What becomes of each fault in each dialect, in one table.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use gristmill_core::model::{Blame, ChatFailure, ChatRequest, FinishReason, Format, Usage};
use gristmill_core::ports::ModelError;
use gristmill_llm::settings::{AliasSettings, AnthropicSettings, GeminiSettings, OllamaSettings, TargetSettings};
use gristmill_model_server::{Behaviour, ModelServer, Script};
use serde_json::{Value, json};

use super::{alias, caller, request, target};

/// Each request asks for JSON. What a cell says:
///
/// - what the stage gets, and how long the server says to wait;
/// - what the flow does, if this server answers nobody else: `pause` (nothing is counted), `retry` (attempts by the policy, then
///   a dead letter) or `fail` (a dead letter at once);
/// - how often the server was asked, if more than once.
const TABLE: &str = "\
429, Retry-After in seconds     | rate-limited 7s, pause         | rate-limited 7s, pause         | rate-limited 7s, pause         | rate-limited 7s, pause
429, Retry-After as a date      | rate-limited 100s, pause       | rate-limited 100s, pause       | rate-limited 100s, pause       | rate-limited 100s, pause
429, retry-after-ms             | rate-limited 2.5s, pause       | rate-limited 2.5s, pause       | rate-limited 2.5s, pause       | rate-limited 2.5s, pause
429, RetryInfo                  | rate-limited 36s, pause        | rate-limited 36s, pause        | rate-limited 36s, pause        | rate-limited, pause
429, nothing                    | rate-limited, pause            | rate-limited, pause            | rate-limited, pause            | rate-limited, pause
429, headers at -1              | rate-limited, pause            | rate-limited, pause            | rate-limited, pause            | rate-limited, pause
429, a quota of the day         | budget-exhausted, pause        | budget-exhausted, pause        | budget-exhausted, pause        | rate-limited, pause
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
reset                           | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
JSON that breaks off            | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
an answer as text/plain         | answer                         | answer                         | answer                         | answer
another type in the answer      | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
200, a list                     | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
200, an error                   | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
200, no UTF-8                   | unavailable, pause             | unavailable, pause             | unavailable, pause             | unavailable, pause
no choices                      | unavailable, pause             | invalid-output, fail, 3 calls  | unavailable, pause             | invalid-output, fail, 3 calls
a refusal                       | content-filtered, fail         | content-filtered, fail         | content-filtered, fail         | invalid-output, fail, 3 calls
cut off by the output limit     | invalid-output, fail           | invalid-output, fail           | invalid-output, fail           | invalid-output, fail
only thoughts                   | invalid-output, fail, 3 calls  | invalid-output, fail, 3 calls  | invalid-output, fail, 3 calls  | invalid-output, fail, 3 calls
only thoughts, then the limit   | invalid-output, fail           | invalid-output, fail, 2 calls  | invalid-output, fail           | invalid-output, fail
no usage                        | answer, no usage               | answer, no usage               | answer, no usage               | answer, no usage
";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Dialect {
    OpenAi,
    Anthropic,
    Gemini,
    Ollama,
}

use Dialect::{Anthropic, Gemini, Ollama, OpenAi};

const ALL: [Dialect; 4] = [OpenAi, Anthropic, Gemini, Ollama];

impl Dialect {
    fn target(self, server: &ModelServer) -> TargetSettings {
        let timeout = Duration::from_secs(10);
        match self {
            OpenAi => TargetSettings::OpenAi(target(server)),
            Anthropic => TargetSettings::Anthropic(AnthropicSettings {
                base_url: server.base_url(),
                timeout,
                ..AnthropicSettings::new("m")
            }),
            Gemini => TargetSettings::Gemini(GeminiSettings {
                base_url: server.url("/v1beta"),
                timeout,
                ..GeminiSettings::new("m")
            }),
            Ollama => {
                TargetSettings::Ollama(OllamaSettings { base_url: server.url(""), timeout, ..OllamaSettings::new("m") })
            }
        }
    }

    /// An error in the dialect's own form, with these details in it.
    fn fault(self, status: u16, kind: &str, message: &str, details: Value) -> Value {
        match self {
            OpenAi => json!({"error": {"message": message, "type": kind, "code": null, "details": details}}),
            Anthropic => json!({"type": "error", "error": {"type": kind, "message": message, "details": details}}),
            Gemini => json!({"error": {"code": status, "status": kind, "message": message, "details": details}}),
            Ollama => json!({"error": message, "details": details}),
        }
    }

    /// A reply with this status, these headers and an error that says nothing more.
    fn status(self, status: u16, headers: Vec<(&'static str, String)>) -> Behaviour {
        let body = self.fault(status, "some_error", "no", json!([])).to_string();
        Behaviour::Raw { status, headers, body }
    }

    /// A quota that is used up for today.
    fn quota(self) -> Behaviour {
        let (kind, message) = match self {
            OpenAi => ("insufficient_quota", "You exceeded your current quota, please check your plan."),
            Anthropic => ("rate_limit_error", "This request would exceed your organization's monthly spend limit."),
            Gemini => ("RESOURCE_EXHAUSTED", "You exceeded your current quota."),
            Ollama => ("", "you've reached your daily usage limit"),
        };
        let details = match self {
            Anthropic => json!({"error_code": "organization_spend_limit_reached"}),
            // The time to wait is none.
            OpenAi | Gemini | Ollama => json!([
                {"@type": "type.googleapis.com/google.rpc.QuotaFailure",
                    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "50"}]},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"},
            ]),
        };
        Behaviour::Raw { status: 429, headers: Vec::new(), body: self.fault(429, kind, message, details).to_string() }
    }

    /// An answer with this text, which ended in this way.
    fn answer(self, text: &str, end: End) -> Value {
        match self {
            OpenAi => json!({
                "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": end.of(["stop", "length"])}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 5},
            }),
            Anthropic => json!({
                "type": "message", "content": [{"type": "text", "text": text}],
                "stop_reason": end.of(["end_turn", "max_tokens"]), "usage": {"input_tokens": 10, "output_tokens": 5},
            }),
            Gemini => json!({
                "candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": end.of(["STOP", "MAX_TOKENS"])}],
                "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5},
            }),
            Ollama => json!({
                "message": {"role": "assistant", "content": text}, "done": true,
                "done_reason": end.of(["stop", "length"]), "prompt_eval_count": 10, "eval_count": 5,
            }),
        }
    }

    /// An answer without what holds it.
    fn without_choices(self) -> Value {
        let mut answer = self.answer("", End::Stop);
        match self {
            OpenAi => answer["choices"] = json!([]),
            Anthropic => answer["content"] = json!([]),
            Gemini => answer["candidates"] = json!([]),
            Ollama => answer["message"] = json!({}),
        }
        answer
    }

    /// What holds the answer is a number.
    fn of_another_type(self) -> Value {
        let mut answer = self.answer("", End::Stop);
        match self {
            OpenAi => answer["choices"] = json!(7),
            Anthropic => answer["content"] = json!(7),
            Gemini => answer["candidates"] = json!(7),
            Ollama => answer["message"] = json!(7),
        }
        answer
    }

    fn refusal(self) -> Value {
        let mut answer = self.answer("I cannot help with that.", End::Stop);
        match self {
            OpenAi => answer["choices"][0]["message"] = json!({"content": null, "refusal": "I cannot help with that."}),
            Anthropic => answer["stop_reason"] = json!("refusal"),
            Gemini => answer = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}),
            // It has no word for it: the refusal is a text.
            Ollama => {}
        }
        answer
    }

    fn only_thoughts(self, end: End) -> Value {
        let mut answer = self.answer("", end);
        match self {
            OpenAi => answer["choices"][0]["message"]["reasoning_content"] = json!("Hm, let me see."),
            Anthropic => answer["content"] = json!([{"type": "thinking", "thinking": "Hm, let me see."}]),
            Gemini => {
                answer["candidates"][0]["content"]["parts"] = json!([{"text": "Hm, let me see.", "thought": true}]);
            }
            Ollama => answer["message"]["thinking"] = json!("Hm, let me see."),
        }
        answer
    }

    fn without_usage(self) -> Value {
        let mut answer = self.answer("{}", End::Stop);
        if let Some(answer) = answer.as_object_mut() {
            answer.retain(|name, _| {
                !matches!(name.as_str(), "usage" | "usageMetadata" | "prompt_eval_count" | "eval_count")
            });
        }
        answer
    }
}

/// How an answer ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Stop,
    Length,
}

impl End {
    fn of(self, [stop, length]: [&str; 2]) -> &str {
        match self {
            Self::Stop => stop,
            Self::Length => length,
        }
    }
}

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
            cells.push(format!("{:<30}", cell(dialect, behaviour(dialect)).await));
        }
        writeln!(table, "{}", format!("{name:<31} | {}", cells.join(" | ")).trim_end()).unwrap();
    }
    assert_eq!(table, TABLE, "the table is now:\n{table}");
}

/// What becomes of a request that meets this behaviour, always.
async fn cell(dialect: Dialect, behaviour: Behaviour) -> String {
    let server = ModelServer::start(Script::new().when("", [behaviour])).await;
    let asked = ChatRequest { format: Format::Json, ..request("count") };
    let model = alias(AliasSettings::new(vec![dialect.target(&server)])).0.model;
    let (caller, patience) = (caller(1), Duration::from_secs(20));
    let mut cell = match tokio::time::timeout(patience, model.chat(&caller, &asked)).await.unwrap() {
        Ok(answer) => {
            assert_eq!((answer.text.as_str(), answer.finish_reason), ("{}", FinishReason::Stop));
            let Usage { input_tokens, output_tokens, .. } = answer.usage;
            match (input_tokens, output_tokens) {
                (Some(10), Some(5)) => "answer".to_owned(),
                (None, None) => "answer, no usage".to_owned(),
                other => panic!("{other:?}"),
            }
        }
        Err(ModelError::Chat { failure, blame }) => decision(&failure, blame),
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
    format!("{}{}, {flow}", failure.kind(), after.unwrap_or_default())
}
