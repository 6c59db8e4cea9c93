//! The outputs of a job. They are what stages made of documents of others: browsers must not run them as ours.

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gristmill_core::model::{Caller, Ended, KeptOutput, OutputRecord, Phase, Scope};
use gristmill_core::ports::Wanted;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AnyOfBuilder, Ref, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::api::{At, Shared, has, json, need, value};
use super::detail::{OutputView, Outputs};
use super::intake::of_objects;
use super::lookout::Found;
use super::problem::{Kind, Problem};
use super::query::Params;
use super::text;

/// What a browser shows without running anything.
const HARMLESS: [&str; 7] =
    ["text/plain", "application/json", "image/png", "image/jpeg", "image/gif", "image/webp", "text/csv"];

/// Get a job's result
///
/// The bytes of its output, in its own media type, if it has one output; a list of them otherwise, or with `list=true`.
#[utoipa::path(
    get,
    path = "/v1/jobs/{job_id}/result",
    operation_id = "getResult",
    tag = "Follow",
    params(
        ("job_id" = String, Path, description = "The job's id"),
        ("list" = Option<bool>, Query, description = "Always a list, whether there is one output or not"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the last answer"),
    ),
    responses(
        (status = 200, description = "The output, or the list of outputs", content((inline(OneOrList) = "application/json"), ("*/*")), headers(
            ("ETag" = Option<String>, description = "Of one output: its SHA-256"),
            ("Content-Disposition" = Option<String>, description = "`attachment` of what browsers would run"),
        )),
        (status = 304, description = "It has not changed"),
    ),
    security(("token" = ["jobs:read"])),
)]
pub(crate) async fn get_result(
    State(api): State<Shared>,
    At(id): At<String>,
    mut params: Params,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    need(&caller, Scope::ReadJobs)?;
    let is_list = match params.one("list")?.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::new(Kind::BadRequest, "list is true or false")),
    };
    params.end("list")?;
    let found = api.lookout.find(&caller, &text::job(&id)?, Wanted::Record).await?;
    check_completed(&found)?;
    let told = &found.record.told;
    match told.first_outputs.as_slice() {
        [one] if told.outputs == 1 && !is_list => output(&found, one, &headers).await,
        outputs => {
            let view = outputs.iter().enumerate();
            let outputs = view.map(|(index, output)| OutputView::of(&id, index + 1, output)).collect();
            Ok(json(&Outputs { job_id: id, total: told.outputs, outputs }))
        }
    }
}

/// Get one output of a job
#[utoipa::path(
    get,
    path = "/v1/jobs/{job_id}/result/{number}",
    operation_id = "getOutput",
    tag = "Follow",
    params(
        ("job_id" = String, Path, description = "The job's id"),
        ("number" = u32, Path, description = "The number of the output, from 1", minimum = 1),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the last answer"),
    ),
    responses(
        (status = 200, description = "Its bytes, in its own media type", content(("*/*")), headers(
            ("ETag" = String, description = "Its SHA-256"),
            ("Content-Disposition" = Option<String>, description = "`attachment` of what browsers would run"),
        )),
        (status = 304, description = "It has not changed"),
    ),
    security(("token" = ["jobs:read"])),
)]
pub(crate) async fn get_output(
    State(api): State<Shared>,
    At((id, number)): At<(String, u32)>,
    params: Params,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    need(&caller, Scope::ReadJobs)?;
    params.end("none")?;
    let found = api.lookout.find(&caller, &text::job(&id)?, Wanted::Record).await?;
    check_completed(&found)?;
    let told = &found.record.told;
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    match index.and_then(|index| told.first_outputs.get(index)) {
        Some(one) => output(&found, one, &headers).await,
        None if (1..=told.outputs).contains(&number) => {
            let detail = "of a job with so many outputs only the first are kept here; the others are in the sink";
            Err(Problem::new(Kind::Gone, detail))
        }
        None => Err(Problem::new(Kind::NotFound, format!("the job has {} outputs", told.outputs))),
    }
}

/// What `getResult` answers in JSON: an output that is JSON looks as its stage has made it.
struct OneOrList;

impl PartialSchema for OneOrList {
    fn schema() -> RefOr<Schema> {
        AnyOfBuilder::new().item(Ref::from_schema_name(Outputs::name())).item(serde_json::Value::schema()).into()
    }
}

impl ToSchema for OneOrList {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Outputs::name().into(), Outputs::schema()));
        Outputs::schemas(schemas);
    }
}

fn check_completed(found: &Found) -> Result<(), Problem> {
    let record = &found.record;
    let not_yet = "the job is not over yet; follow it";
    match (record.standing.phase, record.ended) {
        (Phase::Ended, Some(Ended::Completed)) => Ok(()),
        (Phase::Ended, Some(Ended::Cancelled)) => Err(Problem::new(Kind::WrongState, "the job was cancelled")),
        (Phase::Ended, _) => {
            let reason = record.told.last_error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
            Err(Problem::new(Kind::WrongState, format!("the job has failed{reason}")))
        }
        _ => Err(Problem::new(Kind::WrongState, not_yet).retry_after(1)),
    }
}

async fn output(found: &Found, output: &OutputRecord, headers: &HeaderMap) -> Result<Response, Problem> {
    let digest: String = output.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{digest}\"");
    if has(headers, &tag) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        response.headers_mut().insert(header::ETAG, value(&tag));
        return Ok(response);
    }
    let body = match (&output.kept, &found.pipeline.objects) {
        (Some(KeptOutput::Inline(bytes)), _) => Body::from(bytes.clone()),
        (Some(KeptOutput::Object(stored)), Some(objects)) => {
            Body::from_stream(objects.get(stored).await.map_err(of_objects)?)
        }
        (Some(KeptOutput::Object(_)), None) => {
            return Err(Problem::new(Kind::Gone, "the output is in an object store that this host does not have"));
        }
        (None, _) => {
            let detail = format!("the bytes of outputs are not kept here; this one is in the topic {}", output.topic);
            return Err(Problem::new(Kind::Gone, detail));
        }
    };
    let mut response = Response::new(body);
    let set = response.headers_mut();
    set.insert(header::CONTENT_LENGTH, output.size.into());
    set.insert(header::ETAG, value(&tag));
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    add_type(set, output.content_type.as_deref());
    Ok(response)
}

/// The media type of an output; and that browsers neither guess another one nor run it with our rights.
fn add_type(headers: &mut HeaderMap, content_type: Option<&str>) {
    let content_type = content_type.and_then(|text| text::media_type(text).ok());
    let content_type = content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
    let (kind, _) = content_type.split_once(';').unwrap_or((&content_type, ""));
    if !HARMLESS.contains(&kind.trim().to_ascii_lowercase().as_str()) {
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
    headers.insert(header::CONTENT_TYPE, value(&content_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = HeaderValue::from_static("default-src 'none'; sandbox");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_would_run_is_handed_over_as_a_file() {
        let of = |content_type| {
            let mut headers = HeaderMap::new();
            add_type(&mut headers, content_type);
            assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
            let is_file = headers.contains_key(header::CONTENT_DISPOSITION);
            (headers[header::CONTENT_TYPE].to_str().unwrap().to_owned(), is_file)
        };
        assert_eq!(of(Some("text/plain; charset=utf-8")), ("text/plain; charset=utf-8".into(), false));
        assert_eq!(of(Some("text/html")), ("text/html".into(), true));
        assert_eq!(of(Some("Image/SVG+xml")), ("Image/SVG+xml".into(), true));
        for nothing in [None, Some(""), Some("text/plain\r\nset-cookie: x")] {
            assert_eq!(of(nothing), ("application/octet-stream".into(), true));
        }
    }
}
