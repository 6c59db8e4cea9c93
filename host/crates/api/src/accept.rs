//! What a request asks beside its body, and the answer once its jobs are accepted.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::join_all;
use gristmill_core::model::{Attribute, BatchId, Caller, IdempotencyKey, JobId, Timestamp};
use gristmill_core::ports::Wanted;
use tokio::time::timeout;

use super::api::{Api, json, json_bytes, value};
use super::audit::{Asker, Change};
use super::desk::Pipeline;
use super::draft::{Ack, Draft, Order, new_batch};
use super::lookout::Seen;
use super::problem::{Kind, Problem};
use super::query::Params;
use super::submit::Taken;
use super::text;
use super::view::{Accepted, AcceptedBatch, status_url};

/// When a client may ask for a new job, in seconds.
const ASK: &str = "1";
/// What the audit log calls it.
const SUBMIT: &str = "submit";

/// What a request says beside its body.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) asker: Asker,
    pub(crate) idempotency_key: Option<IdempotencyKey>,
    pub(crate) event_key: Option<Bytes>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) webhook: Option<String>,
    pub(crate) ack: Ack,
    pub(crate) wait: Option<Duration>,
    pub(crate) at: Timestamp,
}

impl Asked {
    /// Reads headers and parameters.
    pub(crate) fn read(api: &Api, asker: &Asker, headers: &HeaderMap, mut params: Params) -> Result<Self, Problem> {
        let encoding = headers.get(header::CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            let detail = "Content-Encoding is not supported: send the body as it is";
            return Err(Problem::new(Kind::UnsupportedMediaType, detail));
        }
        let ack = match params.one("ack")?.as_deref() {
            None | Some("broker") => Ack::Broker,
            Some("none") => Ack::Nothing,
            Some(_) => return Err(Problem::new(Kind::BadRequest, "ack is \"broker\" or \"none\"")),
        };
        let asked = Self {
            asker: asker.clone(),
            idempotency_key: text::idempotency_key(headers)?,
            event_key: text::event_key(params.one("key")?)?,
            attributes: text::attributes(headers)?,
            webhook: api.webhook(params.one("webhook")?)?,
            ack,
            wait: text::wait(params.one("wait")?)?,
            at: api.now(),
        };
        params.end("key, ack, wait, webhook")?;
        Ok(asked)
    }

    fn order(&self, batch: Option<BatchId>) -> Order {
        Order {
            owner: self.asker.caller.owner.clone(),
            batch,
            key: self.idempotency_key.clone(),
            webhook: self.webhook.clone(),
            ack: self.ack,
            at: self.at,
        }
    }
}

/// Submits one job and answers.
pub(crate) async fn accept_job(
    api: &Api,
    pipeline: &Arc<Pipeline>,
    drafts: Vec<Draft>,
    asked: &Asked,
) -> Result<Response, Problem> {
    let caller = &asked.asker.caller;
    let id = drafts.first().map_or_else(String::new, |draft| draft.job.to_string());
    let change = Change::of(&asked.asker, SUBMIT, &pipeline.name, id);
    let Taken { jobs, mut new } = api.submitter.submit(pipeline, drafts, asked.order(None), change).await?;
    let Some(job) = jobs.first() else {
        return Err(Problem::new(Kind::Internal, "the store has not said which job it is"));
    };
    match new.pop() {
        // The store is not asked for what it was just told.
        Some(record) => api.lookout.know(pipeline, record),
        // Not as it was before it was published.
        None => api.lookout.forget(job),
    }
    if let Some(ended) = wait_for_end(api, caller, job, asked.wait).await? {
        return Ok(job_as_it_is(job, &ended));
    }
    let status = api.lookout.see(caller, job).await.map_or("accepted", |seen| seen.status);
    let accepted = Accepted { job_id: job.to_string(), status, status_url: status_url(job.as_str()) };
    Ok(accepted_at(&accepted.status_url, json(&accepted)))
}

/// Submits jobs together and answers.
pub(crate) async fn accept_batch(
    api: &Api,
    pipeline: &Arc<Pipeline>,
    drafts: Vec<Draft>,
    asked: &Asked,
) -> Result<Response, Problem> {
    if asked.wait.is_some() {
        return Err(Problem::new(Kind::BadRequest, "wait is for single jobs; follow the batch instead"));
    }
    let batch = new_batch(asked.at);
    let caller = &asked.asker.caller;
    let change = Change::of(&asked.asker, SUBMIT, &pipeline.name, &*batch.0);
    let Taken { jobs, new } = api.submitter.submit(pipeline, drafts, asked.order(Some(batch.clone())), change).await?;
    let status = match asked.ack {
        Ack::Broker => "queued",
        Ack::Nothing => "accepted",
    };
    let accepted =
        |job: &JobId, status| Accepted { job_id: job.to_string(), status, status_url: status_url(job.as_str()) };
    let (batch, jobs) = match jobs.first() {
        // A repeated request: it has its batch already, and its jobs may be further.
        Some(first) if new.is_empty() => {
            let found = api.lookout.find(caller, first, Wanted::Record).await?;
            let jobs = join_all(jobs.iter().map(async |job| {
                let seen = api.lookout.see(caller, job).await;
                accepted(job, seen.map_or(status, |seen| seen.status))
            }));
            (found.record.batch.unwrap_or(batch), jobs.await)
        }
        _ => (batch, jobs.iter().map(|job| accepted(job, status)).collect()),
    };
    let status_url = format!("/v1/batches/{}", text::segment(&batch.0));
    let accepted = AcceptedBatch { jobs, batch_id: batch.0, status_url };
    Ok(accepted_at(&accepted.status_url, json(&accepted)))
}

/// Adds to an answer where to ask, and when.
pub(crate) fn accepted_at(url: &str, mut response: Response) -> Response {
    *response.status_mut() = StatusCode::ACCEPTED;
    response.headers_mut().insert(header::LOCATION, value(url));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(ASK));
    response
}

async fn wait_for_end(
    api: &Api,
    caller: &Caller,
    job: &JobId,
    wait: Option<Duration>,
) -> Result<Option<Arc<Seen>>, Problem> {
    let Some(wait) = wait else { return Ok(None) };
    let mut seen = api.lookout.follow(caller, job).await?;
    let ended = async {
        loop {
            let now = Arc::clone(&seen.borrow_and_update());
            if now.is_over {
                return Some(now);
            }
            tokio::select! {
                changed = seen.changed() => changed.ok()?,
                () = api.stop.cancelled() => return None,
            }
        }
    };
    Ok(timeout(wait, ended).await.ok().flatten())
}

fn job_as_it_is(job: &JobId, seen: &Seen) -> Response {
    let mut response = json_bytes(seen.body.clone());
    response.headers_mut().insert(header::LOCATION, value(&status_url(job.as_str())));
    response.headers_mut().insert(header::ETAG, value(&format!("\"{}\"", seen.tag)));
    response
}
