//! Decodes a chat completions server's answer: a response, or a failure that tells the caller what to do. Pure.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;

use gristmill_core::model::{BudgetScope, ChatFailure, ChatResponse, FinishReason, Usage};

use super::retry_after::retry_after;
use crate::quote::Quote;

/// An answer as received.
pub(super) struct Reply<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// How servers without a code for it say "too long". A last resort, tried only on a 400.
const TOO_LONG_WORDS: [&str; 5] = [
    "maximum context length",
    "exceeds the available context size",
    "exceeds the maximum number of tokens",
    "exceed context window",
    "prompt is too long",
];

/// How servers say, with the status of a rate limit, that a single request is above it: it would never succeed.
const TOO_LARGE_WORDS: [&str; 2] = ["request too large", "request is too large"];

/// Decodes a reply received at `now`; `target` names its sender in messages and in the response.
pub(super) fn decode(
    target: &str,
    reply: &Reply<'_>,
    now: SystemTime,
    quote: &Quote<'_>,
) -> Result<ChatResponse, ChatFailure> {
    let body: Option<Value> = serde_json::from_slice(reply.body).ok();
    let fault = Fault::read(target, reply, body.as_ref(), quote);
    if !reply.status.is_success() {
        return Err(refusal(reply.status, fault, retry_after(reply.headers, now)));
    }
    let Some(body) = body.filter(Value::is_object) else {
        let kind = reply.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.and_then(|kind| quote.message(kind)).unwrap_or_else(|| "no content type".into());
        let message = format!("{target} answered {}, but no JSON object ({kind}); check `base_url`", reply.status);
        return Err(ChatFailure::Unavailable { message, after: None });
    };
    if body.get("error").is_some_and(|error| !error.is_null()) {
        return Err(match fault.meaning() {
            Some(Meaning::NoMoney) => no_money(fault.text),
            Some(Meaning::Filtered) => ChatFailure::ContentFiltered(fault.text),
            Some(Meaning::TooLong | Meaning::NoSuchModel) | None => {
                ChatFailure::Unavailable { message: fault.text, after: retry_after(reply.headers, now) }
            }
        });
    }
    completion(target, reply.headers, &body, quote)
}

fn completion(target: &str, headers: &HeaderMap, body: &Value, quote: &Quote<'_>) -> Result<ChatResponse, ChatFailure> {
    let choice = &body["choices"][0];
    let message = &choice["message"];
    if !message.is_object() {
        let message = format!("{target} answered without a choice; if this persists, check `base_url`");
        return Err(ChatFailure::Unavailable { message, after: None });
    }
    let finish_reason = match choice["finish_reason"].as_str() {
        Some("stop" | "eos") | None => FinishReason::Stop,
        Some("length") => FinishReason::Length,
        Some("content_filter") => {
            return Err(ChatFailure::ContentFiltered(format!("the content filter of {target} cut off the answer")));
        }
        Some("error") => {
            let message = format!("{target} aborted its answer");
            return Err(ChatFailure::Unavailable { message, after: None });
        }
        Some(other) => FinishReason::Other(quote.word(other).unwrap_or_else(|| "unreadable".into())),
    };
    // The refusal may quote the document, so it is not repeated.
    if message["refusal"].as_str().is_some_and(|refusal| !refusal.is_empty()) {
        return Err(ChatFailure::ContentFiltered(format!("{target} refused to answer")));
    }
    let id = headers.get("x-request-id").and_then(|value| value.to_str().ok()).or(body["id"].as_str());
    Ok(ChatResponse {
        text: message["content"].as_str().unwrap_or_default().to_owned(),
        finish_reason,
        usage: usage(&body["usage"]),
        model: target.to_owned(),
        provider_request_id: id.and_then(|id| quote.word(id)),
        cached: false,
    })
}

/// `prompt_tokens` counts all tokens of the input, also those of the cache. OpenAI does not tell what it wrote there,
/// because that costs nothing; OpenRouter and LiteLLM do, for the providers behind them.
fn usage(usage: &Value) -> Usage {
    let details = &usage["prompt_tokens_details"];
    Usage {
        input_tokens: usage["prompt_tokens"].as_u64(),
        cache_read_input_tokens: details["cached_tokens"].as_u64(),
        cache_write_input_tokens: details["cache_write_tokens"].as_u64().or(details["cache_creation_tokens"].as_u64()),
        output_tokens: usage["completion_tokens"].as_u64(),
        reasoning_tokens: usage["completion_tokens_details"]["reasoning_tokens"].as_u64(),
        cost_nano_usd: None,
    }
}

/// What an error's type or code says more precisely than the status.
#[derive(Clone, Copy)]
enum Meaning {
    /// Somebody must pay first, whatever the status: retrying does not help.
    NoMoney,
    TooLong,
    Filtered,
    NoSuchModel,
}

/// An error as the server reports it.
struct Fault {
    /// The code and type in lower case, as far as they are given.
    codes: Vec<String>,
    /// The server's message, if it may be repeated.
    message: Option<String>,
    /// All of the above in one sentence, with the sender.
    text: String,
    /// The largest input in tokens, and the size of this one, as far as the server says.
    limit: Option<u64>,
    actual: Option<u64>,
}

impl Fault {
    /// OpenAI says `{"error": {"message", "type", "code"}}`, Ollama `{"error": "…"}`, older vLLM puts the three at
    /// the top level, FastAPI says `{"detail": "…"}`.
    fn read(target: &str, reply: &Reply<'_>, body: Option<&Value>, quote: &Quote<'_>) -> Self {
        let mut fault = Self { codes: Vec::new(), message: None, text: String::new(), limit: None, actual: None };
        if let Some(body) = body {
            let error = body.get("error").filter(|error| !error.is_null()).unwrap_or(body);
            let said = error.as_str().or(error["message"].as_str()).or(error["detail"].as_str());
            fault.message = said.and_then(|said| quote.message(said));
            // llama.cpp's names; others put the numbers into their message only.
            (fault.limit, fault.actual) = (error["n_ctx"].as_u64(), error["n_prompt_tokens"].as_u64());
            for name in ["code", "type"] {
                fault.codes.extend(error[name].as_str().and_then(|code| quote.word(code)));
            }
        }
        fault.text = format!("{target} answered {}", reply.status.as_u16());
        if let Some(code) = fault.codes.first() {
            fault.text = format!("{} ({code})", fault.text);
        }
        if let Some(message) = &fault.message {
            fault.text = format!("{}: {message}", fault.text);
        }
        for code in &mut fault.codes {
            code.make_ascii_lowercase();
        }
        fault
    }

    fn meaning(&self) -> Option<Meaning> {
        self.codes.iter().find_map(|code| match code.as_str() {
            "insufficient_quota"
            | "credit_balance_exhausted"
            | "organization_spend_limit_exceeded"
            | "organization_usage_limit_exceeded"
            | "project_spend_limit_exceeded"
            | "billing_hard_limit_reached"
            | "billing_not_active"
            | "billing_error" => Some(Meaning::NoMoney),
            "context_length_exceeded" | "exceed_context_size_error" | "request_too_large" => Some(Meaning::TooLong),
            "content_filter" | "content_policy_violation" | "responsibleaipolicyviolation" => Some(Meaning::Filtered),
            "model_not_found" => Some(Meaning::NoSuchModel),
            _ => None,
        })
    }

    fn speaks_of_length(&self) -> bool {
        let message = self.message.as_deref().unwrap_or_default().to_lowercase();
        TOO_LONG_WORDS.iter().any(|words| message.contains(words))
    }

    /// Whether the message says that this request alone is above the limit, in words or in numbers.
    fn speaks_of_one_too_large(&self) -> bool {
        let message = self.message.as_deref().unwrap_or_default().to_lowercase();
        let above = match (number_after(&message, "limit"), number_after(&message, "requested")) {
            (Some(limit), Some(requested)) => requested > limit,
            _ => false,
        };
        above || TOO_LARGE_WORDS.iter().any(|words| message.contains(words))
    }
}

/// The number right behind a word, as in "Limit 30000, Requested 39000" or "limit: 6,000".
fn number_after(message: &str, word: &str) -> Option<u64> {
    message.split(word).skip(1).find_map(|rest| {
        let rest = rest.trim_start_matches([':', '=', ' ']);
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(rest.len());
        rest[..end].replace(',', "").parse().ok()
    })
}

/// The money is the account's: the host has no budgets of its own yet.
fn no_money(message: String) -> ChatFailure {
    ChatFailure::BudgetExhausted { scope: BudgetScope::Account, message }
}

fn refusal(status: StatusCode, fault: Fault, after: Option<Duration>) -> ChatFailure {
    let meaning = fault.meaning();
    let speaks_of_length = fault.speaks_of_length();
    let one_too_large = matches!(meaning, Some(Meaning::TooLong)) || fault.speaks_of_one_too_large();
    let Fault { text: message, limit, actual, .. } = fault;
    match (status.as_u16(), meaning) {
        (_, Some(Meaning::NoMoney)) | (402, _) => no_money(message),
        (429, _) if one_too_large => ChatFailure::ContextLengthExceeded { message, limit, actual },
        (429, _) => ChatFailure::RateLimited { message, after },
        (408 | 409 | 425 | 500.., _) => ChatFailure::Unavailable { message, after },
        (401 | 403, _) => ChatFailure::Misconfigured(format!("{message}; check the target's `key` and its access")),
        (404 | 405 | 410, _) | (_, Some(Meaning::NoSuchModel)) => {
            ChatFailure::Misconfigured(format!("{message}; check the target's `base_url` and `model`"))
        }
        (300..=399, _) => ChatFailure::Misconfigured(format!(
            "{message}, a redirect, which is not followed because it could take the key elsewhere; set the target's \
             `base_url` to the final address"
        )),
        (413, _) | (_, Some(Meaning::TooLong)) => ChatFailure::ContextLengthExceeded { message, limit, actual },
        (_, Some(Meaning::Filtered)) => ChatFailure::ContentFiltered(message),
        (400, None) if speaks_of_length => ChatFailure::ContextLengthExceeded { message, limit, actual },
        (_, None) => ChatFailure::InvalidRequest(message),
    }
}

#[cfg(test)]
mod tests;
