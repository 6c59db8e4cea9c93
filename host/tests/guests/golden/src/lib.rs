//! A stage that is written against the WIT alone and uses every function and type of it. What `cargo stages` makes of it
//! at each version of the contract is kept in `host/crates/wasm/tests/sandbox/golden`, to show that later hosts run it.

// Generated code calls imports of WebAssembly, which exist nowhere else.
#![cfg(target_arch = "wasm32")]
#![allow(unsafe_code, reason = "the generated exports are unsafe functions")]

#[allow(missing_docs, clippy::all, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../../wit", world: "gristmill:stage/full-stage" });
}

use bindings::exports::gristmill::stage::lifecycle::{Branch, ConfigFault, Descriptor};
use bindings::exports::gristmill::stage::{batch_handler, handler, lifecycle};
use bindings::gristmill::stage::embeddings::{self, Purpose};
use bindings::gristmill::stage::llm::{self, Content, Format, Message, Role, Schema};
use bindings::gristmill::stage::llm_types::Error;
use bindings::gristmill::stage::types::{Attribute, Failure, Header, Item, Outcome, Output, Retry, StageError};
use bindings::gristmill::stage::{context, logging};

struct Golden;

impl lifecycle::Guest for Golden {
    fn describe() -> Descriptor {
        Descriptor {
            name: "golden".into(),
            version: "0.2.0".into(),
            description: "Uses everything of the contract".into(),
            config_schema_json: Some(r#"{ "type": "object", "maxProperties": 0 }"#.into()),
            accepts: vec!["text/*".into()],
            branches: vec![Branch { label: "side".into(), description: "Told to".into() }],
            max_batch: Some(2),
        }
    }

    fn init(config_json: String) -> Result<(), Vec<ConfigFault>> {
        let fault = || ConfigFault { pointer: String::new(), message: "not empty".into() };
        if config_json == "{}" { Ok(()) } else { Err(vec![fault()]) }
    }
}

impl handler::Guest for Golden {
    fn process(item: Item) -> Result<Outcome, StageError> {
        handle(item)
    }
}

impl batch_handler::Guest for Golden {
    fn process_batch(items: Vec<Item>) -> Vec<Result<Outcome, StageError>> {
        items.into_iter().map(handle).collect()
    }
}

/// Answers the command in the item.
fn handle(item: Item) -> Result<Outcome, StageError> {
    logging::log(logging::Level::Debug, "golden", "handling an item");
    let command = String::from_utf8(item.payload.clone()).unwrap_or_default();
    let answer = match command.as_str() {
        "item" => about(&item),
        "context" => {
            let context::Identity { pipeline, stage, traceparent } = context::get_identity();
            let (timed, cancelled) = (context::time_left() > 0, context::is_cancelled());
            let (here, there) = (context::is_routed("side"), context::is_routed("elsewhere"));
            let flags = [timed, cancelled, here, there].map(flag).concat();
            [&pipeline, " ", &stage, " ", &traceparent.unwrap_or_default(), &flags].concat()
        }
        "chat" => llm::chat(&request(&item, Format::Text)).map_err(failed)?.text,
        "chat-many" => {
            let schema = Schema { name: "any".into(), description: None, schema_json: "{}".into() };
            let formats = [Format::Json, Format::JsonSchema(schema)];
            let requests: Vec<_> = formats.into_iter().map(|format| request(&item, format)).collect();
            let mut texts = String::new();
            for answer in llm::chat_many(&requests) {
                texts += &answer.map_err(failed)?.text;
            }
            texts
        }
        "embed" => {
            let request = embeddings::Request {
                model: None,
                inputs: vec![command],
                purpose: Purpose::Document,
                for_item: Some(item.id.clone()),
                dimensions: Some(8),
                idempotency_key: None,
                timeout: None,
            };
            let vectors = embeddings::embed(&request).map_err(failed)?.vectors;
            flag(vectors.len() == 1).into()
        }
        "drop" => return Ok(Outcome::Drop("told-to".into())),
        "reject" => return Ok(Outcome::Reject(failure("told-to"))),
        "retry" => return Err(StageError::Retryable(Retry { cause: failure("told-to"), after: Some(5) })),
        "slow" => return Err(StageError::RateLimited(Retry { cause: failure("told-to"), after: None })),
        "permanent" => return Err(StageError::Permanent(failure("told-to"))),
        _ => command,
    };
    Ok(Outcome::Emit(vec![Output {
        payload: answer.into_bytes(),
        content_type: Some("text/plain".into()),
        key: Some(b"key".to_vec()),
        headers: vec![Header { name: "header".into(), value: None }],
        attributes: vec![Attribute { name: "attribute".into(), value: "value".into() }],
        branch: Some("side".into()),
    }]))
}

/// All texts of an item. No formatting: it would be most of the component.
fn about(item: &Item) -> String {
    let position = &item.source.position;
    [&item.id, &item.job_id, &item.document, &item.generation, &item.source.topic, position]
        .map(String::as_str)
        .join(" ")
        + flag(item.attempt == 1 && item.source.partition == 0 && item.seed != 0 && item.timestamp == 0)
}

fn request(item: &Item, format: Format) -> llm::Request {
    llm::Request {
        model: None,
        messages: vec![Message { role: Role::User, content: vec![Content::Text("golden".into())] }],
        format,
        for_item: Some(item.id.clone()),
        temperature: Some(0.0),
        top_p: None,
        max_output_tokens: Some(10),
        stop: Vec::new(),
        seed: Some(item.seed),
        idempotency_key: None,
        timeout: Some(1_000),
        options: Vec::new(),
    }
}

fn flag(set: bool) -> &'static str {
    if set { " yes" } else { " no" }
}

fn failure(code: &str) -> Failure {
    Failure { code: code.into(), message: "as told".into(), details_json: Some("{}".into()) }
}

fn failed(error: Error) -> StageError {
    StageError::Permanent(failure(match error {
        Error::RateLimited(_) => "rate-limited",
        Error::Unavailable(_) => "unavailable",
        Error::Timeout(_) => "timeout",
        Error::ContextLengthExceeded(_) => "context-length-exceeded",
        Error::ContentFiltered(_) => "content-filtered",
        Error::InvalidOutput(_) => "invalid-output",
        Error::InvalidRequest(_) => "invalid-request",
        Error::Denied(_) => "denied",
        Error::BudgetExhausted(_) => "budget-exhausted",
        Error::Misconfigured(_) => "misconfigured",
        Error::Other(_) => "other",
    }))
}

bindings::export!(Golden with_types_in bindings);
