//! The paths, and what each answers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::Stream;
use futures_util::stream::{BoxStream, StreamExt, unfold};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::access::{Access, Client};
use super::control::{Command, Control, Done, Tapped};
use super::problem::Problem;
use super::pushes;
use super::reason::{Code, Reason};
use super::view::{HostView, PipelineList, PipelineView, Warning};

/// The longest body of a request, in bytes. Only a push needs one, which has a bound of its own.
const LARGEST_BODY: usize = 64 << 10;
/// How long a body may take to arrive.
const BODY: Duration = Duration::from_secs(10);
/// How many taps are served at a time.
const TAPS: usize = 16;
/// How often a tap without items gives a sign of life.
const ALIVE: Duration = Duration::from_secs(15);
/// The media type of metrics.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Held while a connection is of use, so that it is not closed in favour of another one.
#[derive(Clone)]
pub(super) struct InUse(#[expect(dead_code, reason = "it counts as long as it lives")] pub(super) Arc<()>);

#[derive(Clone)]
struct Shared {
    control: Arc<dyn Control>,
    access: Arc<Access>,
    taps: Arc<Semaphore>,
}

/// All paths.
pub(super) fn router(control: Arc<dyn Control>, versions: pushes::Shared, access: Access) -> Router {
    let shared = Shared { control, access: Arc::new(access), taps: Arc::new(Semaphore::new(TAPS)) };
    let of_versions = Router::new()
        .route("/v1/pipelines/{name}/versions", get(pushes::of_pipeline))
        .route("/v1/pipelines/{name}/stages/{stage}/versions", get(pushes::of_stage).post(pushes::push))
        .route("/v1/pipelines/{name}/stages/{stage}/history", get(pushes::history))
        .route("/v1/pipelines/{name}/stages/{stage}/activate", post(pushes::activate))
        .route("/v1/pipelines/{name}/stages/{stage}/rollback", post(pushes::rollback))
        .with_state(versions);
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .route("/v1/pipelines", get(pipelines))
        .route("/v1/pipelines/{name}", get(pipeline))
        .route("/v1/pipelines/{name}/{command}", post(command))
        .route("/v1/pipelines/{name}/tap", get(tap))
        .merge(of_versions)
        .fallback(async |request: Request| {
            let path = request.uri().path();
            Problem::new(StatusCode::NOT_FOUND, format!("there is no {path}; docs/admin-api.md lists what there is"))
        })
        .method_not_allowed_fallback(async |request: Request| {
            let (method, path) = (request.method(), request.uri().path());
            let detail = format!("{path} does not take {method}; the header Allow says what it takes");
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
        })
        .layer(from_fn_with_state(shared.clone(), admit))
        .with_state(shared)
}

/// Lets a request in whose client may ask, and whose body is small and arrives in time.
async fn admit(State(shared): State<Shared>, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let client = shared.access.check(&parts)?;
    parts.extensions.insert(client);
    // A module is received by the path that takes it, within bounds of its own.
    if parts.method == Method::POST && parts.uri.path().ends_with("/versions") {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    }
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "no other request than a push needs a body, and none may be above 64 KiB",
        )
    };
    if length.is_some_and(|length: u64| length > LARGEST_BODY as u64) {
        return Err(too_large());
    }
    match timeout(BODY, to_bytes(body, LARGEST_BODY)).await {
        Ok(Ok(body)) => Ok(next.run(Request::from_parts(parts, Body::from(body))).await),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive within 10 s")),
    }
}

/// The body of `/readyz`.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    reasons: Vec<Reason>,
    /// What is on disk and does not run: nothing that makes a host unready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
}

/// The same for a client without a token: what went wrong is nobody else's business.
#[derive(Serialize)]
struct Codes {
    ready: bool,
    reasons: Vec<OnlyCode>,
}

#[derive(Serialize)]
struct OnlyCode {
    code: Code,
}

async fn readyz(State(shared): State<Shared>, Extension(client): Extension<Client>) -> Response {
    let HostView { reasons, warnings, .. } = shared.control.view().await;
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match client {
        Client::Known => (status, Json(Readiness { ready, reasons, warnings })).into_response(),
        Client::Unknown => {
            let reasons = reasons.into_iter().map(|reason| OnlyCode { code: reason.code }).collect();
            (status, Json(Codes { ready, reasons })).into_response()
        }
    }
}

async fn healthz(State(shared): State<Shared>) -> Json<HostView> {
    Json(shared.control.view().await)
}

async fn metrics(State(shared): State<Shared>) -> Response {
    ([(header::CONTENT_TYPE, METRICS)], shared.control.metrics().await).into_response()
}

async fn pipelines(State(shared): State<Shared>) -> Json<PipelineList> {
    Json(PipelineList { pipelines: shared.control.view().await.pipelines })
}

async fn pipeline(State(shared): State<Shared>, Path(name): Path<String>) -> Result<Json<PipelineView>, Problem> {
    let pipelines = shared.control.view().await.pipelines;
    match pipelines.into_iter().find(|pipeline| pipeline.name == name) {
        Some(pipeline) => Ok(Json(pipeline)),
        None => Err(Problem::new(StatusCode::NOT_FOUND, format!("there is no pipeline {name:?}"))),
    }
}

async fn command(
    State(shared): State<Shared>,
    Path((name, command)): Path<(String, String)>,
) -> Result<Json<Done>, Problem> {
    let command = match &*command {
        "pause" => Command::Pause,
        "resume" => Command::Resume,
        "reload" => Command::Reload,
        other => {
            let detail = format!("there is no command {other:?}; there are pause, resume and reload");
            return Err(Problem::new(StatusCode::NOT_FOUND, detail));
        }
    };
    tracing::info!(pipeline = name, %command, "an operator asks by the admin server");
    Ok(Json(shared.control.command(&name, command).await?))
}

#[derive(Deserialize)]
struct TapQuery {
    stage: Option<String>,
}

async fn tap(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    query: Result<Query<TapQuery>, QueryRejection>,
    Extension(in_use): Extension<InUse>,
) -> Result<Response, Problem> {
    let Query(TapQuery { stage }) =
        query.map_err(|rejected| Problem::new(StatusCode::BAD_REQUEST, rejected.body_text()))?;
    let Ok(permit) = shared.taps.try_acquire_owned() else {
        let detail = format!("{TAPS} taps are open already; close one");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
    };
    let samples = shared.control.tap(&name, stage.as_deref())?;
    let alive = KeepAlive::new().interval(ALIVE);
    Ok(Sse::new(events(samples, permit, in_use)).keep_alive(alive).into_response())
}

/// Samples as server-sent events. The permit and the connection are held as long as somebody reads.
fn events(
    samples: BoxStream<'static, Tapped>,
    permit: OwnedSemaphorePermit,
    in_use: InUse,
) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold((samples, permit, in_use), async |(mut samples, permit, in_use)| {
        let sample = samples.next().await?;
        // A struct of text and numbers is always JSON.
        let event = Event::default().event("item").json_data(&sample).unwrap_or_default();
        Some((Ok(event), (samples, permit, in_use)))
    })
}
