//! The documentation of the API: what the routes say, and the problems that each may answer with.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::openapi::OpenApi;

use super::problem::{Kind, Members};

/// What every path may answer.
const ALWAYS: &[Kind] = &[Kind::BadRequest, Kind::TooManyRequests, Kind::Internal];
/// What a path may answer that asks who is there.
const CALLED: &[Kind] = &[
    Kind::Unauthenticated,
    Kind::MissingScope,
    Kind::ForeignOrigin,
    Kind::NotFound,
    Kind::StoreUnavailable,
    Kind::KeysUnavailable,
    Kind::NotRunning,
];
/// What a path may answer that has a body.
const WITH_BODY: &[Kind] = &[Kind::Timeout, Kind::BodyTooLarge, Kind::UnsupportedMediaType, Kind::BrokerUnavailable];
/// What some paths may answer besides.
const OWN: &[(&str, &[Kind])] = &[
    ("submitJob", &[Kind::IdempotencyKeyReused]),
    ("submitBatch", &[Kind::IdempotencyKeyReused]),
    ("getResult", &[Kind::WrongState, Kind::Gone]),
    ("getOutput", &[Kind::WrongState, Kind::Gone]),
    ("cancelJob", &[Kind::WrongState]),
    ("retryJob", &[Kind::WrongState, Kind::Gone]),
    ("redeliverWebhook", &[Kind::WrongState]),
];

/// The documentation of these paths as OpenAPI 3.1, as a whole.
pub(crate) fn whole(paths: &OpenApi) -> Value {
    let mut document = serde_json::to_value(paths).unwrap_or_default();
    document["info"] = json!({
        "title": "Gristmill",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Accepts jobs for pipelines, and lets their owners follow them to their end. Every error is \
                        `application/problem+json` (RFC 9457) with a stable `type`.",
    });
    document["components"]["securitySchemes"]["token"] = json!({
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Needed if the host has `[auth]`. Scopes: `jobs:write`, `jobs:read`, `dlq:write`, `admin`.",
    });
    document["components"]["schemas"]["Problem"] =
        serde_json::to_value(<Members as utoipa::PartialSchema>::schema()).unwrap_or_default();
    if let Some(paths) = document["paths"].as_object_mut() {
        for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(|item| item.values_mut()) {
            settle(operation);
            add_problems(operation);
        }
    }
    // The same text, whatever crates this one is built with.
    document.sort_all_objects();
    document
}

/// Parameters and headers are there or they are not, and never null. The headers of an answer that are not optional are
/// always there.
fn settle(operation: &mut Value) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        forbid_null(parameter);
    }
    let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
    for response in responses.into_iter().flat_map(|responses| responses.values_mut()) {
        let headers = response.get_mut("headers").and_then(Value::as_object_mut);
        for header in headers.into_iter().flat_map(|headers| headers.values_mut()) {
            let is_optional = forbid_null(header);
            header["required"] = (!is_optional).into();
        }
    }
}

/// Whether it could be null before.
fn forbid_null(value: &mut Value) -> bool {
    let Some(Value::Array(types)) = value.pointer_mut("/schema/type") else { return false };
    let before = types.len();
    types.retain(|name| name != "null");
    let could = types.len() < before;
    if let [name] = types.as_slice() {
        value["schema"]["type"] = name.clone();
    }
    could
}

fn add_problems(operation: &mut Value) {
    if !operation.is_object() {
        return;
    }
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    let mut kinds = ALWAYS.to_vec();
    if !operation["security"].is_null() {
        kinds.extend(CALLED);
    }
    if !operation["requestBody"].is_null() {
        kinds.extend(WITH_BODY);
    }
    kinds.extend(OWN.iter().filter(|(own, _)| *own == id).flat_map(|(_, kinds)| *kinds));
    let mut by_status: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for kind in kinds {
        let (status, end, _) = kind.parts();
        by_status.entry(status.as_u16()).or_default().push(end);
    }
    for (status, ends) in by_status {
        let mut response = json!({
            "description": format!("Problems: {}", ends.join(", ")),
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        });
        if matches!(status, 429 | 503) {
            response["headers"]["Retry-After"] = json!({
                "description": "When to ask again, in seconds",
                "required": true,
                "schema": { "type": "integer" },
            });
        }
        operation["responses"][status.to_string()] = response;
    }
}
