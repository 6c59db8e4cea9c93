//! The paths, and what every answer has in common.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::admit;
use super::api::{Shared, json_bytes};
use super::cors::Cors;
use super::problem::{Kind, Problem};
use super::{acts, batches, bulk, document, events, follow, jobs, results};

/// The documentation of the API, as OpenAPI 3.1.
#[must_use]
pub fn openapi() -> Value {
    document::whole(&documented().split_for_parts().1)
}

/// All paths of the documentation.
fn documented() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(jobs::submit_job))
        .routes(routes!(batches::submit_batch))
        .routes(routes!(follow::list_jobs))
        .routes(routes!(follow::get_job))
        .routes(routes!(events::follow_job))
        .routes(routes!(follow::get_timeline))
        .routes(routes!(results::get_result))
        .routes(routes!(results::get_output))
        .routes(routes!(follow::get_webhooks))
        .routes(routes!(follow::get_batch))
        .routes(routes!(acts::cancel_job))
        .routes(routes!(acts::retry_job))
        .routes(routes!(acts::redeliver_webhook))
        .routes(routes!(bulk::act_on_jobs))
        .routes(routes!(get_openapi))
        .routes(routes!(livez))
}

/// The server's paths.
pub(crate) fn router(api: &Shared) -> Router {
    let (router, _) = documented().split_for_parts();
    let router = router
        .fallback(async |request: Request| {
            let path: String = request.uri().path().chars().take(200).collect();
            Problem::new(Kind::NotFound, format!("there is no {path}; /v1/openapi.json lists what there is"))
        })
        .method_not_allowed_fallback(async |request: Request| {
            let detail = format!("this path does not take {}; the header Allow says what it takes", request.method());
            Problem::new(Kind::MethodNotAllowed, detail)
        })
        .layer(from_fn_with_state(Arc::clone(api), admit))
        // Bodies are bounded where they are read.
        .layer(DefaultBodyLimit::disable())
        .layer(map_response(mark))
        .with_state(Arc::clone(api));
    match api.origins.as_slice() {
        [] => router,
        // Around the tokens: browsers send none with their first question.
        origins => router.layer(Cors::of(origins)),
    }
}

/// What browsers must not do with any answer.
async fn mark(mut response: Response) -> Response {
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Get this documentation
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    operation_id = "getOpenApi",
    tag = "About",
    responses((status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/json")),
)]
async fn get_openapi() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| openapi().to_string());
    json_bytes(TEXT.as_str().into())
}

/// Whether the server answers
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "getLive",
    tag = "About",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain; charset=utf-8")),
)]
async fn livez() -> &'static str {
    "ok\n"
}
