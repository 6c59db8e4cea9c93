//! `POST /v1/pipelines/{pipeline}/jobs`: a body becomes a job.

use axum::extract::{Request, State};
use axum::http::header;
use axum::response::Response;
use gristmill_core::model::{ObjectName, ObjectOf, Scope};

use super::accept::{Asked, accept_batch, accept_job};
use super::api::{At, Shared, need};
use super::audit::Asker;
use super::draft::{Ack, Draft, new_job};
use super::forms;
use super::intake::{self, check_length, take};
use super::problem::Problem;
use super::query::Params;
use super::text;
use super::view::{Accepted, AcceptedBatch, JobView};

/// What a body is that nobody says what it is.
const BYTES: &str = "application/octet-stream";

/// Submit a job
///
/// The body is the job's input: bytes of any media type; or a form (`multipart/form-data`) with files, of which one is a job
/// and several are a batch, and the form's fields are attributes of them. Answers once the broker has acknowledged the event.
/// Attributes of a raw body are headers, `Gristmill-Attribute-NAME: value`: at most 100, names of a-z, 0-9, "-", "_", ".".
#[utoipa::path(
    post,
    path = "/v1/pipelines/{pipeline}/jobs",
    operation_id = "submitJob",
    tag = "Submit",
    params(
        ("pipeline" = String, Path, description = "The pipeline's name"),
        ("key" = Option<String>, Query, description = "The key of the event: names the document, and orders its versions", min_length = 1, max_length = 255),
        ("ack" = inline(Option<Ack>), Query, description = "`broker` waits for the broker's acknowledgement. `none` answers before it: if the host dies then, the job stays accepted for ever"),
        ("wait" = Option<String>, Query, description = "Waits so long for the end of the job, at most 60s: `10s`, `500ms`. Not for batches"),
        ("webhook" = Option<String>, Query, description = "Whom to tell of the end of the job"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request the same request: the same job, not a second one", min_length = 1, max_length = 257),
    ),
    request_body(
        description = "The job's input",
        content(
            ("*/*"),
            (inline(forms::Form) = "multipart/form-data"),
        )
    ),
    responses(
        (status = 202, description = "Accepted: the job, or the batch of a form with several files", body = inline(AcceptedOne), headers(
            ("Location" = String, description = "Where to ask for it"),
            ("Retry-After" = u32, description = "When to ask first, in seconds"),
        )),
        (status = 200, description = "The job has ended within `wait`", body = JobView, headers(
            ("Location" = String, description = "Where to ask for it"),
            ("ETag" = String, description = "Its version"),
        )),
    ),
    security(("token" = ["jobs:write"])),
)]
pub(crate) async fn submit_job(
    State(api): State<Shared>,
    At(name): At<String>,
    params: Params,
    asker: Asker,
    request: Request,
) -> Result<Response, Problem> {
    need(&asker.caller, Scope::WriteJobs)?;
    let pipeline = api.pipeline(&name)?;
    let asked = Asked::read(&api, &asker, request.headers(), params)?;
    check_length(request.headers(), api.max_body)?;
    let content_type = match request.headers().get(header::CONTENT_TYPE) {
        Some(content_type) => text::media_type(content_type.to_str().unwrap_or_default())?,
        None => BYTES.to_owned(),
    };
    if forms::is_form(&content_type) {
        let drafts = forms::read(&api, &pipeline, &asked, request).await?;
        return match drafts.len() {
            1 => accept_job(&api, &pipeline, drafts, &asked).await,
            _ => accept_batch(&api, &pipeline, drafts, &asked).await,
        };
    }
    let job = new_job(asked.at);
    let object = ObjectName::of(&pipeline.name, &job, ObjectOf::Input);
    let payload = take(&mut intake::paced(request.into_body(), api.max_body), &pipeline, object, api.max_body).await?;
    let draft = Draft {
        job,
        key: asked.event_key.clone(),
        content_type: Some(content_type),
        attributes: asked.attributes.clone(),
        payload,
    };
    accept_job(&api, &pipeline, vec![draft], &asked).await
}

/// What is accepted.
#[derive(utoipa::ToSchema)]
#[schema(as = Accepted)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents an answer that is one or the other")]
enum AcceptedOne {
    Job(Accepted),
    Batch(AcceptedBatch),
}
