//! Decodes an answer of Gemini's generateContent: a response, or a failure that tells the caller what to do. Pure.

use gristmill_core::model::{ChatFailure, ChatResponse, FinishReason, Usage};
use serde_json::Value;

use crate::quote::Quote;
use crate::server::Reply;
use crate::status::{self, numbers};

/// What the API says for an input that is too long: it has no code for it. A last resort, tried only on a 400.
const TOO_LONG_WORDS: &str = "exceeds the maximum number of tokens";

/// Decodes a reply; `target` names its sender in messages and in the response.
pub(super) fn decode(target: &str, reply: &Reply, quote: &Quote<'_>) -> Result<ChatResponse, ChatFailure> {
    let body = reply.json();
    let body = only(&body);
    if let Some(failure) = fault(target, reply, body, quote) {
        return Err(failure);
    }
    if body["candidates"][0].is_object() {
        return answer(target, body, quote);
    }
    match body["promptFeedback"]["blockReason"].as_str() {
        Some(reason) => {
            let reason = quote.word(reason).unwrap_or_else(|| "unreadable".into());
            Err(ChatFailure::ContentFiltered(format!("the content filter of {target} refused the prompt ({reason})")))
        }
        None => Err(reply.no_answer(target, quote)),
    }
}

/// The body itself: some errors come as a list of one.
pub(super) fn only(body: &Value) -> &Value {
    match body.as_array().map(Vec::as_slice) {
        Some([only]) => only,
        _ => body,
    }
}

/// The failure that a reply with this body is, if it is one.
pub(super) fn fault(target: &str, reply: &Reply, body: &Value, quote: &Quote<'_>) -> Option<ChatFailure> {
    let error = &body["error"];
    let is_fault = !reply.status.is_success() || error.is_object();
    is_fault.then(|| refusal(reply, error, Fault::read(target, reply, error, quote)))
}

fn answer(target: &str, body: &Value, quote: &Quote<'_>) -> Result<ChatResponse, ChatFailure> {
    let candidate = &body["candidates"][0];
    let finish_reason = match candidate["finishReason"].as_str() {
        Some("STOP") | None => FinishReason::Stop,
        Some("MAX_TOKENS") => FinishReason::Length,
        Some(
            reason @ ("SAFETY"
            | "RECITATION"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "LANGUAGE"
            | "MODEL_ARMOR"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"),
        ) => {
            let message = format!("the content filter of {target} cut off the answer ({reason})");
            return Err(ChatFailure::ContentFiltered(message));
        }
        Some(other) => FinishReason::Other(quote.word(other).unwrap_or_else(|| "unreadable".into())),
    };
    let parts = candidate["content"]["parts"].as_array().into_iter().flatten();
    // What the model thinks is no part of its answer.
    let said = parts.filter(|part| part["thought"] != true).filter_map(|part| part["text"].as_str());
    Ok(ChatResponse {
        text: said.collect(),
        finish_reason,
        usage: usage(&body["usageMetadata"]),
        model: target.to_owned(),
        provider_request_id: body["responseId"].as_str().and_then(|id| quote.word(id)),
        cached: false,
    })
}

/// The count of the prompt includes what came from the cache; that of the answer leaves out what the model thought.
fn usage(usage: &Value) -> Usage {
    let thoughts = usage["thoughtsTokenCount"].as_u64();
    let said = usage["candidatesTokenCount"].as_u64();
    let output = match (said, thoughts) {
        (None, None) => None,
        (said, thoughts) => Some(said.unwrap_or(0).saturating_add(thoughts.unwrap_or(0))),
    };
    Usage {
        input_tokens: usage["promptTokenCount"].as_u64(),
        cache_read_input_tokens: usage["cachedContentTokenCount"].as_u64(),
        cache_write_input_tokens: None,
        output_tokens: output,
        reasoning_tokens: thoughts,
        cost_nano_usd: None,
    }
}

/// An error as Google's APIs report it: `{"error": {"code", "message", "status", "details"}}`.
#[derive(Default)]
struct Fault {
    /// For example "RESOURCE_EXHAUSTED".
    status: String,
    /// The reason of a `google.rpc.ErrorInfo`, for example "API_KEY_INVALID".
    reason: String,
    /// The quota that is used up for long: one of a day, or one of nothing.
    quota: Option<String>,
    /// The server's message, if it may be repeated, in lower case.
    message: String,
    /// All of the above in one sentence, with the sender.
    text: String,
}

impl Fault {
    fn read(target: &str, reply: &Reply, error: &Value, quote: &Quote<'_>) -> Self {
        let word = |value: &Value| value.as_str().and_then(|word| quote.word(word)).unwrap_or_default();
        let mut fault = Self { status: word(&error["status"]), ..Self::default() };
        for detail in error["details"].as_array().into_iter().flatten() {
            let kind = detail["@type"].as_str().and_then(|kind| kind.rsplit('.').next());
            match kind {
                Some("ErrorInfo") => fault.reason = word(&detail["reason"]),
                Some("QuotaFailure") => {
                    let violations = detail["violations"].as_array().into_iter().flatten();
                    let lasting = violations.filter(|violation| is_lasting(violation)).map(|violation| {
                        let name = word(&violation["quotaId"]);
                        if name.is_empty() { "unnamed".to_owned() } else { name }
                    });
                    fault.quota = fault.quota.or_else(|| lasting.into_iter().next());
                }
                _ => {}
            }
        }
        let message = error["message"].as_str().and_then(|said| quote.message(said)).unwrap_or_default();
        fault.text = format!("{target} answered {}", reply.status.as_u16());
        if let Some(name) = [&fault.reason, &fault.status].into_iter().find(|name| !name.is_empty()) {
            fault.text = format!("{} ({name})", fault.text);
        }
        if !message.is_empty() {
            fault.text = format!("{}: {message}", fault.text);
        }
        fault.message = message.to_lowercase();
        fault
    }
}

/// Whether a quota is one that waiting some minutes does not help against.
fn is_lasting(violation: &Value) -> bool {
    let per_day = violation["quotaId"].as_str().is_some_and(|id| id.contains("PerDay"));
    let none = violation["quotaValue"].as_str() == Some("0") || violation["quotaValue"] == 0;
    per_day || none
}

fn refusal(reply: &Reply, error: &Value, fault: Fault) -> ChatFailure {
    let Fault { status, reason, quota, message, text } = fault;
    let hints = reply.refusal(error, error["message"].as_str());
    match (reply.status.as_u16(), status.as_str(), reason.as_str()) {
        (_, _, "BILLING_DISABLED") => status::no_money(text),
        (429, ..) | (_, "RESOURCE_EXHAUSTED", _) => match quota {
            // Google gives a short time to wait even then.
            Some(quota) => status::no_money(format!(
                "{text}; the quota {quota} is used up until it is reset; raise it or use another model"
            )),
            None => ChatFailure::RateLimited { message: text, after: hints.wait_for_limit() },
        },
        // A wrong key is a 400 here.
        (_, _, "API_KEY_INVALID" | "API_KEY_EXPIRED" | "API_KEY_SERVICE_BLOCKED" | "SERVICE_DISABLED")
        | (_, "UNAUTHENTICATED" | "PERMISSION_DENIED", _) => status::no_access(text),
        // The account may not use the API from where it is, or not without paying.
        (400, "FAILED_PRECONDITION", _) => status::no_access(text),
        (_, "UNAVAILABLE" | "INTERNAL" | "DEADLINE_EXCEEDED" | "CANCELLED" | "ABORTED", _) => {
            ChatFailure::Unavailable { message: text, after: hints.wait() }
        }
        (400, ..) if message.contains(TOO_LONG_WORDS) => {
            // "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
            let (actual, limit) = match numbers(&message).as_slice() {
                [actual, limit] => (Some(*actual), Some(*limit)),
                _ => (None, None),
            };
            ChatFailure::ContextLengthExceeded { message: text, limit, actual }
        }
        (200..=299, ..) => ChatFailure::Unavailable { message: text, after: hints.wait() },
        (status, ..) => status::failure(status, text, hints.wait()),
    }
}

#[cfg(test)]
mod tests;
