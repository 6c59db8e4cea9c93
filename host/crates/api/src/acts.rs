//! What people ask of one job: to end it, to run it again, to tell of its end once more.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::response::Response;
use bytes::Bytes;
use gristmill_core::flow::names;
use gristmill_core::model::{
    Act, Acted, Caller, Event, EventDigest, Header, JobId, JobRecord, ObjectName, ObjectOf, PayloadText, Phase, Run,
    Scope,
};
use gristmill_core::ports::{Record, Wanted};

use super::accept::accepted_at;
use super::api::{Api, At, Shared, json, need};
use super::audit::{Asker, Change};
use super::desk::Pipeline;
use super::draft::new_job;
use super::intake::{self, Payload, check_length, take};
use super::lookout::Found;
use super::problem::{Kind, Problem};
use super::query::Params;
use super::submit::{add_attribute, event, event_digest, fill};
use super::text;
use super::view::{Accepted, status_url};

/// Cancel a job
///
/// Ends it without outputs. A host that runs it hears of that within some seconds; one that is queued ends when its event is
/// taken. May be repeated.
#[utoipa::path(
    post,
    path = "/v1/jobs/{job_id}/cancel",
    operation_id = "cancelJob",
    tag = "Act",
    params(("job_id" = String, Path, description = "The job's id")),
    responses((status = 202, description = "It will end", body = Accepted, headers(
        ("Location" = String, description = "Where to ask for it"),
        ("Retry-After" = u32, description = "When to ask, in seconds"),
    ))),
    security(("token" = ["jobs:write"])),
)]
pub(crate) async fn cancel_job(
    State(api): State<Shared>,
    At(id): At<String>,
    params: Params,
    asker: Asker,
) -> Result<Response, Problem> {
    need(&asker.caller, Scope::WriteJobs)?;
    params.end("none")?;
    let found = api.lookout.find(&asker.caller, &text::job(&id)?, Wanted::Record).await?;
    cancel(&api, &asker, &found.pipeline, &found.record.job).await?;
    answer(&api, &asker.caller, &found.record.job).await
}

/// Retry a job
///
/// Runs a job again that is over: from the stage that failed, or from `from_stage` on. With a body, that is its new input;
/// without one it gets what a host has taken last.
#[utoipa::path(
    post,
    path = "/v1/jobs/{job_id}/retry",
    operation_id = "retryJob",
    tag = "Act",
    params(
        ("job_id" = String, Path, description = "The job's id"),
        ("from_stage" = Option<String>, Query, description = "The first stage to run again"),
    ),
    request_body(content(("*/*")), description = "An edited input; without a body the job gets the same again"),
    responses((status = 202, description = "It is in a new run", body = Accepted, headers(
        ("Location" = String, description = "Where to ask for it"),
        ("Retry-After" = u32, description = "When to ask, in seconds"),
    ))),
    security(("token" = ["dlq:write"])),
)]
pub(crate) async fn retry_job(
    State(api): State<Shared>,
    At(id): At<String>,
    mut params: Params,
    asker: Asker,
    request: Request,
) -> Result<Response, Problem> {
    need(&asker.caller, Scope::WriteDeadLetters)?;
    let from_stage = params.one("from_stage")?;
    params.end("from_stage")?;
    check_length(request.headers(), api.max_body)?;
    let found = api.lookout.find(&asker.caller, &text::job(&id)?, Wanted::Record).await?;
    check_over(&found.record)?;
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.map(text::media_type).transpose()?;
    // Under a name of its own: if the retry is refused, the first input is still there.
    let object = ObjectName::of(&found.pipeline.name, &new_job(api.now()), ObjectOf::Input);
    let mut chunks = intake::paced(request.into_body(), api.max_body);
    let edited = match take(&mut chunks, &found.pipeline, object, api.max_body).await? {
        Payload::Inline(bytes) if bytes.is_empty() => None,
        payload => Some(Edited { payload, content_type }),
    };
    let Found { pipeline, record, moments: _ } = found;
    let job = record.job.clone();
    retry(&api, &asker, &pipeline, record, from_stage, edited).await?;
    answer(&api, &asker.caller, &job).await
}

/// Redeliver a webhook
///
/// Tells of the end of the last run again, now, whatever became of earlier tries.
#[utoipa::path(
    post,
    path = "/v1/jobs/{job_id}/webhooks/redeliver",
    operation_id = "redeliverWebhook",
    tag = "Act",
    params(("job_id" = String, Path, description = "The job's id")),
    responses((status = 202, description = "It is sent soon", body = Accepted, headers(
        ("Location" = String, description = "Where to ask for the job"),
        ("Retry-After" = u32, description = "When to ask, in seconds"),
    ))),
    security(("token" = ["dlq:write"])),
)]
pub(crate) async fn redeliver_webhook(
    State(api): State<Shared>,
    At(id): At<String>,
    params: Params,
    asker: Asker,
) -> Result<Response, Problem> {
    need(&asker.caller, Scope::WriteDeadLetters)?;
    params.end("none")?;
    let found = api.lookout.find(&asker.caller, &text::job(&id)?, Wanted::Record).await?;
    let Found { pipeline, record, moments: _ } = found;
    let change = Change::of(&asker, "redeliver", &pipeline.name, record.job.as_str());
    let (job, now) = (record.job.clone(), api.now());
    api.audited(change, async move {
        match pipeline.deliveries.again(&record.job, now).await.map_err(|error| Problem::of_store(&error))? {
            true => Ok(()),
            false => {
                let detail = "the job has no webhook, or is not over yet: there is nothing to deliver again";
                Err(Problem::new(Kind::WrongState, detail))
            }
        }
    })
    .await?;
    answer(&api, &asker.caller, &job).await
}

/// Where the job is now.
async fn answer(api: &Api, caller: &Caller, job: &JobId) -> Result<Response, Problem> {
    api.lookout.forget(job);
    let seen = api.lookout.see(caller, job).await?;
    let url = status_url(job.as_str());
    let accepted = Accepted { job_id: job.to_string(), status: seen.status, status_url: url.clone() };
    Ok(accepted_at(&url, json(&accepted)))
}

/// A new input.
pub(crate) struct Edited {
    payload: Payload,
    content_type: Option<String>,
}

/// Asks for the end of a job.
pub(crate) async fn cancel(api: &Shared, asker: &Asker, pipeline: &Arc<Pipeline>, job: &JobId) -> Result<(), Problem> {
    let change = Change::of(asker, "cancel", &pipeline.name, job.as_str());
    let (shared, pipeline, job) = (Arc::clone(api), Arc::clone(pipeline), job.clone());
    api.audited(change, async move { ask(&shared, &pipeline, &job, &Act::Cancel).await.map(drop) }).await
}

/// Asks for a new run of a job, and publishes its event.
pub(crate) async fn retry(
    api: &Shared,
    asker: &Asker,
    pipeline: &Arc<Pipeline>,
    record: JobRecord,
    from_stage: Option<String>,
    edited: Option<Edited>,
) -> Result<(), Problem> {
    let change = Change::of(asker, "retry", &pipeline.name, record.job.as_str());
    let (shared, pipeline) = (Arc::clone(api), Arc::clone(pipeline));
    api.audited(change, async move { run_again(&shared, &pipeline, &record, from_stage, edited).await }).await
}

async fn run_again(
    api: &Api,
    pipeline: &Arc<Pipeline>,
    record: &JobRecord,
    from_stage: Option<String>,
    edited: Option<Edited>,
) -> Result<(), Problem> {
    check_over(record)?;
    if let Some(name) = from_stage.as_deref().filter(|name| pipeline.stages.iter().all(|stage| stage.name != *name)) {
        let names: Vec<_> = pipeline.stages.iter().map(|stage| stage.name.as_str()).collect();
        let detail = format!("there is no stage {name:?}; there are: {}", names.join(", "));
        return Err(Problem::new(Kind::BadRequest, detail));
    }
    let last = last_event(pipeline, record).await?;
    let (key, digest) = match (&edited, &last) {
        (Some(edited), last) => {
            let key = last.as_ref().and_then(|last| last.key.clone());
            let digest = event_digest(key.as_deref(), &edited.payload);
            (key, digest)
        }
        (None, Some(last)) => (last.key.clone(), digest_of(last)),
        (None, None) => {
            let detail = "the broker has deleted the event of the job; retry it with its input as the body";
            return Err(Problem::new(Kind::Gone, detail));
        }
    };
    let inline = |event: &Event| Payload::Inline(event.payload.clone().unwrap_or_default());
    let input = edited.as_ref().map(|edited| edited.payload.clone()).or_else(|| last.as_ref().map(inline));
    let room = api.submitter.room_for(&input.unwrap_or_else(|| Payload::Inline(Bytes::new()))).await?;
    let act = Act::Retry { from_stage, event: digest };
    let run = ask(api, pipeline, &record.job, &act).await?;
    let event = again(api, pipeline, record, run, key, last, edited);
    api.submitter.publish(room, pipeline, (record.job.clone(), run), event).await
}

async fn ask(api: &Api, pipeline: &Pipeline, job: &JobId, act: &Act) -> Result<Run, Problem> {
    let acted = pipeline.acts.ask(job, act, api.now()).await.map_err(|error| Problem::of_store(&error))?;
    match (acted, act) {
        (Acted::Done(run), _) => Ok(run),
        (Acted::Unknown, _) => Err(text::no_job(job.as_str())),
        (Acted::Conflict(_), Act::Cancel) => Err(Problem::new(Kind::WrongState, "the job is over already")),
        (Acted::Conflict(_), Act::Retry { .. }) => Err(not_over()),
    }
}

/// A job that is not over is not retried; one whose retry could not be published is, again.
fn check_over(record: &JobRecord) -> Result<(), Problem> {
    match record.standing.phase == Phase::Ended || record.is_unpublished_retry() {
        true => Ok(()),
        false => Err(not_over()),
    }
}

fn not_over() -> Problem {
    Problem::new(Kind::WrongState, "the job is not over yet: cancel it first, or wait for its end")
}

/// The event of the last run that a host has taken, if the broker still has it.
async fn last_event(pipeline: &Pipeline, record: &JobRecord) -> Result<Option<Event>, Problem> {
    let first = || record.first.as_ref().map(|first| &first.place);
    let taken = record.place.as_ref().or(record.earlier_place.as_ref());
    let Some(place) = taken.or_else(first) else { return Ok(None) };
    let found = pipeline.events.find(place).await.map_err(|error| {
        tracing::warn!(pipeline = %pipeline.name, %error, "the event of a job cannot be read back");
        Problem::new(Kind::BrokerUnavailable, "the event of the job cannot be read for now; ask again").retry_after(5)
    })?;
    // The topic may have been created anew: then another event is there.
    let is_it = |event: &Event| match record.event {
        Some(expected) if record.place.is_some() => digest_of(event) == expected,
        _ => true,
    };
    Ok(found.filter(is_it))
}

fn digest_of(event: &Event) -> EventDigest {
    let reference = reference(event).and_then(|header| std::str::from_utf8(header.value.as_deref()?).ok());
    let payload = match reference {
        Some(text) => PayloadText::Reference(text),
        None => PayloadText::Inline(event.payload.as_deref().unwrap_or_default()),
    };
    EventDigest::of(event.key.as_deref(), payload)
}

fn reference(event: &Event) -> Option<&Header> {
    event.headers.iter().find(|header| header.name == names::PAYLOAD)
}

/// The event of a further run.
fn again(
    api: &Api,
    pipeline: &Pipeline,
    record: &JobRecord,
    run: Run,
    key: Option<Bytes>,
    last: Option<Event>,
    edited: Option<Edited>,
) -> Record {
    let mut new = event(pipeline, &record.job, run, key, api.now());
    match &last {
        Some(last) => {
            let is_replaced = |header: &Header| {
                let is_type = header.name.eq_ignore_ascii_case(names::CONTENT_TYPE);
                names::is_ours(header) || (is_type && edited.as_ref().is_some_and(|new| new.content_type.is_some()))
            };
            new.headers.extend(last.headers.iter().filter(|header| !is_replaced(header)).cloned());
        }
        None => {
            for attribute in &record.attributes {
                add_attribute(&mut new, &attribute.name, &attribute.value);
            }
            if let Some(owner) = &record.owner {
                add_attribute(&mut new, "sys.tenant", &owner.tenant);
                add_attribute(&mut new, "sys.subject", &owner.subject);
            }
        }
    }
    match (edited, last) {
        (Some(edited), _) => {
            if let Some(content_type) = edited.content_type {
                new.headers.push(Header { name: names::CONTENT_TYPE.into(), value: Some(content_type.into()) });
            }
            fill(&mut new, edited.payload);
        }
        (None, Some(last)) => {
            new.headers.extend(reference(&last).cloned());
            new.payload = last.payload;
        }
        (None, None) => {}
    }
    new
}
