//! `POST /v1/pipelines/{pipeline}/batches`: many small jobs in one body. All are accepted, or none.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::response::Response;
use gristmill_core::model::{Attribute, Scope};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::accept::{Asked, accept_batch};
use super::api::{At, Shared, need};
use super::audit::Asker;
use super::draft::{Ack, Draft, MOST_JOBS, new_job};
use super::intake::{Object, Payload, all, check_json, check_length, parse, too_large};
use super::problem::{Kind, Problem};
use super::query::Params;
use super::text;
use super::view::AcceptedBatch;

/// The largest body of JSON. It is read as a whole.
const LARGEST: u64 = 16 << 20;

/// Jobs that are submitted together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchRequest {
    /// The jobs, 1 to 1,000.
    #[schema(value_type = Vec<JobRequest>, min_items = 1, max_items = 1_000)]
    jobs: Vec<Object<JobRequest>>,
    /// Attributes of all of them. At most 100 of each job, of one line each; names of a-z, 0-9, "-", "_" and ".".
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

/// A job of a batch. It has `json` or `text`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobRequest {
    /// Its input: any JSON, passed on as it is written.
    #[serde(default, deserialize_with = "raw")]
    #[schema(value_type = Option<serde_json::Value>)]
    json: Option<Box<RawValue>>,
    /// Its input as text.
    #[serde(default)]
    text: Option<String>,
    /// Its media type; without it `application/json`, or `text/plain; charset=utf-8` of a text.
    #[serde(default)]
    content_type: Option<String>,
    /// The key of its event.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 255)]
    key: Option<String>,
    /// Its own attributes. They have precedence.
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

/// A `null` is an input, too.
fn raw<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

/// Submit a batch
///
/// Many small jobs in one body, of at most 16 MiB. All of them are accepted, or none. For files, send a form to `jobs`.
#[utoipa::path(
    post,
    path = "/v1/pipelines/{pipeline}/batches",
    operation_id = "submitBatch",
    tag = "Submit",
    params(
        ("pipeline" = String, Path, description = "The pipeline's name"),
        ("ack" = inline(Option<Ack>), Query, description = "`broker` waits for the broker's acknowledgement, `none` does not"),
        ("webhook" = Option<String>, Query, description = "Whom to tell of the end of each job"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request the same request", min_length = 1, max_length = 257),
    ),
    request_body(content = BatchRequest, content_type = "application/json"),
    responses(
        (status = 202, description = "Accepted", body = AcceptedBatch, headers(
            ("Location" = String, description = "Where to ask for the batch"),
            ("Retry-After" = u32, description = "When to ask first, in seconds"),
        )),
    ),
    security(("token" = ["jobs:write"])),
)]
pub(crate) async fn submit_batch(
    State(api): State<Shared>,
    At(name): At<String>,
    params: Params,
    asker: Asker,
    request: Request,
) -> Result<Response, Problem> {
    need(&asker.caller, Scope::WriteJobs)?;
    let pipeline = api.pipeline(&name)?;
    let asked = Asked::read(&api, &asker, request.headers(), params)?;
    if asked.event_key.is_some() {
        return Err(Problem::new(Kind::BadRequest, "each job of a batch has a key of its own, in the body"));
    }
    let most = api.max_body.min(LARGEST);
    check_json(request.headers())?;
    check_length(request.headers(), most)?;
    let body = all(request.into_body(), most).await?;
    let batch: BatchRequest = parse(&body)?;
    if batch.jobs.is_empty() || batch.jobs.len() > MOST_JOBS {
        return Err(Problem::new(Kind::BadRequest, format!("a batch has 1 to {MOST_JOBS} jobs")));
    }
    let common = attributes(batch.attributes, &asked.attributes);
    let mut drafts = Vec::with_capacity(batch.jobs.len());
    for (index, Object(job)) in batch.jobs.into_iter().enumerate() {
        let named = |problem: Problem| Problem { detail: format!("jobs[{index}]: {}", problem.detail), ..problem };
        drafts.push(draft(job, &common, &asked, pipeline.inline_max.get()).map_err(named)?);
    }
    accept_batch(&api, &pipeline, drafts, &asked).await
}

fn draft(job: JobRequest, common: &[Attribute], asked: &Asked, inline_max: u64) -> Result<Draft, Problem> {
    let (payload, content_type) = match (job.json, job.text) {
        (Some(json), None) => (String::from(Box::<str>::from(json)), "application/json"),
        (None, Some(text)) => (text, "text/plain; charset=utf-8"),
        _ => return Err(Problem::new(Kind::BadRequest, "a job has either json or text")),
    };
    if payload.len() as u64 > inline_max {
        let problem = too_large(inline_max);
        return Err(Problem { detail: format!("{}; submit it on its own", problem.detail), ..problem });
    }
    let content_type = match job.content_type {
        Some(given) => text::media_type(&given)?,
        None => content_type.to_owned(),
    };
    Ok(Draft {
        job: new_job(asked.at),
        key: text::event_key(job.key)?,
        content_type: Some(content_type),
        attributes: text::checked(attributes(job.attributes, common))?,
        payload: Payload::Inline(payload.into()),
    })
}

/// All of the first, and those of the second that the first does not name.
fn attributes(own: BTreeMap<String, String>, common: &[Attribute]) -> Vec<Attribute> {
    let others: Vec<_> = common.iter().filter(|common| !own.contains_key(&common.name)).cloned().collect();
    own.into_iter().map(|(name, value)| Attribute { name, value }).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_passed_on_as_it_is_written() {
        let batch: BatchRequest = parse(br#"{"jobs": [{"json": {"b": 1.0, "a": 10000000000000000000000}}]}"#).unwrap();
        assert_eq!(batch.jobs[0].0.json.as_ref().unwrap().get(), r#"{"b": 1.0, "a": 10000000000000000000000}"#);
        let null: BatchRequest = parse(br#"{"jobs": [{"json": null}]}"#).unwrap();
        assert_eq!(null.jobs[0].0.json.as_ref().unwrap().get(), "null");
        for list in [r#"[[{"text": "a"}]]"#, r#"{"jobs": [[null]]}"#] {
            let refused = parse::<BatchRequest>(list.as_bytes()).unwrap_err().detail;
            assert!(refused.contains("expected an object"), "{refused}");
        }
        assert!(parse::<BatchRequest>(br#"{"jobs": [], "job": 1}"#).unwrap_err().detail.contains("job"));
    }

    #[test]
    fn a_jobs_own_attributes_have_precedence() {
        let common = [("a", "1"), ("b", "2")].map(|(name, value)| Attribute { name: name.into(), value: value.into() });
        let all = attributes([("a".to_owned(), "own".to_owned())].into(), &common);
        let shown: Vec<_> = all.iter().map(|one| (one.name.as_str(), one.value.as_str())).collect();
        assert_eq!(shown, [("a", "own"), ("b", "2")]);
    }
}
