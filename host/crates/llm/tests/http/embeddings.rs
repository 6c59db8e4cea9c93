//! Vectors over real HTTP: OpenAI's embeddings, Gemini's and Ollama's.

use std::time::Duration;

use base64::Engine as _;
use gristmill_core::model::{ChatFailure, EmbedRequest, EmbedResponse, Purpose};
use gristmill_core::ports::ModelError;
use gristmill_llm::settings::{
    AliasSettings, AnthropicSettings, EmbeddingSettings, GeminiSettings, KeyHeader, OllamaSettings, OpenAiSettings,
    SecretRef, TargetSettings,
};
use gristmill_model_server::{Behaviour, ModelServer, Script};
use serde_json::{Value, json};

use super::{alias, caller, key_file, scripted, target};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Dialect {
    OpenAi,
    Gemini,
    Ollama,
}

use Dialect::{Gemini, Ollama, OpenAi};

const ALL: [Dialect; 3] = [OpenAi, Gemini, Ollama];

impl Dialect {
    fn target(self, server: &ModelServer, key: Option<SecretRef>, embeddings: EmbeddingSettings) -> TargetSettings {
        let timeout = Duration::from_secs(10);
        match self {
            OpenAi => TargetSettings::OpenAi(OpenAiSettings { key, embeddings, ..target(server) }),
            Gemini => TargetSettings::Gemini(GeminiSettings {
                base_url: server.url("/v1beta"),
                key,
                timeout,
                embeddings,
                ..GeminiSettings::new("m")
            }),
            Ollama => TargetSettings::Ollama(OllamaSettings {
                base_url: server.url(""),
                key,
                timeout,
                embeddings,
                ..OllamaSettings::new("m")
            }),
        }
    }

    fn name(self) -> &'static str {
        match self {
            OpenAi => "openai/m",
            Gemini => "gemini/m",
            Ollama => "ollama/m",
        }
    }

    fn path(self) -> &'static str {
        match self {
            OpenAi => "/v1/embeddings",
            Gemini => "/v1beta/models/m:batchEmbedContents",
            Ollama => "/api/embed",
        }
    }

    /// The texts of a request.
    fn inputs(self, body: &Value) -> Vec<String> {
        let texts = match self {
            OpenAi | Ollama => body["input"].as_array().unwrap().clone(),
            Gemini => {
                let requests = body["requests"].as_array().unwrap();
                requests.iter().map(|request| request["content"]["parts"][0]["text"].clone()).collect()
            }
        };
        texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    /// A reply with these vectors.
    fn vectors(self, vectors: &[Value]) -> Behaviour {
        let body = match self {
            OpenAi => {
                let data =
                    vectors.iter().enumerate().map(|(index, vector)| json!({"index": index, "embedding": vector}));
                json!({"object": "list", "data": data.collect::<Value>(), "usage": {"prompt_tokens": 9}})
            }
            Gemini => {
                let data = vectors.iter().map(|vector| json!({ "values": vector }));
                json!({"embeddings": data.collect::<Value>()})
            }
            Ollama => json!({"model": "m", "embeddings": vectors, "prompt_eval_count": 9}),
        };
        Behaviour::ok("application/json", body.to_string())
    }

    fn error(self, status: u16, message: &str) -> Behaviour {
        let body = match self {
            OpenAi => json!({"error": {"message": message, "type": "bad", "code": null}}),
            Gemini => json!({"error": {"code": status, "status": "INVALID_ARGUMENT", "message": message}}),
            Ollama => json!({ "error": message }),
        };
        Behaviour::Raw { status, headers: vec![("retry-after", "7".into())], body: body.to_string() }
    }
}

async fn embed(targets: Vec<TargetSettings>, request: &EmbedRequest) -> Result<EmbedResponse, ChatFailure> {
    let model = alias(AliasSettings::new(targets));
    let caller = caller(1);
    let answer = tokio::time::timeout(Duration::from_secs(20), model.0.model.embed(&caller, request)).await.unwrap();
    answer.map_err(|error| match error {
        ModelError::Chat { failure, .. } => failure,
        ModelError::Store(error) => panic!("there is no store: {error}"),
    })
}

fn texts(texts: &[&str]) -> EmbedRequest {
    EmbedRequest::new(texts.iter().map(|&text| text.into()).collect())
}

fn none() -> EmbeddingSettings {
    EmbeddingSettings::default()
}

fn numbers(answer: &EmbedResponse) -> Vec<Vec<f32>> {
    answer.vectors.iter().map(|vector| vector.numbers().collect()).collect()
}

#[tokio::test]
async fn texts_go_out_with_the_key_and_come_back_as_vectors_in_order() {
    let (_folder, key) = key_file("sk-test-key\n");
    for dialect in ALL {
        let server = ModelServer::start(Script::new()).await;
        let asked = EmbedRequest { purpose: Purpose::Document, ..texts(&["pump", "a leak"]) };
        let answer = embed(vec![dialect.target(&server, Some(key.clone()), none())], &asked).await.unwrap();
        assert_eq!(numbers(&answer), [[4.0, 1.0], [6.0, 1.0]], "{dialect:?}");
        let tokens = (dialect != Gemini).then_some(4);
        assert_eq!((answer.model.as_str(), answer.usage.input_tokens), (dialect.name(), tokens));
        let seen = server.seen().remove(0);
        assert_eq!(
            (seen.path.as_str(), dialect.inputs(&seen.body)),
            (dialect.path(), vec!["pump".to_owned(), "a leak".into()])
        );
        assert_eq!(seen.traceparent, Some(caller(1).trace.to_string()));
        let key =
            if dialect == Gemini { seen.headers.get("x-goog-api-key") } else { seen.headers.get("authorization") };
        assert!(key.unwrap().to_str().unwrap().ends_with("sk-test-key"));
    }
}

#[tokio::test]
async fn requests_are_cut_by_the_number_of_texts_and_by_their_tokens() {
    for dialect in ALL {
        let server = ModelServer::start(Script::new()).await;
        let by_two = EmbeddingSettings { inputs: Some(2), ..none() };
        let answer = embed(vec![dialect.target(&server, None, by_two)], &texts(&["a", "bb", "ccc"])).await.unwrap();
        assert_eq!(
            (numbers(&answer), server.calls()),
            (vec![vec![1.0, 1.0], vec![2.0, 1.0], vec![3.0, 1.0]], 2),
            "{dialect:?}"
        );
        let by_tokens = EmbeddingSettings { tokens: Some(2), ..none() };
        embed(vec![dialect.target(&server, None, by_tokens)], &texts(&["four", "a", "bb"])).await.unwrap();
        assert_eq!(server.calls(), 4);
    }
}

#[tokio::test]
async fn a_refused_batch_is_halved_until_the_text_at_fault_is_found_and_the_rest_is_paid_once() {
    for dialect in ALL {
        let refusal = dialect.error(400, "no");
        let server = ModelServer::start(Script::new().when("poison", [refusal])).await;
        let model = alias(AliasSettings::new(vec![dialect.target(&server, None, none())]));
        let all = ["one", "two", "poison", "four"];
        let failure = model.0.model.embed(&caller(1), &texts(&all)).await.unwrap_err();
        let ModelError::Chat { failure: ChatFailure::InvalidRequest(message), .. } = &failure else {
            panic!("{failure:?}")
        };
        assert!(message.starts_with("input 3 of 4: "), "{message}");
        assert_eq!((server.calls(), server.paid()), (5, 2), "{dialect:?}");
        for good in ["one", "two", "four"] {
            assert!(model.0.model.embed(&caller(1), &texts(&[good])).await.unwrap().cached, "{good}");
        }
        assert_eq!(server.paid(), 2, "the good ones are in the journal");
    }
}

#[tokio::test]
async fn every_kind_of_fault_has_its_failure() {
    let ok = |body: &str| Behaviour::ok("application/json", body);
    for dialect in ALL {
        for (behaviour, expected) in [
            (dialect.error(400, "no"), "invalid-request"),
            (dialect.error(401, "no"), "misconfigured"),
            (dialect.error(404, "no"), "misconfigured"),
            (dialect.error(413, "no"), "context-length-exceeded"),
            (dialect.error(429, "no"), "rate-limited"),
            (dialect.error(500, "no"), "unavailable"),
            (dialect.error(503, "no"), "unavailable"),
            (ok("{}"), "unavailable"),
            (ok(""), "unavailable"),
            (ok("{\"data\": [{\"embedding\": [0.1"), "unavailable"),
            (Behaviour::ok("text/html", "<html>log in</html>"), "unavailable"),
            (Behaviour::BreakOff, "unavailable"),
            (dialect.vectors(&[json!([])]), "invalid-output"),
            (dialect.vectors(&[json!(null)]), "invalid-output"),
            (dialect.vectors(&[json!([0.0, 0.0])]), "invalid-output"),
            (dialect.vectors(&[json!([0.5, null])]), "invalid-output"),
            (dialect.vectors(&[]), "invalid-output"),
            (dialect.vectors(&[json!([1]), json!([2])]), "invalid-output"),
        ] {
            let name = format!("{dialect:?} {behaviour:?}");
            let server = ModelServer::start(Script::new().when("", [behaviour])).await;
            let failure = embed(vec![dialect.target(&server, None, none())], &texts(&["hello"])).await.unwrap_err();
            assert_eq!((failure.kind(), server.calls()), (expected, 1), "{name}");
        }
    }
}

#[tokio::test]
async fn servers_say_too_long_in_words_of_their_own() {
    for (dialect, behaviour) in [
        (
            OpenAi,
            OpenAi.error(400, "This model's maximum context length is 8192 tokens, however you requested 9000 tokens"),
        ),
        (OpenAi, OpenAi.error(500, "input is too large to process. increase the physical batch size")),
        (Ollama, Ollama.error(400, "the input length exceeds the context length")),
        (
            Gemini,
            Gemini.error(400, "The input token count (9000) exceeds the maximum number of tokens allowed (2048)."),
        ),
    ] {
        let name = format!("{behaviour:?}");
        let server = ModelServer::start(Script::new().when("", [behaviour])).await;
        let failure = embed(vec![dialect.target(&server, None, none())], &texts(&["hello"])).await.unwrap_err();
        assert_eq!(failure.kind(), "context-length-exceeded", "{name}");
    }
}

#[tokio::test]
async fn a_text_that_would_be_cut_in_silence_is_an_error() {
    let cut = ModelServer::start(Script::new().when("", [Ollama.vectors(&[json!([1, 2])])])).await;
    let ten = "one two three four five six seven eight nine ten";
    let failure = embed(vec![Ollama.target(&cut, None, none())], &texts(&[ten])).await.unwrap_err();
    assert_eq!(failure.kind(), "context-length-exceeded", "it read 9 tokens of 10 words");
    let server = ModelServer::start(Script::new()).await;
    let long = "word ".repeat(1_300);
    let failure = embed(vec![Gemini.target(&server, None, none())], &texts(&[&long])).await.unwrap_err();
    assert_eq!((failure.kind(), server.calls()), ("context-length-exceeded", 0), "Gemini would not say");
    let more = EmbeddingSettings { input_tokens: Some(8_192), ..none() };
    assert!(embed(vec![Gemini.target(&server, None, more)], &texts(&[&long])).await.is_ok());
    embed(vec![Ollama.target(&server, None, none())], &texts(&["x"])).await.unwrap();
    assert_eq!(server.seen().pop().unwrap().body["truncate"], json!(false));
}

#[tokio::test]
async fn vectors_of_another_length_than_asked_for_are_no_answer() {
    for dialect in ALL {
        let server = ModelServer::start(Script::new().when("", [dialect.vectors(&[json!([1, 2, 3])])])).await;
        let asked = EmbedRequest { dimensions: Some(2), ..texts(&["hello"]) };
        let failure = embed(vec![dialect.target(&server, None, none())], &asked).await.unwrap_err();
        assert_eq!(failure.kind(), "misconfigured", "{dialect:?}");
        let body = server.seen().remove(0).body;
        let sent = if dialect == Gemini { &body["requests"][0]["outputDimensionality"] } else { &body["dimensions"] };
        assert_eq!(*sent, json!(2));
    }
}

#[tokio::test]
async fn azure_is_asked_with_its_own_header_and_version_and_may_answer_in_base64() {
    let bytes: Vec<u8> = [0.5_f32, -2.0].iter().flat_map(|number| number.to_le_bytes()).collect();
    let text = json!(base64::engine::general_purpose::STANDARD.encode(bytes));
    let server = ModelServer::start(Script::new().when("", [OpenAi.vectors(&[text])])).await;
    let (_folder, key) = key_file("azure-key");
    let azure = OpenAiSettings {
        base_url: server.url("/openai/deployments/small"),
        key: Some(key),
        key_header: KeyHeader::ApiKey,
        api_version: Some("2024-10-21".into()),
        ..target(&server)
    };
    let answer = embed(vec![TargetSettings::OpenAi(azure)], &texts(&["hello"])).await.unwrap();
    assert_eq!(numbers(&answer), [[0.5, -2.0]]);
    let seen = server.seen().remove(0);
    assert_eq!(seen.path, "/openai/deployments/small/embeddings?api-version=2024-10-21");
    assert_eq!(seen.headers["api-key"], "azure-key");
}

#[tokio::test]
async fn a_fallback_with_the_same_model_stands_in_and_one_with_another_never() {
    let busy = ModelServer::start(Script::new().when("", [OpenAi.error(503, "busy")])).await;
    let spare = ModelServer::start(Script::new()).await;
    let first = || OpenAi.target(&busy, None, none());
    let other = TargetSettings::Ollama(OllamaSettings { base_url: spare.url(""), ..OllamaSettings::new("other") });
    let failure = embed(vec![first(), other.clone()], &texts(&["hello"])).await.unwrap_err();
    assert_eq!((failure.kind(), spare.calls()), ("unavailable", 0), "its vectors would be of another kind");
    let answer = embed(vec![first(), other, Ollama.target(&spare, None, none())], &texts(&["hello"])).await.unwrap();
    assert_eq!((answer.model.as_str(), spare.calls()), ("ollama/m", 1));
}

#[tokio::test]
async fn a_fallback_with_vectors_of_another_length_is_found_out() {
    let script = Script::new().when("", [OpenAi.vectors(&[json!([1, 2, 3])]), OpenAi.error(503, "busy")]);
    let (first, spare) = (ModelServer::start(script).await, ModelServer::start(Script::new()).await);
    let targets = vec![OpenAi.target(&first, None, none()), Ollama.target(&spare, None, none())];
    let model = alias(AliasSettings::new(targets));
    model.0.model.embed(&caller(1), &texts(&["hello"])).await.unwrap();
    match model.0.model.embed(&caller(2), &texts(&["hello"])).await.unwrap_err() {
        ModelError::Chat { failure: ChatFailure::Misconfigured(message), .. } => {
            assert!(message.contains("2 dimensions, and the ones before had 3"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn anthropic_makes_no_vectors_and_says_who_does() {
    let server = ModelServer::start(Script::new()).await;
    let settings = AnthropicSettings { base_url: server.base_url(), ..AnthropicSettings::new("m") };
    let targets = vec![TargetSettings::Anthropic(settings), OpenAi.target(&server, None, none())];
    match embed(targets, &texts(&["hello"])).await.unwrap_err() {
        ChatFailure::Misconfigured(message) => {
            assert!(
                message.starts_with("anthropic/m makes no vectors; give the alias a target of openai"),
                "{message}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn a_script_makes_vectors_of_words_and_fails_as_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script.toml");
    let rule = "[[rule]]\nwhen = 'poison'\nerror = 'context-length-exceeded'\n";
    std::fs::write(&path, rule).unwrap();
    let target = || vec![scripted(&path)];
    let answer = embed(target(), &texts(&["The pump leaks.", "the PUMP leaks"])).await.unwrap();
    assert_eq!((answer.model.as_str(), &answer.vectors[0]), ("scripted/script", &answer.vectors[1]));
    assert_eq!(answer.vectors[0].dimensions(), 16);
    let short = EmbedRequest { dimensions: Some(3), ..texts(&["pump"]) };
    assert_eq!(embed(target(), &short).await.unwrap().vectors[0].dimensions(), 3);
    let failure = embed(target(), &texts(&["pump", "poison"])).await.unwrap_err();
    assert_eq!(failure.kind(), "context-length-exceeded");
}

#[tokio::test]
async fn neither_key_nor_text_is_in_an_error() {
    const KEY: &str = "sk-canary-7f3a9c51d2e8";
    const DOCUMENT: &str = "Patient Zebedee Quill complains of his left knee.";
    let (_folder, key) = key_file(KEY);
    let echo = format!("Incorrect key {KEY}. Input was: {DOCUMENT}");
    for dialect in ALL {
        for status in [400, 401, 404, 429, 500] {
            let server = ModelServer::start(Script::new().when("", [dialect.error(status, &echo)])).await;
            let target = dialect.target(&server, Some(key.clone()), none());
            let shown = format!("{:?}", embed(vec![target], &texts(&[DOCUMENT])).await.unwrap_err());
            for secret in ["canary", "Zebedee", "left knee"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}
