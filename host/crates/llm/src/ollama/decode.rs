//! Decodes an answer of Ollama's `/api/chat`: a response, or a failure that tells the caller what to do. Pure.

use std::time::Duration;

use gristmill_core::model::{ChatFailure, ChatResponse, FinishReason, Usage};
use serde_json::Value;

use super::encode::Size;
use crate::quote::Quote;
use crate::server::Reply;
use crate::status;

/// What was asked.
pub(super) struct Asked<'a> {
    /// The target, as "provider/model".
    pub(super) target: &'a str,
    /// The model as Ollama calls it.
    pub(super) model: &'a str,
    /// Tokens of prompt and answer together.
    pub(super) context: u32,
    /// The size of the prompt.
    pub(super) size: Size,
}

/// A response, and how long the model was loaded for it.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) response: ChatResponse,
    pub(super) load: Option<Duration>,
}

/// What Ollama says for a prompt that is too long, with several statuses: it has no codes.
const TOO_LONG_WORDS: [&str; 3] =
    ["exceeds the context length", "exceeds the available context size", "exceeds maximum context length"];
/// What it says if `think` is sent for a model that does not.
const NO_THINKING_WORDS: &str = "does not support thinking";
/// What its cloud says of a quota that lasts for hours or longer: "you've reached your weekly usage limit". It gives no time.
const QUOTA_WORDS: &str = "usage limit";

/// Decodes a reply.
pub(super) fn decode(asked: &Asked<'_>, reply: &Reply, quote: &Quote<'_>) -> Result<Answer, ChatFailure> {
    let body = reply.json();
    let error = &body["error"];
    if !reply.status.is_success() || error.is_string() {
        return Err(refusal(asked, reply, error, quote));
    }
    if !body["message"].is_object() {
        return Err(reply.no_answer(asked.target, quote));
    }
    if body["done"] != true {
        let message = format!("{} broke off its answer", asked.target);
        return Err(ChatFailure::Unavailable { message, after: None });
    }
    let usage = Usage {
        input_tokens: body["prompt_eval_count"].as_u64(),
        output_tokens: body["eval_count"].as_u64(),
        ..Usage::default()
    };
    let finish_reason = match body["done_reason"].as_str() {
        Some("stop") | None => FinishReason::Stop,
        Some("length") => FinishReason::Length,
        Some(other) => FinishReason::Other(quote.word(other).unwrap_or_else(|| "unreadable".into())),
    };
    check_context(asked, usage, &finish_reason)?;
    let response = ChatResponse {
        // What the model thinks is in a field of its own and no part of its answer.
        text: body["message"]["content"].as_str().unwrap_or_default().to_owned(),
        finish_reason,
        usage,
        model: asked.target.to_owned(),
        provider_request_id: None,
        cached: false,
    };
    Ok(Answer { response, load: body["load_duration"].as_u64().map(Duration::from_nanos) })
}

/// An answer to a prompt that was cut is none: the instructions, or most of the document, may be gone. Servers before
/// `truncate = false` cut in silence, down to the context, or leave out whole messages.
fn check_context(asked: &Asked<'_>, usage: Usage, finish: &FinishReason) -> Result<(), ChatFailure> {
    let context = u64::from(asked.context);
    let Some(read) = usage.input_tokens else { return Ok(()) };
    let used = read.saturating_add(usage.output_tokens.unwrap_or(0));
    let what = if read >= context {
        "the prompt was cut"
    } else if read < asked.size.least && asked.size.about > context {
        "messages were left out of the prompt"
    } else if *finish == FinishReason::Length && used >= context {
        "the answer was cut off"
    } else {
        return Ok(());
    };
    let message = format!(
        "{what}, because prompt and answer do not fit the {context} tokens of context of {}; raise the target's \
         `context`, as far as the model allows, or send less",
        asked.target
    );
    Err(ChatFailure::ContextLengthExceeded { message, limit: Some(context), actual: None })
}

/// The failure of a reply that is no success.
pub(super) fn refusal(asked: &Asked<'_>, reply: &Reply, error: &Value, quote: &Quote<'_>) -> ChatFailure {
    let body = reply.json();
    let error = error.as_str();
    // The error is a text: what else is said stands beside it.
    let hints = reply.refusal(&body, error);
    let said = error.and_then(|said| quote.message(said)).unwrap_or_default();
    let mut message = format!("{} answered {}", asked.target, reply.status.as_u16());
    if !said.is_empty() {
        message = format!("{message}: {said}");
    }
    let words = said.to_lowercase();
    match reply.status.as_u16() {
        _ if TOO_LONG_WORDS.iter().any(|long| words.contains(long)) => {
            let message = format!("{message}; raise the target's `context`, as far as the model allows, or send less");
            ChatFailure::ContextLengthExceeded { message, limit: Some(asked.context.into()), actual: None }
        }
        400 if words.contains(NO_THINKING_WORDS) => {
            ChatFailure::Misconfigured(format!("{message}; remove `thinking` from the target"))
        }
        404 if error.is_some() => ChatFailure::Misconfigured(format!(
            "{message}; fetch the model on that server with \"ollama pull {}\", or check the target's `model`",
            asked.model
        )),
        429 if words.contains(QUOTA_WORDS) => status::no_money(message),
        429 => ChatFailure::RateLimited { message, after: hints.wait_for_limit() },
        200..=299 => ChatFailure::Unavailable { message, after: hints.wait() },
        status => status::failure(status, message, hints.wait()),
    }
}

#[cfg(test)]
mod tests;
