//! Reading jobs: one, many, a batch, what has happened.

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gristmill_core::model::{Caller, Scope};
use gristmill_core::ports::Wanted;

use super::api::{At, Shared, has, json, json_bytes, need, value};
use super::detail::{DeliveryView, MomentView, Timeline, Webhooks};
use super::listing::{Choice, Listing, MOST, read_cursor, write_cursor};
use super::problem::{Kind, Problem};
use super::query::Params;
use super::text;
use super::view::{BatchView, JobList, JobView};

/// How many jobs a list has if nobody says otherwise.
const USUAL: u32 = 100;

/// Get a job
///
/// At most 250 ms old, 1 s if it has not changed for that long, and 2 s once it is over. Ask as often as you like, with `If-None-Match`: most answers are 304.
#[utoipa::path(
    get,
    path = "/v1/jobs/{job_id}",
    operation_id = "getJob",
    tag = "Follow",
    params(
        ("job_id" = String, Path, description = "The job's id; \"/\" in it is written %2F"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the last answer"),
    ),
    responses(
        (status = 200, description = "The job", body = JobView, headers(("ETag" = String, description = "Its version"))),
        (status = 304, description = "It has not changed", headers(("ETag" = String, description = "Its version"))),
    ),
    security(("token" = ["jobs:read"])),
)]
pub(crate) async fn get_job(
    State(api): State<Shared>,
    At(id): At<String>,
    params: Params,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    need(&caller, Scope::ReadJobs)?;
    params.end("none")?;
    let seen = api.lookout.see(&caller, &text::job(&id)?).await?;
    let tag = format!("\"{}\"", seen.tag);
    let mut response = match has(&headers, &tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => json_bytes(seen.body.clone()),
    };
    response.headers_mut().insert(header::ETAG, value(&tag));
    Ok(response)
}

/// List jobs
///
/// The newest first. Only those that the caller may see.
#[utoipa::path(
    get,
    path = "/v1/jobs",
    operation_id = "listJobs",
    tag = "Follow",
    params(
        ("pipeline" = Option<String>, Query, description = "Of this pipeline"),
        ("status" = Option<String>, Query, description = "With one of these statuses: `running,waiting`"),
        ("batch" = Option<String>, Query, description = "Of this batch"),
        ("most" = Option<u32>, Query, description = "At most so many", minimum = 1, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the last part, with the same filters"),
    ),
    responses((status = 200, description = "A part of the list. `attribute.NAME=VALUE` chooses by attributes", body = JobList)),
    security(("token" = ["jobs:read"])),
)]
pub(crate) async fn list_jobs(
    State(api): State<Shared>,
    mut params: Params,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    need(&caller, Scope::ReadJobs)?;
    let listed = params.all("status");
    let choice = Choice {
        pipeline: params.one("pipeline")?,
        statuses: listed.iter().flat_map(|list| list.split(',')).map(str::to_owned).collect(),
        batch: params.one("batch")?,
        attributes: params.beginning("attribute."),
    };
    let most = match params.one("most")? {
        None => USUAL,
        Some(text) => match text.parse() {
            Ok(most @ 1..=MOST) => most,
            _ => return Err(Problem::new(Kind::BadRequest, format!("most is a number from 1 to {MOST}"))),
        },
    };
    let after = params.one("cursor")?.map(|cursor| read_cursor(&choice, &cursor)).transpose()?;
    params.end("pipeline, status, batch, attribute.NAME, most, cursor")?;
    let listing = Listing::of(&api, &caller, choice.clone())?;
    let page = listing.page(after, most).await?;
    let is_full = page.len() == usize::try_from(most).unwrap_or(usize::MAX);
    let next_cursor = page.last().filter(|_| is_full).map(|(_, last)| write_cursor(&choice, last));
    let jobs = page.iter().map(|(pipeline, record)| JobView::of(&pipeline.name, &pipeline.stages, record)).collect();
    Ok(json(&JobList { jobs, next_cursor }))
}

/// Get a batch
#[utoipa::path(
    get,
    path = "/v1/batches/{batch_id}",
    operation_id = "getBatch",
    tag = "Follow",
    params(("batch_id" = String, Path, description = "The batch's id")),
    responses((status = 200, description = "How far its jobs are", body = BatchView)),
    security(("token" = ["jobs:read"])),
)]
pub(crate) async fn get_batch(
    State(api): State<Shared>,
    At(id): At<String>,
    params: Params,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    need(&caller, Scope::ReadJobs)?;
    params.end("none")?;
    let choice = Choice { batch: Some(id.clone()), ..Choice::default() };
    let summary = Listing::of(&api, &caller, choice)?.summary().await?;
    let shown: String = id.chars().filter(|c| !c.is_control()).take(200).collect();
    let none = || Problem::new(Kind::NotFound, format!("there is no batch {shown:?}"));
    Ok(json(&BatchView::of(&id, &summary).ok_or_else(none)?))
}

/// Get a job's timeline
///
/// Stages, attempts and calls of models, with tokens and cost.
#[utoipa::path(
    get,
    path = "/v1/jobs/{job_id}/timeline",
    operation_id = "getTimeline",
    tag = "Follow",
    params(("job_id" = String, Path, description = "The job's id")),
    responses((status = 200, description = "What has happened", body = Timeline)),
    security(("token" = ["jobs:read"])),
)]
pub(crate) async fn get_timeline(
    State(api): State<Shared>,
    At(id): At<String>,
    params: Params,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    need(&caller, Scope::ReadJobs)?;
    params.end("none")?;
    let found = api.lookout.find(&caller, &text::job(&id)?, Wanted::History).await?;
    let mut moments: Vec<_> = found.moments.iter().collect();
    // They are written together with others, each kind by those who see it.
    moments.sort_by_key(|moment| (moment.run, moment.at));
    let moments = moments.into_iter().map(MomentView::of).collect();
    Ok(json(&Timeline { job_id: found.record.job.to_string(), moments }))
}

/// Get a job's webhooks
#[utoipa::path(
    get,
    path = "/v1/jobs/{job_id}/webhooks",
    operation_id = "getWebhooks",
    tag = "Follow",
    params(("job_id" = String, Path, description = "The job's id")),
    responses((status = 200, description = "Who was told of its ends", body = Webhooks)),
    security(("token" = ["jobs:read"])),
)]
pub(crate) async fn get_webhooks(
    State(api): State<Shared>,
    At(id): At<String>,
    params: Params,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    need(&caller, Scope::ReadJobs)?;
    params.end("none")?;
    let found = api.lookout.find(&caller, &text::job(&id)?, Wanted::Record).await?;
    let deliveries = found.pipeline.deliveries.of(&found.record.job).await;
    let deliveries = deliveries.map_err(|error| Problem::of_store(&error))?;
    Ok(json(&Webhooks { deliveries: deliveries.iter().map(DeliveryView::of).collect() }))
}
