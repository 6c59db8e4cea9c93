//! Anthropic's Messages, Gemini's generateContent and Ollama's own API over real HTTP.

use std::time::Duration;

use gristmill_core::model::{ChatFailure, ChatRequest, ChatResponse, FinishReason, Format, Usage};
use gristmill_llm::settings::{
    AliasSettings, AnthropicSettings, GeminiSettings, HeaderText, Headers, KeyHeader, OllamaSettings, OpenAiSettings,
    SecretRef, TargetSettings,
};
use gristmill_model_server::{Behaviour, ModelServer, Script};
use serde_json::{Value, json};

use super::{alias, caller, key_file, request, target};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Dialect {
    Anthropic,
    Gemini,
    Ollama,
}

use Dialect::{Anthropic, Gemini, Ollama};

const ALL: [Dialect; 3] = [Anthropic, Gemini, Ollama];
const TIMEOUT: Duration = Duration::from_secs(10);

impl Dialect {
    fn target(self, server: &ModelServer, key: Option<SecretRef>, headers: Headers) -> TargetSettings {
        match self {
            Anthropic => TargetSettings::Anthropic(AnthropicSettings {
                base_url: server.base_url(),
                key,
                headers,
                timeout: TIMEOUT,
                ..AnthropicSettings::new("m")
            }),
            Gemini => TargetSettings::Gemini(GeminiSettings {
                base_url: server.url("/v1beta"),
                key,
                headers,
                timeout: TIMEOUT,
                ..GeminiSettings::new("m")
            }),
            Ollama => TargetSettings::Ollama(OllamaSettings {
                base_url: server.url(""),
                key,
                headers,
                timeout: TIMEOUT,
                ..OllamaSettings::new("m")
            }),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Anthropic => "anthropic/m",
            Gemini => "gemini/m",
            Ollama => "ollama/m",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Anthropic => "/v1/messages",
            Gemini => "/v1beta/models/m:streamGenerateContent?alt=sse",
            Ollama => "/api/chat",
        }
    }

    /// The header and value of a key.
    fn key(self, key: &str) -> (&'static str, String) {
        match self {
            Anthropic => ("x-api-key", key.to_owned()),
            Gemini => ("x-goog-api-key", key.to_owned()),
            Ollama => ("authorization", format!("Bearer {key}")),
        }
    }

    /// An error in the dialect's own form.
    fn error(self, status: u16, kind: &str, message: &str) -> Behaviour {
        let body = match self {
            Anthropic => json!({"type": "error", "error": {"type": kind, "message": message}}),
            Gemini => json!({"error": {"code": status, "status": kind, "message": message}}),
            Ollama => json!({ "error": message }),
        };
        Behaviour::Raw { status, headers: vec![("retry-after", "7".into())], body: body.to_string() }
    }
}

async fn ask(target: TargetSettings, request: &ChatRequest) -> Result<ChatResponse, ChatFailure> {
    let (model, caller) = (alias(AliasSettings::new(vec![target])), caller(1));
    tokio::time::timeout(Duration::from_secs(20), model.chat(&caller, request)).await.unwrap()
}

async fn failure(dialect: Dialect, behaviour: Behaviour) -> ChatFailure {
    let server = ModelServer::start(Script::new().when("", [behaviour])).await;
    let failure = ask(dialect.target(&server, None, Headers::new()), &request("hello")).await.unwrap_err();
    assert_eq!((server.calls(), server.paid()), (1, 0), "a call is never repeated here");
    failure
}

#[tokio::test]
async fn a_call_goes_out_with_key_and_headers_and_comes_back_as_an_answer() {
    let (_folder, key) = key_file("sk-test-key\n");
    let (_other, tenant) = key_file("tenant-7");
    for dialect in ALL {
        let server = ModelServer::start(Script::new().when("weather", [Behaviour::answer("sunny")])).await;
        let headers = [
            ("x-team".to_owned(), HeaderText::Plain("red".into())),
            ("x-tenant".to_owned(), HeaderText::Secret(tenant.clone())),
        ];
        let target = dialect.target(&server, Some(key.clone()), headers.into());
        let answer = ask(target, &request("the weather?")).await.unwrap();
        assert_eq!((answer.text.as_str(), &answer.finish_reason), ("sunny", &FinishReason::Stop), "{dialect:?}");
        assert_eq!(answer.model, dialect.name());
        let Usage { input_tokens, output_tokens, .. } = answer.usage;
        assert_eq!((input_tokens, output_tokens), (Some(10), Some(5)), "{dialect:?}");
        let seen = server.seen().remove(0);
        assert_eq!(seen.path, dialect.path());
        let (name, value) = dialect.key("sk-test-key");
        assert_eq!(seen.headers[name], value.as_str());
        assert_eq!(
            (&seen.headers["x-team"], &seen.headers["x-tenant"]),
            (&"red".parse().unwrap(), &"tenant-7".parse().unwrap())
        );
        assert_eq!(seen.traceparent, Some(caller(1).trace.to_string()));
        assert!(!seen.path.contains("sk-test-key") && !seen.body.to_string().contains("sk-test-key"));
    }
}

#[tokio::test]
async fn a_server_without_a_key_gets_none() {
    for dialect in ALL {
        let server = ModelServer::start(Script::new()).await;
        ask(dialect.target(&server, None, Headers::new()), &request("hello")).await.unwrap();
        assert!(!server.seen().remove(0).headers.contains_key(dialect.key("").0), "{dialect:?}");
    }
}

#[tokio::test]
async fn every_kind_of_fault_has_its_failure() {
    let page = || Behaviour::Raw { status: 502, headers: Vec::new(), body: "<html>bad gateway</html>".into() };
    let ok = |body: &str| Behaviour::ok("application/json", body);
    for dialect in ALL {
        for (behaviour, expected) in [
            (dialect.error(400, "bad", "no"), "invalid-request"),
            (dialect.error(401, "bad", "no"), "misconfigured"),
            (dialect.error(403, "bad", "no"), "misconfigured"),
            (dialect.error(404, "bad", "no"), "misconfigured"),
            (dialect.error(429, "bad", "no"), "rate-limited"),
            (dialect.error(500, "bad", "no"), "unavailable"),
            (dialect.error(503, "bad", "no"), "unavailable"),
            (dialect.error(529, "overloaded_error", "Overloaded"), "unavailable"),
            (page(), "unavailable"),
            (ok("\u{0}\u{1}garbage"), "unavailable"),
            (ok(""), "unavailable"),
            (ok("{}"), "unavailable"),
            (ok("{\"content\": [{\"type\": \"te"), "unavailable"),
            (Behaviour::ok("text/html", "<html>log in</html>"), "unavailable"),
            (Behaviour::ok("text/event-stream", "data: {}\n\n"), "unavailable"),
            (Behaviour::BreakOff, "unavailable"),
            (Behaviour::redirect("http://127.0.0.1:9/"), "misconfigured"),
        ] {
            let name = format!("{dialect:?} {behaviour:?}");
            assert_eq!(failure(dialect, behaviour).await.kind(), expected, "{name}");
        }
    }
}

#[tokio::test]
async fn the_time_to_wait_comes_through() {
    for dialect in ALL {
        match failure(dialect, dialect.error(429, "bad", "no")).await {
            ChatFailure::RateLimited { after, .. } => assert_eq!(after, Some(Duration::from_secs(7)), "{dialect:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_time_to_wait_is_read_from_limits_and_words_too() {
    let limits = || vec![("x-ratelimit-remaining-tokens", "0".into()), ("x-ratelimit-reset-tokens", "6s".into())];
    for dialect in ALL {
        let Behaviour::Raw { body, .. } = dialect.error(429, "bad", "Please try again in 4s.") else {
            panic!("not raw")
        };
        for (headers, body, seconds) in [
            (vec![("x-ms-retry-after-ms", "2000".into())], body.clone(), 2),
            (limits(), body, 4),
            (limits(), "<html>busy</html>".into(), 6),
            (Vec::new(), "Busy, retry after 9 seconds".into(), 9),
        ] {
            match failure(dialect, Behaviour::Raw { status: 429, headers, body }).await {
                ChatFailure::RateLimited { after, .. } => {
                    assert_eq!(after, Some(Duration::from_secs(seconds)), "{dialect:?}")
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_document_is_found_behind_a_mark_and_thinking_and_in_a_fence() {
    let said = "<think>{}?</think>\n```json\n{\"n\": 1,}\n```";
    let body = |dialect| match dialect {
        Anthropic => json!({"type": "message", "content": [{"type": "text", "text": said}]}),
        Gemini => json!({"candidates": [{"content": {"parts": [{"text": said}]}}]}),
        Ollama => json!({"message": {"content": said}, "done": true}),
    };
    for dialect in ALL {
        let marked = Behaviour::ok("application/json", format!("\u{feff}{}", body(dialect)));
        let server = ModelServer::start(Script::new().when("", [marked])).await;
        let asked = ChatRequest { format: Format::Json, ..request("count") };
        let answer = ask(dialect.target(&server, None, Headers::new()), &asked).await.unwrap();
        assert_eq!(answer.text, "{\"n\": 1}", "{dialect:?}");
    }
}

#[tokio::test]
async fn neither_key_nor_secret_header_nor_document_is_in_an_error() {
    const KEY: &str = "sk-canary-7f3a9c51d2e8";
    const TENANT: &str = "tenant-canary-11d07b";
    const DOCUMENT: &str = "Patient Zebedee Quill complains of his left knee.";
    let (_folder, key) = key_file(KEY);
    let (_other, tenant) = key_file(TENANT);
    let echo = format!("Incorrect key {KEY} of {TENANT}. Input was: {DOCUMENT}");
    for dialect in ALL {
        for status in [400, 401, 404, 429, 500] {
            for echo in [KEY, TENANT, echo.as_str()] {
                let server = ModelServer::start(Script::new().when("", [dialect.error(status, echo, echo)])).await;
                let headers = [("x-tenant".to_owned(), HeaderText::Secret(tenant.clone()))].into();
                let target = dialect.target(&server, Some(key.clone()), headers);
                let shown = format!("{target:?} {:?}", ask(target.clone(), &request(DOCUMENT)).await.unwrap_err());
                for secret in ["canary", "7f3a9c51", "11d07b", "Zebedee", "left knee"] {
                    assert!(!shown.contains(secret), "{shown}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_schema_is_asked_for_in_the_dialect_and_the_whole_of_it_is_checked() {
    let schema = json!({
        "type": "object", "properties": {"n": {"type": "string", "maxLength": 3}}, "required": ["n"],
        "additionalProperties": false,
    });
    let format = Format::Schema { name: "count".into(), description: None, schema: schema.to_string() };
    for dialect in ALL {
        let script = Script::new()
            .when("good", [Behaviour::answer("{\"n\": \"one\"}")])
            .when("bad", [Behaviour::answer("{\"n\": \"seven\"}")]);
        let server = ModelServer::start(script).await;
        let asked = |text| ChatRequest { format: format.clone(), ..request(text) };
        let target = || dialect.target(&server, None, Headers::new());
        assert_eq!(ask(target(), &asked("good")).await.unwrap().text, "{\"n\": \"one\"}");
        assert_eq!(ask(target(), &asked("bad")).await.unwrap_err().kind(), "invalid-output", "{dialect:?}");
        let body: Value = server.seen().remove(0).body;
        let sent = match dialect {
            Anthropic => &body["output_config"]["format"]["schema"],
            Gemini => &body["generationConfig"]["responseJsonSchema"],
            Ollama => &body["format"],
        };
        assert_eq!(sent["properties"]["n"]["type"], "string");
        let bound = sent["properties"]["n"].get("maxLength");
        assert_eq!(bound.is_some(), dialect == Ollama, "the others do not take it: {sent}");
    }
}

#[tokio::test]
async fn a_fallback_of_another_dialect_stands_in() {
    let busy =
        ModelServer::start(Script::new().when("", [Anthropic.error(529, "overloaded_error", "Overloaded")])).await;
    let spare = ModelServer::start(Script::new().when("", [Behaviour::answer("second")])).await;
    let targets = vec![
        Anthropic.target(&busy, None, Headers::new()),
        Ollama.target(&spare, None, Headers::new()),
        TargetSettings::OpenAi(target(&spare)),
    ];
    let answer = alias(AliasSettings::new(targets)).chat(&caller(1), &request("x")).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.model.as_str()), ("second", "ollama/m"));
}

#[tokio::test]
async fn a_prompt_that_ollama_cut_is_an_error() {
    let cut = json!({
        "message": {"role": "assistant", "content": "I see only the end."}, "done": true, "done_reason": "stop",
        "prompt_eval_count": 8192, "eval_count": 7,
    });
    match failure(Ollama, Behaviour::ok("application/json", cut.to_string())).await {
        ChatFailure::ContextLengthExceeded { message, limit, .. } => {
            assert!(message.contains("raise the target's `context`"), "{message}");
            assert_eq!(limit, Some(8_192));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn azure_is_asked_with_its_own_header_and_version() {
    let server = ModelServer::start(Script::new()).await;
    let (_folder, key) = key_file("azure-key");
    let target = OpenAiSettings {
        base_url: server.url("/openai/deployments/mini"),
        key: Some(key),
        key_header: KeyHeader::ApiKey,
        api_version: Some("2024-10-21".into()),
        headers: [("x-team".to_owned(), HeaderText::Plain("red".into()))].into(),
        ..target(&server)
    };
    ask(TargetSettings::OpenAi(target), &request("hello")).await.unwrap();
    let seen = server.seen().remove(0);
    assert_eq!(seen.path, "/openai/deployments/mini/chat/completions?api-version=2024-10-21");
    assert_eq!(
        (&seen.headers["api-key"], &seen.headers["x-team"]),
        (&"azure-key".parse().unwrap(), &"red".parse().unwrap())
    );
    assert_eq!(seen.authorization, None);
}
