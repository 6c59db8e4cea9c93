//! Whole answers of each API, in one piece and as streams.

use bytes::Bytes;
use serde_json::{Value, json};

/// How a streamed answer goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing more is sent, and the connection stays open.
    Hang,
    /// The response ends as if all was well.
    End,
    /// The connection breaks.
    Break,
    /// An event with an error in the API's own form; then the response ends.
    Error(Value),
    /// Half an event; then the response ends.
    HalfAnEvent,
    /// These bytes in place of the rest.
    Bytes(Bytes),
}

/// Where the APIs are: OpenAI's, the same as Azure has it, Anthropic's, Gemini's and Ollama's.
pub(super) const PATHS: [&str; 8] = [
    "/v1/chat/completions",
    "/openai/deployments/{name}/chat/completions",
    "/v1/messages",
    "/v1beta/models/{method}",
    "/api/chat",
    "/v1/embeddings",
    "/openai/deployments/{name}/embeddings",
    "/api/embed",
];

/// An API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    OpenAi,
    Anthropic,
    Gemini,
    Ollama,
}

impl Api {
    pub(super) fn at(path: &str) -> Self {
        match path {
            "/v1/messages" => Self::Anthropic,
            "/api/chat" => Self::Ollama,
            path if path.starts_with("/v1beta") => Self::Gemini,
            _ => Self::OpenAi,
        }
    }

    /// Whether a request to this path asks for a stream.
    pub(super) fn streams(self, path: &str, body: &Value) -> bool {
        match self {
            Self::OpenAi | Self::Anthropic => body["stream"] == true,
            Self::Gemini => path.ends_with(":streamGenerateContent"),
            // Its default.
            Self::Ollama => body["stream"] != false,
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Ollama => "application/x-ndjson",
            Self::OpenAi | Self::Anthropic | Self::Gemini => "text/event-stream",
        }
    }

    /// An answer in one piece.
    pub(super) fn whole(self, number: usize, text: &str) -> Value {
        match self {
            Self::Anthropic => json!({
                "id": format!("msg_{number}"), "type": "message", "role": "assistant", "model": "served",
                "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
                "usage": {"input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 5},
            }),
            Self::Ollama => json!({
                "model": "served", "message": {"role": "assistant", "content": text}, "done": true,
                "done_reason": "stop", "prompt_eval_count": 10, "eval_count": 5,
            }),
            Self::Gemini => json!({
                "responseId": format!("response-{number}"),
                "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 3, "thoughtsTokenCount": 2},
            }),
            Self::OpenAi => json!({
                "id": format!("chatcmpl-{number}"), "object": "chat.completion", "model": "served",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
            }),
        }
    }

    /// The same answer as a stream, whose text comes in two parts. The second event has the first one.
    pub(super) fn events(self, number: usize, text: &str) -> Vec<String> {
        let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
        let (first, second) = text.split_at(middle);
        let events = match self {
            Self::OpenAi => {
                let choice = |delta: Value, finish: Value| {
                    json!({
                        "id": format!("chatcmpl-{number}"), "object": "chat.completion.chunk", "model": "served",
                        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": null,
                    })
                };
                let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15});
                let usage = json!({"id": format!("chatcmpl-{number}"), "choices": [], "usage": usage});
                vec![
                    choice(json!({"role": "assistant", "content": ""}), Value::Null),
                    choice(json!({"content": first}), Value::Null),
                    choice(json!({"content": second}), Value::Null),
                    choice(json!({}), json!("stop")),
                    usage,
                    json!("[DONE]"),
                ]
            }
            Self::Anthropic => {
                let usage = json!({"input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 1});
                let delta = |text: &str| {
                    let delta = json!({"type": "text_delta", "text": text});
                    json!({"type": "content_block_delta", "index": 0, "delta": delta})
                };
                let message =
                    json!({"id": format!("msg_{number}"), "role": "assistant", "content": [], "usage": usage});
                vec![
                    json!({"type": "message_start", "message": message}),
                    json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
                    delta(first),
                    json!({"type": "ping"}),
                    delta(second),
                    json!({"type": "content_block_stop", "index": 0}),
                    json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}),
                    json!({"type": "message_stop"}),
                ]
            }
            Self::Gemini => {
                let part = |text: &str| {
                    let content = json!({"role": "model", "parts": [{"text": text}]});
                    json!({"responseId": format!("response-{number}"), "candidates": [{"content": content}]})
                };
                let mut last = part(second);
                last["candidates"][0]["finishReason"] = json!("STOP");
                last["usageMetadata"] =
                    json!({"promptTokenCount": 10, "candidatesTokenCount": 3, "thoughtsTokenCount": 2});
                vec![part(""), part(first), last]
            }
            Self::Ollama => {
                let part = |text: &str| json!({"model": "served", "message": {"role": "assistant", "content": text}, "done": false});
                vec![part(""), part(first), part(second), self.whole(number, "")]
            }
        };
        events.into_iter().map(|event| self.framed(&event)).collect()
    }

    /// An event as it is sent.
    pub(super) fn framed(self, event: &Value) -> String {
        match (self, event) {
            (Self::Ollama, event) => format!("{event}\n"),
            (Self::Anthropic, event) => format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()),
            (_, Value::String(text)) => format!("data: {text}\n\n"),
            (_, event) => format!("data: {event}\r\n\r\n"),
        }
    }
}
