//! Answers as streams, in all four dialects: whole, slow, and going wrong in every way.

use std::time::{Duration, Instant};

use bytes::Bytes;
use gristmill_core::model::{ChatFailure, ChatResponse, Usage};
use gristmill_llm::settings::{
    AliasSettings, AnthropicSettings, GeminiSettings, OllamaSettings, OpenAiSettings, TargetSettings,
};
use gristmill_model_server::{Behaviour, Fault, ModelServer, Script};
use serde_json::{Value, json};

use super::{alias, caller, request};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Dialect {
    OpenAi,
    Anthropic,
    Gemini,
    Ollama,
}

use Dialect::{Anthropic, Gemini, Ollama, OpenAi};

const ALL: [Dialect; 4] = [OpenAi, Anthropic, Gemini, Ollama];
const LONG: Duration = Duration::from_secs(20);

/// How a target is asked.
#[derive(Debug, Clone, Copy)]
struct Manner {
    stream: bool,
    first_byte: Duration,
    idle: Duration,
    timeout: Duration,
}

const STREAMED: Manner = Manner { stream: true, first_byte: LONG, idle: LONG, timeout: LONG };

impl Dialect {
    fn target(self, server: &ModelServer, manner: Manner) -> TargetSettings {
        let Manner { stream, first_byte, idle, timeout } = manner;
        let (v1, gemini, ollama) = (server.base_url(), server.url("/v1beta"), server.url(""));
        match self {
            OpenAi => TargetSettings::OpenAi(OpenAiSettings {
                base_url: v1,
                stream,
                first_byte,
                idle,
                timeout,
                ..OpenAiSettings::new("m")
            }),
            Anthropic => TargetSettings::Anthropic(AnthropicSettings {
                base_url: v1,
                stream,
                first_byte,
                idle,
                timeout,
                ..AnthropicSettings::new("m")
            }),
            Gemini => TargetSettings::Gemini(GeminiSettings {
                base_url: gemini,
                stream,
                first_byte,
                idle,
                timeout,
                ..GeminiSettings::new("m")
            }),
            Ollama => TargetSettings::Ollama(OllamaSettings {
                base_url: ollama,
                stream,
                first_byte,
                idle,
                timeout,
                ..OllamaSettings::new("m")
            }),
        }
    }

    /// An overload in the dialect's own form, as it comes in the middle of a stream.
    fn error(self) -> Value {
        match self {
            OpenAi => json!({"error": {"message": "busy", "code": 429}}),
            Anthropic => json!({"type": "error", "error": {"type": "rate_limit_error", "message": "busy"}}),
            Gemini => json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "busy"}}),
            Ollama => json!({"error": "the runner has stopped"}),
        }
    }

    async fn ask(self, behaviour: Behaviour, manner: Manner) -> (Result<ChatResponse, ChatFailure>, ModelServer) {
        let server = ModelServer::start(Script::new().when("", [behaviour])).await;
        let model = alias(AliasSettings::new(vec![self.target(&server, manner)]));
        let answer = tokio::time::timeout(LONG, model.chat(&caller(1), &request("hello"))).await.unwrap();
        assert_eq!(server.calls(), 1, "a call is never repeated here");
        (answer, server)
    }

    async fn failure(self, behaviour: Behaviour, manner: Manner) -> ChatFailure {
        let name = format!("{self:?} {behaviour:?}");
        let (answer, server) = self.ask(behaviour, manner).await;
        server.until("no request is left behind", |server| server.in_flight() == 0).await;
        answer.err().unwrap_or_else(|| panic!("an answer: {name}"))
    }
}

#[tokio::test]
async fn a_streamed_answer_is_the_one_that_comes_in_one_piece() {
    for dialect in ALL {
        let said = "héllo, wörld";
        let (streamed, server) = dialect.ask(Behaviour::answer(said), STREAMED).await;
        let (whole, _) = dialect.ask(Behaviour::answer(said), Manner { stream: false, ..STREAMED }).await;
        let streamed = streamed.unwrap();
        assert_eq!(streamed.text, said);
        let Usage { input_tokens, output_tokens, .. } = streamed.usage;
        assert_eq!((input_tokens, output_tokens), (Some(10), Some(5)), "{dialect:?}");
        assert_eq!(Ok(streamed), whole);
        let seen = server.seen().remove(0);
        assert!(seen.body["stream"] == true || seen.path.ends_with(":streamGenerateContent?alt=sse"), "{seen:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_read_all_the_same() {
    for dialect in ALL {
        let (answer, _) = dialect.ask(Behaviour::Unstreamed("hello".into()), STREAMED).await;
        assert_eq!(answer.unwrap().text, "hello", "{dialect:?}");
    }
}

#[tokio::test]
async fn a_stream_that_goes_wrong_is_a_failure_and_never_half_an_answer() {
    let cut = |events, fault| Behaviour::cut("hello, world", events, fault);
    for dialect in ALL {
        for (behaviour, expected) in [
            (cut(0, Fault::End), "unavailable"),
            (cut(2, Fault::End), "unavailable"),
            (cut(0, Fault::Break), "unavailable"),
            (cut(2, Fault::Break), "unavailable"),
            (cut(2, Fault::HalfAnEvent), "unavailable"),
            (cut(2, Fault::Bytes(Bytes::from_static(b"data: {\"a\": \xff\xfe}\n\n{\xff}\n"))), "unavailable"),
            (cut(2, Fault::Bytes(Bytes::from_static(b"data: <html>\n\n<html>\n"))), "unavailable"),
            (cut(2, Fault::Error(dialect.error())), if dialect == Ollama { "unavailable" } else { "rate-limited" }),
        ] {
            let name = format!("{dialect:?} {behaviour:?}");
            assert_eq!(dialect.failure(behaviour, STREAMED).await.kind(), expected, "{name}");
        }
    }
}

#[tokio::test]
async fn a_hanging_server_is_noticed_long_before_the_end_of_the_time() {
    let short = Duration::from_millis(200);
    for dialect in ALL {
        for (behaviour, manner, expected) in [
            (Behaviour::Silence, Manner { first_byte: short, ..STREAMED }, "sent nothing within 200ms; `first_byte`"),
            (Behaviour::cut("hello", 2, Fault::Hang), Manner { idle: short, ..STREAMED }, "for 200ms; `idle`"),
            (Behaviour::cut("hello", 0, Fault::Hang), Manner { first_byte: short, ..STREAMED }, "`first_byte`"),
            (Behaviour::cut("hello", 2, Fault::Hang), Manner { timeout: short, ..STREAMED }, "no complete answer"),
        ] {
            let begun = Instant::now();
            match dialect.failure(behaviour, manner).await {
                ChatFailure::Timeout(reason) => assert!(reason.contains(expected), "{reason}"),
                other => panic!("{dialect:?} {manner:?}: {other:?}"),
            }
            assert!(begun.elapsed() >= short && begun.elapsed() < LONG / 4, "{:?}", begun.elapsed());
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_asked_to_stream_has_all_the_time() {
    let whole = Manner { stream: false, first_byte: Duration::from_millis(50), idle: LONG, timeout: LONG };
    for dialect in ALL {
        let server = ModelServer::start(Script::new().when("", [Behaviour::Held("late".into())])).await;
        let model = alias(AliasSettings::new(vec![dialect.target(&server, whole)]));
        let call = tokio::spawn(async move { model.chat(&caller(1), &request("hello")).await });
        server.until("the request is there", |server| server.in_flight() == 1).await;
        // Longer than the first byte may take where it counts.
        tokio::time::sleep(3 * whole.first_byte).await;
        server.release(1);
        assert_eq!(call.await.unwrap().unwrap().text, "late");
    }
}

#[tokio::test]
async fn what_becomes_of_the_connection_behind_the_answer_does_not_matter() {
    for dialect in ALL {
        for fault in [Fault::Hang, Fault::Break, Fault::Bytes(Bytes::from_static(b"\n\n\xff{\n"))] {
            let begun = Instant::now();
            let (answer, _) = dialect.ask(Behaviour::cut("hello", 99, fault.clone()), STREAMED).await;
            assert_eq!(answer.map(|answer| answer.text), Ok("hello".into()), "{dialect:?} {fault:?}");
            assert!(begun.elapsed() < LONG / 2, "{:?}", begun.elapsed());
        }
    }
}

#[tokio::test]
async fn a_stream_is_bounded_by_its_answer() {
    let target = |server: &ModelServer| OpenAiSettings {
        base_url: server.base_url(),
        max_answer_bytes: 1_000,
        ..OpenAiSettings::new("m")
    };
    // The events of an answer of 900 bytes are larger than that, and those of 1,100 bytes are an answer that is too large.
    for (bytes, expected) in [(900, None), (1_100, Some("more than 1000 bytes"))] {
        let server = ModelServer::start(Script::new().when("", [Behaviour::answer("a".repeat(bytes))])).await;
        let model = alias(AliasSettings::new(vec![TargetSettings::OpenAi(target(&server))]));
        match (model.chat(&caller(1), &request("hello")).await, expected) {
            (Ok(answer), None) => assert_eq!(answer.text.len(), bytes),
            (Err(ChatFailure::Unavailable { message, .. }), Some(expected)) => assert!(message.contains(expected)),
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_compressed_body_is_not_unpacked() {
    // A part of one gigabyte of zeros, which no answer may have.
    let body = gzip_of_zeros(1 << 30);
    assert!(body.len() < 8 << 20, "as small as an answer may be");
    for dialect in ALL {
        let before = peak_memory();
        match dialect.failure(Behaviour::Compressed(body.clone()), STREAMED).await {
            ChatFailure::Unavailable { message, .. } => {
                assert!(
                    message.contains("compressed as gzip") && message.contains("turn compression off"),
                    "{message}"
                );
            }
            other => panic!("{dialect:?}: {other:?}"),
        }
        let more = peak_memory() - before;
        assert!(more < 256 << 20, "{dialect:?}: {more} bytes more were in memory, of other tests beside it too");
    }
}

/// So many zeros and a little more, as gzip: one block with the codes of the standard, a zero and matches of 258 bytes.
fn gzip_of_zeros(zeros: usize) -> Bytes {
    let (mut bytes, mut bits, mut count) = (vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], 0_u32, 0);
    let mut put = |code: u32, length: u32| {
        bits |= code << count;
        count += length;
        while count >= 8 {
            bytes.push((bits & 0xff) as u8);
            bits >>= 8;
            count -= 8;
        }
    };
    // The last block, with fixed codes, which are written from their highest bit on; then the byte zero.
    put(0b011, 3);
    put(0b0000_1100, 8);
    for _ in 0..zeros.div_ceil(258) {
        // A match of 258 bytes, one byte back.
        put(0b1010_0011, 8);
        put(0, 5);
    }
    // The end of the block, and what fills the last byte.
    put(0, 7);
    put(0, 7);
    // Check sum and length do not matter: nobody comes so far.
    bytes.extend([0; 8]);
    bytes.into()
}

/// The most memory that this process ever had, in bytes.
fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

#[tokio::test]
async fn a_server_that_knows_no_counts_in_streams_is_the_targets_fault() {
    // As Mistral says it.
    let body = json!({"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"]}]}});
    let refused = Behaviour::Raw { status: 422, headers: Vec::new(), body: body.to_string() };
    match OpenAi.failure(refused.clone(), STREAMED).await {
        ChatFailure::Misconfigured(message) => assert!(message.contains("set `stream = false`"), "{message}"),
        other => panic!("{other:?}"),
    }
    let whole = OpenAi.failure(refused, Manner { stream: false, ..STREAMED }).await;
    assert_eq!(whole.kind(), "invalid-request", "nobody asked for it");
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_stream() {
    for dialect in ALL {
        let server = ModelServer::start(Script::new()).await;
        let model = alias(AliasSettings::new(vec![dialect.target(&server, STREAMED)]));
        for position in 1..6 {
            model.chat(&caller(position), &request("hello")).await.unwrap();
        }
        assert_eq!((server.calls(), server.connections()), (5, 1), "{dialect:?}");
    }
}
