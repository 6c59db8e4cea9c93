//! The paths of versions: what there is, what came of it, a module that is sent, and which version serves.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gristmill_core::model::Share;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::problem::Problem;
use super::settings::Push;
use super::versions::{Activate, History, Pushed, Trial, VersionChange, VersionDone, VersionList, Versions};

/// The largest module, in bytes.
const LARGEST: usize = 64 << 20;
/// How long a module may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(120);
/// How many modules are received or tried out at a time: each is in memory.
const AT_A_TIME: usize = 2;
/// The header with the digest, of RFC 9530.
const CONTENT_DIGEST: &str = "content-digest";

/// What these paths need.
#[derive(Clone)]
pub(super) struct Shared {
    versions: Arc<dyn Versions>,
    push: Push,
    room: Arc<Semaphore>,
}

impl Shared {
    pub(super) fn new(versions: Arc<dyn Versions>, push: Push) -> Self {
        Self { versions, push, room: Arc::new(Semaphore::new(AT_A_TIME)) }
    }
}

pub(super) async fn of_pipeline(
    State(shared): State<Shared>,
    Path(pipeline): Path<String>,
) -> Result<Json<VersionList>, Problem> {
    Ok(Json(shared.versions.versions(&pipeline, None).await?))
}

pub(super) async fn of_stage(
    State(shared): State<Shared>,
    Path((pipeline, stage)): Path<(String, String)>,
) -> Result<Json<VersionList>, Problem> {
    Ok(Json(shared.versions.versions(&pipeline, Some(&stage)).await?))
}

pub(super) async fn history(
    State(shared): State<Shared>,
    Path((pipeline, stage)): Path<(String, String)>,
) -> Result<Json<History>, Problem> {
    Ok(Json(shared.versions.history(&pipeline, &stage).await?))
}

/// How a version is to be activated.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HowQuery {
    version: Option<String>,
    activate: Option<String>,
    share: Option<String>,
    promote_after: Option<String>,
}

type How = Result<Query<HowQuery>, QueryRejection>;

pub(super) async fn push(
    State(shared): State<Shared>,
    Path((pipeline, stage)): Path<(String, String)>,
    how: How,
    request: Request,
) -> Result<Json<VersionDone>, Problem> {
    let how = read(how)?;
    let activate = match (how.activate.as_deref(), how.share.is_some()) {
        (None, false) | (Some("no"), false) => Activate::No,
        (Some("now"), false) => Activate::Now,
        (Some("canary"), true) => how.trial()?,
        (Some("canary"), false) => return Err(bad("a canary needs its share of the jobs, in percent: share=5")),
        (_, true) => return Err(bad("share is for activate=canary")),
        (Some(other), false) => {
            return Err(bad(&format!("activate={other} is not known; write no, now or canary")));
        }
    };
    if how.version.is_some() {
        return Err(bad("the version of a module that is sent is counted by the host; leave version out"));
    }
    if shared.push == Push::Off {
        let detail = "pushes are switched off: `push` under [admin] of the host file";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let stated = stated(request.headers())?;
    let Ok(_room) = shared.room.try_acquire() else {
        let detail = format!("{AT_A_TIME} modules are being tried out already; send this one again in a moment");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
    };
    let wasm = receive(request.into_body()).await?;
    if <[u8; 32]>::from(Sha256::digest(&wasm)) != stated {
        let detail = "the body does not have the digest that Content-Digest states: it was changed or cut on its way";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    tracing::info!(pipeline, stage, bytes = wasm.len(), ?activate, "an operator sends a module by the admin server");
    Ok(Json(shared.versions.push(&pipeline, &stage, Pushed { wasm, activate }).await?))
}

pub(super) async fn activate(
    State(shared): State<Shared>,
    Path((pipeline, stage)): Path<(String, String)>,
    how: How,
) -> Result<Json<VersionDone>, Problem> {
    let how = read(how)?;
    if how.activate.is_some() {
        return Err(bad("with share=5 it is a canary, without it serves at once; leave activate out"));
    }
    let activate = if how.share.is_some() { how.trial()? } else { Activate::Now };
    let Some(version) = how.version else {
        return Err(bad("name the version: version=NUMBER, or the first digits of its digest"));
    };
    tracing::info!(pipeline, stage, version, ?activate, "an operator asks by the admin server");
    let change = VersionChange::Activate { version, activate };
    Ok(Json(shared.versions.change(&pipeline, &stage, change).await?))
}

pub(super) async fn rollback(
    State(shared): State<Shared>,
    Path((pipeline, stage)): Path<(String, String)>,
) -> Result<Json<VersionDone>, Problem> {
    tracing::info!(pipeline, stage, "an operator asks for the version before by the admin server");
    Ok(Json(shared.versions.change(&pipeline, &stage, VersionChange::Rollback).await?))
}

impl HowQuery {
    fn trial(&self) -> Result<Activate, Problem> {
        let share = self.share.as_deref().unwrap_or_default().parse::<Share>();
        let share = share.map_err(|wrong| bad(&format!("share: {wrong}")))?;
        let promote_after = match self.promote_after.as_deref().map(humantime::parse_duration) {
            None => None,
            Some(Ok(after)) => Some(after),
            Some(Err(_)) => return Err(bad("promote_after is a duration, for example 10m")),
        };
        Ok(Activate::Canary(Trial { share, promote_after }))
    }
}

fn read(how: How) -> Result<HowQuery, Problem> {
    let Query(how) = how.map_err(|rejected| bad(&rejected.body_text()))?;
    if how.promote_after.is_some() && how.share.is_none() {
        return Err(bad("promote_after is for a canary: name its share, too"));
    }
    Ok(how)
}

fn bad(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

async fn receive(body: Body) -> Result<Bytes, Problem> {
    match timeout(ARRIVAL, to_bytes(body, LARGEST)).await {
        Ok(Ok(wasm)) => Ok(wasm),
        Ok(Err(_)) => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the module did not arrive whole: it is above 64 MiB, or the connection broke",
        )),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the module did not arrive within 120 s")),
    }
}

/// The digest that the sender states.
fn stated(headers: &HeaderMap) -> Result<[u8; 32], Problem> {
    let missing = || {
        bad("state the SHA-256 of the module: Content-Digest: sha-256=:BASE64: (RFC 9530); \
             BASE64 is what `openssl dgst -sha256 -binary FILE | base64` prints")
    };
    let mut found = None;
    for value in headers.get_all(CONTENT_DIGEST) {
        for member in value.to_str().map_err(|_| missing())?.split(',') {
            if let Some(text) = member.trim().strip_prefix("sha-256=") {
                found = Some(text.to_owned());
            }
        }
    }
    let text = found.ok_or_else(missing)?;
    let inner = text.strip_prefix(':').and_then(|text| text.strip_suffix(':')).ok_or_else(missing)?;
    BASE64_STANDARD.decode(inner).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(missing)
}
