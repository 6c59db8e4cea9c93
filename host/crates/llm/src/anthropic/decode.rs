//! Decodes an answer of Anthropic's Messages: a response, or a failure that tells the caller what to do. Pure.

use gristmill_core::model::{ChatFailure, ChatResponse, FinishReason, Usage};
use serde_json::Value;

use crate::quote::Quote;
use crate::retry_after::Refusal;
use crate::server::Reply;
use crate::status::{self, numbers};

/// What the API says where its type of error does not tell: a last resort, tried only on a 400.
const TOO_LONG_WORDS: [&str; 3] =
    ["prompt is too long", "exceed context limit", "input length and `max_tokens` exceed"];
const NO_MONEY_WORDS: [&str; 2] = ["credit balance is too low", "specified api usage limits"];

/// Decodes a reply; `target` names its sender in messages and in the response.
pub(super) fn decode(target: &str, reply: &Reply, quote: &Quote<'_>) -> Result<ChatResponse, ChatFailure> {
    let body = reply.json();
    if !reply.status.is_success() || body["type"] == "error" {
        return Err(Fault::read(target, reply, &body["error"], quote).decide());
    }
    match body["content"].is_array() {
        true => answer(target, reply, &body, quote),
        false => Err(reply.no_answer(target, quote)),
    }
}

fn answer(target: &str, reply: &Reply, body: &Value, quote: &Quote<'_>) -> Result<ChatResponse, ChatFailure> {
    let usage = usage(&body["usage"]);
    let finish_reason = match body["stop_reason"].as_str() {
        // A tool is only there to give an answer its form.
        Some("end_turn" | "stop_sequence" | "tool_use") | None => FinishReason::Stop,
        Some("max_tokens") => FinishReason::Length,
        Some("model_context_window_exceeded") => {
            let message = format!("the prompt and the answer of {target} do not fit its context; send less");
            let actual = usage.input_tokens;
            return Err(ChatFailure::ContextLengthExceeded { message, limit: None, actual });
        }
        // The refusal may quote the document, so it is not repeated.
        Some("refusal") => return Err(ChatFailure::ContentFiltered(format!("{target} refused to answer"))),
        Some(other) => FinishReason::Other(quote.word(other).unwrap_or_else(|| "unreadable".into())),
    };
    // Blocks with what the model thinks are no part of its answer, nor is what it says before it calls the tool.
    let blocks = || body["content"].as_array().into_iter().flatten();
    let text = match blocks().find(|block| block["type"] == "tool_use") {
        Some(call) => call["input"].to_string(),
        None => blocks().filter(|block| block["type"] == "text").filter_map(|block| block["text"].as_str()).collect(),
    };
    let id = reply.header("request-id").or(body["id"].as_str());
    Ok(ChatResponse {
        text,
        finish_reason,
        usage,
        model: target.to_owned(),
        provider_request_id: id.and_then(|id| quote.word(id)),
        cached: false,
    })
}

/// `input_tokens` leaves out what was read from the cache and what was written to it.
fn usage(usage: &Value) -> Usage {
    let read = usage["cache_read_input_tokens"].as_u64();
    let written = usage["cache_creation_input_tokens"].as_u64();
    let cached = read.unwrap_or(0).saturating_add(written.unwrap_or(0));
    Usage {
        input_tokens: usage["input_tokens"].as_u64().map(|rest| rest.saturating_add(cached)),
        cache_read_input_tokens: read,
        cache_write_input_tokens: written,
        output_tokens: usage["output_tokens"].as_u64(),
        reasoning_tokens: usage["output_tokens_details"]["thinking_tokens"].as_u64(),
        cost_nano_usd: None,
    }
}

/// An error as the server reports it: `{"type": "error", "error": {"type", "message", "details"}}`.
struct Fault<'a> {
    status: u16,
    /// What is said about how long to wait.
    refusal: Refusal<'a>,
    /// The type of error, for example "overloaded_error".
    kind: String,
    /// The more precise code of some errors.
    code: String,
    /// The server's message, if it may be repeated.
    message: String,
    /// All of the above in one sentence, with the sender.
    text: String,
}

impl<'a> Fault<'a> {
    fn read(target: &str, reply: &'a Reply, error: &'a Value, quote: &Quote<'_>) -> Self {
        let word = |value: &Value| value.as_str().and_then(|word| quote.word(word)).unwrap_or_default();
        let (kind, code) = (word(&error["type"]), word(&error["details"]["error_code"]));
        let said = error["message"].as_str();
        let message = said.and_then(|said| quote.message(said)).unwrap_or_default();
        let status = reply.status.as_u16();
        let mut text = format!("{target} answered {status}");
        if let Some(name) = [&code, &kind].into_iter().find(|name| !name.is_empty()) {
            text = format!("{text} ({name})");
        }
        if !message.is_empty() {
            text = format!("{text}: {message}");
        }
        Self { status, refusal: reply.refusal(error, said), kind, code, message: message.to_lowercase(), text }
    }

    fn says(&self, words: &[&str]) -> bool {
        words.iter().any(|words| self.message.contains(words))
    }

    fn decide(self) -> ChatFailure {
        match (self.status, self.kind.as_str()) {
            (_, "billing_error") => status::no_money(self.text),
            (429, _) | (200..=299, "rate_limit_error") => self.limited(),
            (200..=299, _) | (_, "overloaded_error" | "api_error" | "timeout_error") => {
                ChatFailure::Unavailable { message: self.text, after: self.refusal.wait() }
            }
            (400, _) if self.says(&NO_MONEY_WORDS) => status::no_money(self.text),
            (413, _) | (_, "request_too_large") => too_long(self),
            (400, _) if self.says(&TOO_LONG_WORDS) => too_long(self),
            (_, "authentication_error" | "permission_error") => status::no_access(self.text),
            (_, "not_found_error") => status::no_such_model(self.text),
            (status, _) => status::failure(status, self.text, self.refusal.wait()),
        }
    }

    /// A limit on requests or tokens, or one on money, which the code alone tells: waiting does not help against that.
    fn limited(self) -> ChatFailure {
        if self.code.ends_with("spend_limit_reached") {
            return status::no_money(self.text);
        }
        ChatFailure::RateLimited { message: self.text, after: self.refusal.wait_for_limit() }
    }
}

/// "prompt is too long: 210000 tokens > 200000 maximum", or "…: 190000 + 20000 > 200000".
fn too_long(fault: Fault<'_>) -> ChatFailure {
    let (actual, limit) = match fault.message.split_once('>') {
        Some((before, behind)) => (numbers(before).into_iter().reduce(u64::saturating_add), numbers(behind)),
        None => (None, Vec::new()),
    };
    let limit = limit.first().copied();
    ChatFailure::ContextLengthExceeded { message: fault.text, limit, actual }
}

#[cfg(test)]
mod tests;
