//! Replies of each dialect, and targets that get them.

use std::time::Duration;

use gristmill_llm::settings::{AnthropicSettings, GeminiSettings, OllamaSettings, OpenAiSettings, TargetSettings};
use gristmill_model_server::{Behaviour, ModelServer};
use serde_json::{Value, json};

use crate::target;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Dialect {
    OpenAi,
    Anthropic,
    Gemini,
    Ollama,
}

use Dialect::{Anthropic, Gemini, Ollama, OpenAi};

pub(crate) const ALL: [Dialect; 4] = [OpenAi, Anthropic, Gemini, Ollama];

/// The time that a fault is given: one of them is short where it is meant to end it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) first_byte: Duration,
    pub(crate) idle: Duration,
    pub(crate) timeout: Duration,
}

impl Times {
    pub(crate) const SHORT: Duration = Duration::from_millis(300);
    pub(crate) const LONG: Duration = Duration::from_secs(30);

    /// Those for a row of the table.
    pub(crate) fn of(fault: &str) -> Self {
        let long = Self { first_byte: Self::LONG, idle: Self::LONG, timeout: Self::LONG };
        match fault {
            "hang before the headers" | "hang before the first token" => Self { first_byte: Self::SHORT, ..long },
            "hang after the first token" | "hang between two chunks" => Self { idle: Self::SHORT, ..long },
            "hang until the end of the time" => Self { timeout: 2 * Self::SHORT, ..long },
            _ => long,
        }
    }
}

impl Dialect {
    pub(crate) fn target(self, server: &ModelServer, times: Times) -> TargetSettings {
        let Times { first_byte, idle, timeout } = times;
        match self {
            OpenAi => TargetSettings::OpenAi(OpenAiSettings { first_byte, idle, timeout, ..target(server) }),
            Anthropic => TargetSettings::Anthropic(AnthropicSettings {
                base_url: server.base_url(),
                first_byte,
                idle,
                timeout,
                ..AnthropicSettings::new("m")
            }),
            Gemini => TargetSettings::Gemini(GeminiSettings {
                base_url: server.url("/v1beta"),
                first_byte,
                idle,
                timeout,
                ..GeminiSettings::new("m")
            }),
            Ollama => TargetSettings::Ollama(OllamaSettings {
                base_url: server.url(""),
                first_byte,
                idle,
                timeout,
                ..OllamaSettings::new("m")
            }),
        }
    }

    /// An error in the dialect's own form, with these details in it.
    pub(crate) fn fault(self, status: u16, kind: &str, message: &str, details: Value) -> Value {
        match self {
            OpenAi => json!({"error": {"message": message, "type": kind, "code": null, "details": details}}),
            Anthropic => json!({"type": "error", "error": {"type": kind, "message": message, "details": details}}),
            Gemini => json!({"error": {"code": status, "status": kind, "message": message, "details": details}}),
            Ollama => json!({"error": message, "details": details}),
        }
    }

    /// A reply with this status, these headers and an error that says nothing more.
    pub(crate) fn status(self, status: u16, headers: Vec<(&'static str, String)>) -> Behaviour {
        let body = self.fault(status, "some_error", "no", json!([])).to_string();
        Behaviour::Raw { status, headers, body }
    }

    /// A quota that is used up for today.
    pub(crate) fn quota(self) -> Behaviour {
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
    pub(crate) fn answer(self, text: &str, end: End) -> Value {
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
    pub(crate) fn without_choices(self) -> Value {
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
    pub(crate) fn of_another_type(self) -> Value {
        let mut answer = self.answer("", End::Stop);
        match self {
            OpenAi => answer["choices"] = json!(7),
            Anthropic => answer["content"] = json!(7),
            Gemini => answer["candidates"] = json!(7),
            Ollama => answer["message"] = json!(7),
        }
        answer
    }

    pub(crate) fn refusal(self) -> Value {
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

    pub(crate) fn only_thoughts(self, end: End) -> Value {
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

    pub(crate) fn without_usage(self) -> Value {
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
pub(crate) enum End {
    Stop,
    Length,
}

impl End {
    pub(crate) fn of(self, [stop, length]: [&str; 2]) -> &str {
        match self {
            Self::Stop => stop,
            Self::Length => length,
        }
    }
}
