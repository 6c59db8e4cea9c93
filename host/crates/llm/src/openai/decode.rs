//! Decodes a chat completions server's answer: a response, or a failure that tells the caller what to do. Pure.

use serde_json::Value;

use gristmill_core::model::{ChatFailure, ChatResponse, FinishReason, Usage};

use super::content;
use super::fault::Fault;
use crate::answered::Unanswered;
use crate::quote::Quote;
use crate::server::Reply;

/// Decodes a reply; `target` names its sender in messages and in the response.
pub(super) fn decode(target: &str, reply: &Reply, quote: &Quote<'_>) -> Result<ChatResponse, Unanswered> {
    let body = reply.json();
    if let Some(fault) = Fault::find(target, reply, &body, quote) {
        if fault.ended_by_length() {
            return Ok(starved(target));
        }
        return Err(fault.decide());
    }
    if !body.is_object() {
        return Err(reply.no_answer(target, quote).into());
    }
    Ok(completion(target, reply, &body, quote)?)
}

/// An answer that ended before there was one: its limit was used up by thinking.
fn starved(target: &str) -> ChatResponse {
    ChatResponse {
        text: String::new(),
        finish_reason: FinishReason::Length,
        usage: Usage::default(),
        model: target.to_owned(),
        provider_request_id: None,
        cached: false,
    }
}

fn completion(target: &str, reply: &Reply, body: &Value, quote: &Quote<'_>) -> Result<ChatResponse, ChatFailure> {
    let choice = &body["choices"][0];
    let message = &choice["message"];
    if !message.is_object() {
        let message = format!("{target} answered without a choice; if this persists, check `base_url`");
        return Err(ChatFailure::Unavailable { message, after: None });
    }
    let finish_reason = match choice["finish_reason"].as_str() {
        Some("stop" | "eos") | None => FinishReason::Stop,
        Some("length" | "max_tokens") => FinishReason::Length,
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
    if content::is_refused(message) {
        return Err(ChatFailure::ContentFiltered(format!("{target} refused to answer")));
    }
    let id = reply.header("x-request-id").or(body["id"].as_str());
    Ok(ChatResponse {
        text: content::text(message, &quote.request.format),
        finish_reason,
        usage: Usage { cost_nano_usd: cost(reply), ..usage(&body["usage"]) },
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

/// What the answer cost by LiteLLM's own prices, in billionths of a dollar. It says zero for models that it has no price for.
fn cost(reply: &Reply) -> Option<u64> {
    const LARGEST: f64 = 1e9;
    let dollars: f64 = reply.header("x-litellm-response-cost")?.trim().parse().ok()?;
    (dollars > 0.0 && dollars < LARGEST).then(|| (dollars * 1e9).ceil() as u64)
}

#[cfg(test)]
mod tests;
