//! `POST /v1/jobs/actions`: the same act for all jobs of a filter, each on its own.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::stream::{StreamExt, iter};
use gristmill_core::model::Scope;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::acts::{cancel, retry};
use super::api::{Shared, json, need};
use super::audit::Asker;
use super::intake::{Object, all, check_json, check_length, parse};
use super::listing::{Choice, Listed, Listing, MOST};
use super::problem::{Kind, Problem};
use super::query::Params;
use super::view::StatusName;

/// The largest body.
const LARGEST: u64 = 64 << 10;
/// How many jobs are asked at a time.
const AT_A_TIME: usize = 16;
/// How many failures are shown.
const SHOWN: usize = 10;

/// What to do with which jobs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActionRequest {
    /// What to do.
    action: Action,
    /// With which jobs. At least one member.
    #[schema(value_type = FilterRequest)]
    filter: Object<FilterRequest>,
    /// Of `retry`: the first stage to run again.
    #[serde(default)]
    from_stage: Option<String>,
    /// Only counts the jobs. Say `false` to act.
    #[serde(default = "yes")]
    dry_run: bool,
    /// With at most so many, the newest first.
    #[serde(default = "most")]
    #[schema(minimum = 1, maximum = 1000)]
    most: u32,
}

/// An act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// Ends jobs without outputs.
    Cancel,
    /// Runs jobs again.
    Retry,
}

/// Which jobs.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FilterRequest {
    /// Of this pipeline.
    pipeline: Option<String>,
    /// With one of these statuses. Without it: those that can be cancelled; of `retry` those that have failed.
    #[schema(value_type = Vec<StatusName>)]
    status: Vec<String>,
    /// Of this batch.
    batch: Option<String>,
    /// With all of these attributes.
    attributes: BTreeMap<String, String>,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActionResult {
    /// Whether nothing was done.
    dry_run: bool,
    /// How many jobs the filter has, up to `most`.
    matched: usize,
    /// How many were asked successfully. 0 of a dry run.
    done: usize,
    /// How many were not: they are in another state by now, or something is away.
    failed: usize,
    /// The first of these.
    failures: Vec<FailedAction>,
    /// Whether the filter may have more jobs: ask again.
    more: bool,
}

/// A job that was not asked successfully.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailedAction {
    /// The job.
    job_id: String,
    /// Why.
    detail: String,
}

fn yes() -> bool {
    true
}

fn most() -> u32 {
    MOST
}

/// Act on many jobs
///
/// Cancels or retries all jobs of a filter. Nothing is done unless `dry_run` is `false`. Each job is an act of its own: what
/// has been done stays done if another fails.
#[utoipa::path(
    post,
    path = "/v1/jobs/actions",
    operation_id = "actOnJobs",
    tag = "Act",
    request_body(content = ActionRequest, content_type = "application/json"),
    responses((status = 200, description = "What became of it", body = ActionResult)),
    security(("token" = ["jobs:write", "dlq:write"])),
)]
pub(crate) async fn act_on_jobs(
    State(api): State<Shared>,
    params: Params,
    asker: Asker,
    request: Request,
) -> Result<Response, Problem> {
    params.end("none")?;
    check_json(request.headers())?;
    check_length(request.headers(), LARGEST)?;
    let body = all(request.into_body(), LARGEST).await?;
    let asked: ActionRequest = parse(&body)?;
    let usual: &[&str] = match asked.action {
        Action::Cancel => {
            need(&asker.caller, Scope::WriteJobs)?;
            &["accepted", "queued", "running", "waiting"]
        }
        Action::Retry => {
            need(&asker.caller, Scope::WriteDeadLetters)?;
            &["failed"]
        }
    };
    let Object(FilterRequest { pipeline, status, batch, attributes }) = asked.filter;
    if pipeline.is_none() && status.is_empty() && batch.is_none() && attributes.is_empty() {
        return Err(Problem::new(
            Kind::BadRequest,
            "the filter is empty: name a pipeline, a status, a batch or attributes",
        ));
    }
    if !(1..=MOST).contains(&asked.most) {
        return Err(Problem::new(Kind::BadRequest, format!("most is a number from 1 to {MOST}")));
    }
    let statuses = if status.is_empty() { usual.iter().map(|&name| name.to_owned()).collect() } else { status };
    let choice = Choice { pipeline, statuses, batch, attributes: attributes.into_iter().collect() };
    let jobs = Listing::of(&api, &asker.caller, choice)?.page(None, asked.most).await?;
    let matched = jobs.len();
    let more = matched == usize::try_from(asked.most).unwrap_or(usize::MAX);
    let mut result = ActionResult { dry_run: asked.dry_run, matched, done: 0, failed: 0, failures: Vec::new(), more };
    if asked.dry_run {
        return Ok(json(&result));
    }
    let (api, asker, from_stage) = (&api, &asker, &asked.from_stage);
    let act = async |(pipeline, record): Listed| {
        let job = record.job.clone();
        let acted = match asked.action {
            Action::Cancel => cancel(api, asker, &pipeline, &record.job).await,
            Action::Retry => retry(api, asker, &pipeline, record, from_stage.clone(), None).await,
        };
        api.lookout.forget(&job);
        (job, acted)
    };
    let mut acted = iter(jobs).map(act).buffer_unordered(AT_A_TIME);
    while let Some((job, outcome)) = acted.next().await {
        match outcome {
            Ok(()) => result.done += 1,
            Err(problem) => {
                result.failed += 1;
                if result.failures.len() < SHOWN {
                    result.failures.push(FailedAction { job_id: job.to_string(), detail: problem.detail });
                }
            }
        }
    }
    Ok(json(&result))
}
