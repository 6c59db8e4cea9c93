//! Conversions between the core model and the types of the WIT package. The only place that names both.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::bindings::gristmill::stage::{embeddings, llm, llm_types, types};
use gristmill_core::model::{
    Attribute, BudgetScope, ChatFailure, ChatMessage, ChatRequest, ChatResponse, Content, EmbedRequest, EmbedResponse,
    Failure, FinishReason, Format, Header, Merge, MergeScope, Outcome, Output, Purpose, Role, Usage, text,
};
use gristmill_core::ports::{Call, Hold, StageError};

/// The item of a call as the guest sees it.
pub(super) fn item(call: &Call, stage: &str, module: &str) -> types::Item {
    let item = &call.item;
    types::Item {
        id: item.id.as_str().to_owned(),
        job_id: call.job.as_str().to_owned(),
        document: call.document.to_string(),
        generation: call.generation.to_string(),
        source: types::Source {
            topic: call.event.partition.topic.to_string(),
            partition: call.event.partition.index,
            position: call.event.position.to_string(),
        },
        key: item.key.as_ref().map(|bytes| bytes.to_vec()),
        payload: item.payload.to_vec(),
        content_type: item.content_type.clone(),
        headers: item.headers.iter().map(header_out).collect(),
        attributes: item.attributes.iter().map(attribute_out).collect(),
        timestamp: call.timestamp.0,
        attempt: call.attempt,
        seed: seed([item.id.as_str(), stage, module]),
    }
}

/// The algorithm is part of the contract: see `item.seed` in the WIT.
fn seed(parts: [&str; 3]) -> u64 {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let mut first = [0; 8];
    first.copy_from_slice(&digest.finalize()[..8]);
    u64::from_be_bytes(first)
}

fn header_out(header: &Header) -> types::Header {
    types::Header { name: header.name.to_string(), value: header.value.as_ref().map(|bytes| bytes.to_vec()) }
}

fn attribute_out(attribute: &Attribute) -> types::Attribute {
    types::Attribute { name: attribute.name.clone(), value: attribute.value.clone() }
}

/// What the guest decided.
pub(super) fn outcome(outcome: types::Outcome) -> Outcome {
    match outcome {
        types::Outcome::Emit(outputs) => Outcome::Emit(outputs.into_iter().map(output).collect()),
        types::Outcome::Drop(code) => Outcome::Drop(text::code(&code).into_owned()),
        types::Outcome::Reject(failure) => Outcome::Reject(self::failure(failure)),
    }
}

fn output(output: types::Output) -> Output {
    let header = |header: types::Header| Header { name: header.name.into(), value: header.value.map(Bytes::from) };
    let attribute = |new: types::Attribute| Attribute { name: new.name, value: new.value };
    Output {
        payload: output.payload.into(),
        content_type: output.content_type,
        key: output.key.map(Bytes::from),
        headers: output.headers.into_iter().map(header).collect(),
        attributes: output.attributes.into_iter().map(attribute).collect(),
        branch: output.branch,
    }
}

fn failure(failure: types::Failure) -> Failure {
    Failure::new(&failure.code, &failure.message).with_details(failure.details_json.as_deref())
}

/// The longest wait a guest can ask for: it must not stop a pipeline for years.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// Why the guest could not decide.
pub(super) fn stage_error(error: types::StageError) -> StageError {
    let after = |after: Option<u64>| after.map(|after| Duration::from_millis(after).min(LONGEST_WAIT));
    match error {
        types::StageError::Retryable(retry) => {
            StageError::Retry { failure: failure(retry.cause), after: after(retry.after) }
        }
        types::StageError::RateLimited(retry) => {
            StageError::Slow { failure: failure(retry.cause), after: after(retry.after), hold: Hold::Limit }
        }
        types::StageError::Permanent(cause) => StageError::Permanent(failure(cause)),
    }
}

/// A guest's request to a model.
pub(super) fn request(request: llm::Request) -> ChatRequest {
    let role = |role| match role {
        llm::Role::System => Role::System,
        llm::Role::User => Role::User,
        llm::Role::Assistant => Role::Assistant,
    };
    let content = |content| match content {
        llm::Content::Text(text) => Content::Text(text),
        llm::Content::Media(media) => Content::Media { media_type: media.media_type, data: media.data.into() },
    };
    let message = |message: llm::Message| ChatMessage {
        role: role(message.role),
        content: message.content.into_iter().map(content).collect(),
    };
    ChatRequest {
        model: request.model,
        messages: request.messages.into_iter().map(message).collect(),
        format: match request.format {
            llm::Format::Text => Format::Text,
            llm::Format::Json => Format::Json,
            llm::Format::JsonSchema(schema) => {
                Format::Schema { name: schema.name, description: schema.description, schema: schema.schema_json }
            }
        },
        temperature: request.temperature,
        top_p: request.top_p,
        max_output_tokens: request.max_output_tokens,
        stop: request.stop,
        seed: request.seed,
        idempotency_key: request.idempotency_key,
        timeout: request.timeout.map(Duration::from_millis),
        options: request.options,
        raised: 0,
        merge: None,
    }
}

/// The longest wait for other requests that a guest can ask for.
const LONGEST_MERGE: Duration = Duration::from_secs(60);

/// How a guest's requests may share a call; `None` if they may not.
pub(super) fn merge(merge: llm::Merge) -> Option<Merge> {
    Some(Merge {
        items: NonZeroU32::new(merge.items)?,
        tokens: merge.tokens.into(),
        wait: Duration::from_millis(merge.wait).min(LONGEST_MERGE),
        among: match merge.among {
            llm::MergeScope::Job => MergeScope::Job,
            llm::MergeScope::Pipeline => MergeScope::Pipeline,
        },
    })
}

/// A model's answer, for the guest.
pub(super) fn response(response: ChatResponse) -> llm::Response {
    llm::Response {
        text: response.text,
        finish_reason: match response.finish_reason {
            FinishReason::Stop => llm::FinishReason::Stop,
            FinishReason::Length => llm::FinishReason::Length,
            FinishReason::Other(reason) => llm::FinishReason::Other(reason),
        },
        usage: usage(response.usage),
        model: response.model,
        provider_request_id: response.provider_request_id,
        cached: response.cached,
    }
}

fn usage(usage: Usage) -> llm_types::Usage {
    llm_types::Usage {
        input_tokens: usage.input_tokens,
        cache_read_input_tokens: usage.cache_read_input_tokens,
        cache_write_input_tokens: usage.cache_write_input_tokens,
        output_tokens: usage.output_tokens,
        reasoning_tokens: usage.reasoning_tokens,
        cost_nano_usd: usage.cost_nano_usd,
    }
}

/// A guest's request for vectors. Its idempotency key is not needed: equal texts of a job are one call anyway.
pub(super) fn embed_request(request: embeddings::Request) -> EmbedRequest {
    EmbedRequest {
        model: request.model,
        inputs: request.inputs.into_iter().map(Into::into).collect(),
        purpose: match request.purpose {
            embeddings::Purpose::Unspecified => Purpose::Unspecified,
            embeddings::Purpose::Document => Purpose::Document,
            embeddings::Purpose::Query => Purpose::Query,
        },
        dimensions: request.dimensions,
        timeout: request.timeout.map(Duration::from_millis),
    }
}

/// The vectors, for the guest.
pub(super) fn embed_response(response: EmbedResponse) -> embeddings::Response {
    embeddings::Response {
        vectors: response.vectors.iter().map(|vector| vector.numbers().collect()).collect(),
        usage: usage(response.usage),
        model: response.model,
        cached: response.cached,
    }
}

/// Why there is no answer, for the guest.
pub(super) fn chat_failure(failure: ChatFailure) -> llm_types::Error {
    let busy = |message: String, after: Option<Duration>| llm_types::Busy {
        message,
        retry_after: after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
    };
    match failure {
        ChatFailure::RateLimited { message, after } => llm_types::Error::RateLimited(busy(message, after)),
        ChatFailure::Unavailable { message, after } => llm_types::Error::Unavailable(busy(message, after)),
        ChatFailure::Timeout(message) => llm_types::Error::Timeout(message),
        ChatFailure::ContextLengthExceeded { message, limit, actual } => {
            llm_types::Error::ContextLengthExceeded(llm_types::TooLong { limit, actual, message })
        }
        ChatFailure::ContentFiltered(message) => llm_types::Error::ContentFiltered(message),
        ChatFailure::InvalidOutput { text, problems } => {
            llm_types::Error::InvalidOutput(llm_types::BadOutput { text, problems })
        }
        ChatFailure::InvalidRequest(message) => llm_types::Error::InvalidRequest(message),
        ChatFailure::Denied(message) => llm_types::Error::Denied(message),
        ChatFailure::BudgetExhausted { scope, message } => {
            llm_types::Error::BudgetExhausted(llm_types::Budget { scope: budget_scope(scope), message })
        }
        ChatFailure::Misconfigured(message) => llm_types::Error::Misconfigured(message),
    }
}

fn budget_scope(scope: BudgetScope) -> llm_types::BudgetScope {
    match scope {
        BudgetScope::Job => llm_types::BudgetScope::Job,
        BudgetScope::Stage => llm_types::BudgetScope::Stage,
        BudgetScope::Pipeline => llm_types::BudgetScope::Pipeline,
        BudgetScope::Day => llm_types::BudgetScope::Day,
        BudgetScope::Account => llm_types::BudgetScope::Account,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_stays() {
        assert_eq!(seed(["doc/a.0", "chunk", "cafe"]), 0xf3af_ce2d_3d28_b218);
        assert_ne!(seed(["ab", "c", ""]), seed(["a", "bc", ""]), "the parts do not run into each other");
    }
}
