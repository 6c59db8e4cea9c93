//! A job as server-sent events: its states from now on, until it is over.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use gristmill_core::model::{Caller, Scope};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::api::{At, InUse, Shared, need};
use super::lookout::Seen;
use super::problem::{Kind, Problem};
use super::query::Params;
use super::text;

/// After how long a client comes back that has lost its stream.
const RETRY: Duration = Duration::from_secs(2);
/// How often a stream without events gives a sign of life.
const ALIVE: Duration = Duration::from_secs(15);

/// Follow a job
///
/// Server-sent events, as `EventSource` reads them: each has the event type `job`, the job as `getJob` has it as its data, and
/// its version as its id. The stream ends after the end of the job. Whoever comes back with `Last-Event-ID` gets the newest
/// state, if there is a newer one; 204 says that there is nothing more to come.
#[utoipa::path(
    get,
    path = "/v1/jobs/{job_id}/events",
    operation_id = "followJob",
    tag = "Follow",
    params(
        ("job_id" = String, Path, description = "The job's id"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was read"),
    ),
    responses(
        (status = 200, description = "The events", content(("text/event-stream"))),
        (status = 204, description = "The job is over, and its last state was read"),
    ),
    security(("token" = ["jobs:read"])),
)]
pub(crate) async fn follow_job(
    State(api): State<Shared>,
    At(id): At<String>,
    params: Params,
    Extension(caller): Extension<Caller>,
    Extension(in_use): Extension<InUse>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    need(&caller, Scope::ReadJobs)?;
    params.end("none")?;
    let Ok(permit) = Arc::clone(&api.streams).try_acquire_owned() else {
        let detail = "too many streams of events are open; ask for the job itself, or later";
        return Err(Problem::new(Kind::TooManyRequests, detail).retry_after(10));
    };
    let seen = api.lookout.follow(&caller, &text::job(&id)?).await?;
    let last = headers.get("last-event-id").and_then(|last| last.to_str().ok()).map(str::to_owned);
    {
        let now = seen.borrow();
        if now.is_over && last.as_deref() == Some(&now.tag) {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
    }
    let reader = Reader { seen, last, is_new: true, stop: api.stop.clone(), _permit: permit, _in_use: in_use };
    let alive = KeepAlive::new().interval(ALIVE);
    let mut response = Sse::new(events(reader)).keep_alive(alive).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that collect answers would hold the events back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Somebody who reads. The permit and the connection are held as long.
struct Reader {
    seen: watch::Receiver<Arc<Seen>>,
    /// The version that was last sent.
    last: Option<String>,
    is_new: bool,
    stop: CancellationToken,
    _permit: OwnedSemaphorePermit,
    _in_use: InUse,
}

fn events(reader: Reader) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(Some(reader), async |reader| {
        let mut reader = reader?;
        loop {
            let seen = Arc::clone(&reader.seen.borrow_and_update());
            if reader.last.as_deref() != Some(&seen.tag) {
                reader.last = Some(seen.tag.clone());
                let mut event = Event::default().event("job").id(&seen.tag).data(String::from_utf8_lossy(&seen.body));
                if std::mem::take(&mut reader.is_new) {
                    event = event.retry(RETRY);
                }
                // An end after the end.
                return Some((Ok(event), (!seen.is_over).then_some(reader)));
            }
            tokio::select! {
                changed = reader.seen.changed() => changed.ok()?,
                () = reader.stop.cancelled() => return None,
            }
        }
    })
}
